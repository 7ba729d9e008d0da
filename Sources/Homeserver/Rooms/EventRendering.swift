import Matrix
import Store

/// Who looks at events, and how they want them.
public struct Viewer: Sendable {
    /// The user.
    public let user: UserNumber
    /// The user, by name.
    public let userID: UserID
    /// The device, to whose own events the transaction ID is added.
    public let device: DeviceID?
    /// The time, in milliseconds since 1970, from which ages count.
    public let now: Int64

    /// A viewer.
    public init(_ user: Requester, now: Int64) {
        self.user = user.number
        userID = user.id
        device = user.device
        self.now = now
    }
}

/// Events with what has to be said beside them, ready to be written for one viewer.
public struct RenderedEvents: Sendable {
    private let related: [EventNumber: StoredEvent]
    private let viewer: Viewer

    /// Loads what the events refer to: what they replaced, what redacted them.
    public init(_ events: some Sequence<StoredEvent>, for viewer: Viewer, store: Store) async throws {
        var wanted: Set<EventNumber> = []
        for event in events {
            if let replaces = event.replaces { wanted.insert(replaces) }
            if let redaction = event.redactedBy { wanted.insert(redaction) }
        }
        related = wanted.isEmpty ? [:] : try await store.events(wanted)
        self.viewer = viewer
    }

    /// Writes one of the events in the client format.
    ///
    /// [ClientEvent](https://spec.matrix.org/v1.19/client-server-api/#room-event-format)
    public func write(
        _ stored: StoredEvent, into writer: inout JSONWriter, includeRoomID: Bool, membership: Membership? = nil
    ) {
        stored.event.writeClient(into: &writer, includeRoomID: includeRoomID) { writer in
            writer.rawKey("age")
            writer.write(max(0, viewer.now - stored.event.originServerTS))
            if let transaction = stored.transaction, stored.sender == viewer.user, transaction.device == viewer.device {
                writer.member("transaction_id", transaction.id)
            }
            if let membership {
                writer.rawKey("membership")
                writer.write(membership.rawValue)
            }
            if let replaces = stored.replaces, let replaced = related[replaces] {
                writer.member("replaces_state", replaced.event.eventID)
                writer.member("prev_content", replaced.event.content)
                writer.member("prev_sender", replaced.event.sender)
            }
            if let by = stored.redactedBy, let redaction = related[by] {
                // Of old; some clients still look for it.
                writer.member("redacted_by", redaction.event.eventID)
                writer.key("redacted_because")
                redaction.event.writeClient(into: &writer, includeRoomID: includeRoomID) { writer in
                    writer.member("age", max(0, viewer.now - redaction.event.originServerTS))
                }
            }
        }
    }
}
