import Matrix
import Store

/// A room that a space names as part of it: an `m.space.child` event.
///
/// [m.space.child](https://spec.matrix.org/v1.19/client-server-api/#mspacechild)
public struct SpaceChild: Sendable {
    /// The room.
    public let room: RoomID
    /// Servers that may know it; at least one.
    public let via: [ServerName]
    /// Whether the space suggests it.
    public let isSuggested: Bool
    /// The event, stripped but for its time: the text of a JSON object.
    public let stripped: [UInt8]
    private let order: ExactString?
    private let originServerTS: Int64

    private static let maximumServers = 20
    private static let maximumContentBytes = 8_192

    /// The child that an event names; `nil` if it names none (any more).
    ///
    /// - Parameter event: A whole or stripped event.
    init?(_ event: JSON) {
        guard event["type"]?.string == EventType.spaceChild.string,
            let room = event["state_key"]?.string.flatMap({ RoomID($0) }),
            let sender = event["sender"]?.string.flatMap({ UserID($0) }),
            let content = event["content"], content.isObject, content.bytes.count <= Self.maximumContentBytes,
            let list = content["via"], list.isArray
        else { return nil }
        via = list.elements.prefix(Self.maximumServers).compactMap { $0.string.flatMap { ServerName($0) } }
        guard !via.isEmpty else { return nil }
        self.room = room
        isSuggested = content["suggested"]?.bool ?? false
        originServerTS = event["origin_server_ts"]?.wideInt ?? 0
        order = content["order"]?.string.flatMap { Self.isOrder($0) ? ExactString($0) : nil }
        var writer = JSONWriter(capacity: content.bytes.count + 256)
        writer.beginObject()
        writer.member("type", EventType.spaceChild.string)
        writer.member("state_key", room)
        writer.member("sender", sender)
        writer.member("origin_server_ts", originServerTS)
        writer.member("content", content)
        writer.endObject()
        stripped = writer.bytes
    }

    /// At most 50 printable characters of ASCII.
    private static func isOrder(_ text: String) -> Bool {
        text.utf8.count <= 50 && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    /// Whether the child stands before another.
    ///
    /// [Ordering of children](https://spec.matrix.org/v1.19/client-server-api/#ordering-of-children-within-a-space)
    func precedes(_ other: SpaceChild) -> Bool {
        switch (order, other.order) {
        case (let left?, let right?) where left != right: return left < right
        case (.some, nil): return true
        case (nil, .some): return false
        default: break
        }
        return (originServerTS, room) < (other.originServerTS, other.room)
    }
}
