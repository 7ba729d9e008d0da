import Matrix
import Store

/// The tags that users give to rooms, kept as `m.tag` in the room's account data.
///
/// [Room tagging](https://spec.matrix.org/v1.19/client-server-api/#room-tagging).
public final class TagService: Sendable {
    /// The longest tag, in bytes.
    public static let maximumTagBytes = 255
    /// How many tags a room may have.
    public static let maximumTags = 200

    private let store: Store

    /// A service.
    public init(store: Store) { self.store = store }

    /// The tags of a room: names and contents.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if the room is unknown here.
    public func tags(of user: UserID, room: RoomID) async throws -> JSONObject {
        let (user, room) = try await numbers(user, room)
        return try await store.read { try Self.tags(of: user, room, $0) }
    }

    /// Gives a tag to a room, or replaces the tag's content.
    ///
    /// - Throws: 400 for a malformed tag or `order`; 404 `M_NOT_FOUND` if the room is unknown here.
    public func set(_ tag: String, _ content: JSON, of user: UserID, room: RoomID) async throws {
        guard (1...Self.maximumTagBytes).contains(tag.utf8.count) else {
            throw MatrixError.invalidParameter("A tag has 1 to \(Self.maximumTagBytes) bytes")
        }
        guard content.isObject else { throw MatrixError.badJSON("A tag's content must be an object") }
        guard content.bytes.count <= 4_096 else { throw MatrixError(413, .tooLarge, "A tag's content is too large") }
        if let order = content["order"], !order.isNull, order.double == nil {
            throw MatrixError.badJSON("order must be a number")
        }
        let value = content.value
        try await update(user, room) { tags in
            guard tags[tag] != value else { return false }
            tags[tag] = value
            guard tags.members.count <= Self.maximumTags else {
                throw MatrixError(400, .resourceLimitExceeded, "A room may have \(Self.maximumTags) tags at most")
            }
            return true
        }
    }

    /// Takes a tag from a room. Taking one that it has not changes nothing.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if the room is unknown here.
    public func remove(_ tag: String, of user: UserID, room: RoomID) async throws {
        try await update(user, room) { tags in
            guard tags[tag] != nil else { return false }
            tags[tag] = nil
            return true
        }
    }

    /// Copies a room's tags to the room that replaces it, unless that has been given some already.
    static func copy(of user: UserNumber, from old: RoomNumber, to new: RoomNumber, in writer: StoreWriter) throws {
        let old = try tags(of: user, old, writer.read)
        let present = try tags(of: user, new, writer.read)
        guard !old.isEmpty, present.isEmpty else { return }
        try store(old, of: user, new, writer)
    }

    private func update(
        _ user: UserID, _ room: RoomID, _ change: @escaping @Sendable (inout JSONObject) throws -> Bool
    ) async throws {
        let (user, room) = try await numbers(user, room)
        try await store.write { writer in
            var tags = try Self.tags(of: user, room, writer.read)
            if try change(&tags) { try Self.store(tags, of: user, room, writer) }
        }
    }

    private func numbers(_ user: UserID, _ room: RoomID) async throws -> (UserNumber, RoomNumber) {
        guard let room = try await store.number(of: room) else {
            throw MatrixError.notFound("This room is not known here")
        }
        return (try await store.intern(user), room)
    }

    private static func tags(of user: UserNumber, _ room: RoomNumber, _ reader: StoreReader) throws -> JSONObject {
        guard let item = try reader.accountData.item(of: user, room: room, type: AccountDataType.tag) else {
            return [:]
        }
        // Clients may also write m.tag whole: what of it is no tags counts as none.
        return (try? JSON(parsing: item.data.content))?["tags"]?.value.object ?? [:]
    }

    private static func store(
        _ tags: JSONObject, of user: UserNumber, _ room: RoomNumber, _ writer: StoreWriter
    ) throws {
        let content = JSONValue.object(["tags": .object(tags)]).serialized()
        try writer.accountData.set(
            AccountDataRecord(user: user, room: room, type: AccountDataType.tag, content: content))
    }
}
