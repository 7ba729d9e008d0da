import Matrix
import Store

/// Up to where users have read.
///
/// [Receipts](https://spec.matrix.org/v1.19/client-server-api/#receipts),
/// [read markers](https://spec.matrix.org/v1.19/client-server-api/#fully-read-markers).
public final class ReceiptService: Sendable {
    private let store: Store
    private let clock: any Clock

    /// A service.
    public init(store: Store, clock: any Clock) {
        self.store = store
        self.clock = clock
    }

    /// Moves a user's receipt to an event, unless it is at a later one already.
    ///
    /// - Parameters:
    ///   - type: Which receipt.
    ///   - event: The event read.
    ///   - thread: A thread root's event ID, or `main`; `nil` for the whole room.
    ///   - user: Who has read.
    ///   - room: Where.
    /// - Throws: 403 `M_FORBIDDEN` if the user is not in the room; 404 `M_NOT_FOUND` if the event is not part of its timeline; 400
    ///   `M_INVALID_PARAM` for a thread that the event does not belong to.
    public func set(
        _ type: ReceiptType, event: EventID, thread: String? = nil, of user: UserID, in room: RoomID
    ) async throws {
        let number = try await store.intern(user)
        let now = clock.now
        // Whoever is not to be heard reads for themselves.
        let type = type == .read && store.shadowBannedUsers.contains(user) ? ReceiptType.readPrivate : type
        guard let room = try await store.number(of: room) else { throw Self.notJoined }
        try await store.write { writer in
            let reader = writer.read
            guard try reader.memberships.membership(of: number, in: room)?.membership == .join else {
                throw Self.notJoined
            }
            guard let stored = try reader.events.event(event), stored.room == room, stored.position != nil else {
                throw MatrixError.notFound("This event is not part of this room's timeline")
            }
            if let thread { try Self.check(thread, type, stored, reader) }
            switch type {
            case .fullyRead:
                try Self.moveMarker(to: stored, of: number, writer)
            case .read, .readPrivate:
                try writer.receipts.advance(
                    ReceiptRecord(
                        room: room, user: number, userID: user, type: type.rawValue, eventID: event,
                        eventPosition: stored.position, thread: thread, timestamp: now))
            }
        }
    }

    /// Takes in a receipt that another server tells of, in the transaction that takes in what it tells; ignored unless the user is in
    /// the room.
    ///
    /// The event may be one that has not arrived here yet.
    public func receive(
        _ event: EventID, thread: String?, timestamp: Int64, of user: UserID, in room: RoomNumber,
        _ writer: StoreWriter
    ) throws {
        let reader = writer.read
        guard let number = try reader.identifiers.number(of: user),
            try reader.memberships.membership(of: number, in: room)?.membership == .join
        else { return }
        let stored = try reader.events.event(event)
        if let stored, stored.room != room { return }
        try writer.receipts.advance(
            ReceiptRecord(
                room: room, user: number, userID: user, type: ReceiptType.read.rawValue, eventID: event,
                eventPosition: stored?.position, thread: thread, timestamp: timestamp))
    }

    private static let notJoined = MatrixError.forbidden("You are not in this room")

    /// [Threaded read receipts](https://spec.matrix.org/v1.19/client-server-api/#threaded-read-receipts).
    private static func check(
        _ thread: String, _ type: ReceiptType, _ event: StoredEvent, _ reader: StoreReader
    ) throws {
        guard type != .fullyRead else {
            throw MatrixError.invalidParameter("m.fully_read is for the whole room: it has no thread_id")
        }
        guard !thread.isEmpty else { throw MatrixError.invalidParameter("thread_id must not be empty") }
        if ExactString(thread) == Threads.main {
            guard Threads.statedRoot(of: event.event) == nil else {
                throw MatrixError.invalidParameter("This event belongs to a thread, not to the main timeline")
            }
            return
        }
        guard let root = EventID(thread) else {
            throw MatrixError.invalidParameter("thread_id must be main or the event ID of a thread's root")
        }
        // A root is part of the main timeline, but clients also mark a whole thread as unread by going back to it.
        guard try event.event.eventID == root || Threads.thread(of: event.event, in: reader) == ExactString(thread)
        else {
            throw MatrixError.invalidParameter("This event does not belong to this thread")
        }
    }

    private static func moveMarker(to event: StoredEvent, of user: UserNumber, _ writer: StoreWriter) throws {
        let reader = writer.read
        let item = try reader.accountData.item(of: user, room: event.room, type: AccountDataType.fullyRead)
        if let item, let json = try? JSON(parsing: item.data.content),
            let current = json["event_id"]?.string.flatMap({ EventID($0) }),
            let old = try reader.events.event(current), old.room == event.room,
            let oldPosition = old.position, let newPosition = event.position, newPosition <= oldPosition
        {
            return
        }
        var content = JSONWriter(capacity: 80)
        content.beginObject()
        content.member("event_id", event.event.eventID)
        content.endObject()
        try writer.accountData.set(
            AccountDataRecord(user: user, room: event.room, type: AccountDataType.fullyRead, content: content.bytes))
    }
}
