import Matrix
import RoomEngine
import Store

/// Looks up what is told of an event: as it is when it is told.
struct PushContent: Sendable {
    let store: Store
    let rooms: RoomService
    let unread: UnreadCounts

    /// How many notifications a user has not read, in all rooms.
    func unreadCount(of user: UserNumber) async throws -> Int {
        let joined = try await store.read { try $0.memberships.joinedRooms(of: user) }
        let counts = try await unread.counts(user, joined, through: store.journal.end)
        return counts.values.reduce(0) { $0 + $1.total.notification }
    }

    /// Whether what is said in a room is for its members' devices only. Of rooms that this server is not in, nobody knows.
    func isEncrypted(_ room: RoomID) async throws -> Bool {
        do {
            return try await rooms.view(try await rooms.number(of: room)).event(StateKey(.encryption)) != nil
        } catch let error as MatrixError where error.status == 404 {
            return true
        }
    }

    /// What is told of an event; `nil` if it need not be told any more: it was redacted, has been read, or is an invitation that does not
    /// stand any more.
    ///
    /// - Parameter actions: What the user's rules said of it: the text of a JSON array.
    func subject(
        _ number: EventNumber, _ actions: [UInt8], for pusher: PusherRecord
    ) async throws -> PushNotification.Subject? {
        guard let event = try await store.event(number), event.redactedBy == nil else { return nil }
        let user = pusher.user
        let (membership, isRead, stripped) = try await store.read { reader in
            (
                try reader.memberships.membership(of: user, in: event.room), try Self.isRead(event, user, reader),
                try reader.graph.strippedState(of: event.room, for: user)
            )
        }
        let userID = try await store.user(user)
        if event.event.state == StateKey.member(userID) {
            // Who has answered an invitation has seen it.
            guard membership?.event == number else { return nil }
        } else {
            guard membership?.membership == .join, !isRead else { return nil }
        }
        let list = (try? JSON(parsing: actions))?.elements.compactMap { PushAction($0.value) } ?? []
        var subject = PushNotification.Subject(
            event: event.event, actions: list, recipient: userID)
        do {
            let view = try await rooms.view(event.room)
            let state = try await view.events([StateKey(.name), StateKey(.canonicalAlias), .member(event.event.sender)])
            name(&subject) { state[$0]?.event.content }
        } catch let error as MatrixError where error.status == 404 {
            // A room that this server is not in: what the invitation told of it.
            let told = stripped.flatMap { try? JSON(parsing: $0) }
            name(&subject) { key in
                told?.elements.first { event in
                    event["type"]?.string.map { EventType($0) } == key.type
                        && event["state_key"]?.string.map { ExactString($0) } == key.key
                }?["content"]
            }
        }
        return subject
    }

    private func name(_ subject: inout PushNotification.Subject, _ content: (StateKey) -> JSON?) {
        func text(_ key: StateKey, _ name: String) -> String? {
            content(key)?[name]?.string.flatMap { $0.isEmpty ? nil : $0 }
        }
        subject.roomName = text(StateKey(.name), "name")
        subject.roomAlias = text(StateKey(.canonicalAlias), "alias")
        subject.senderName = text(.member(subject.event.sender), "displayname")
    }

    private static func isRead(_ event: StoredEvent, _ user: UserNumber, _ reader: StoreReader) throws -> Bool {
        guard let position = event.position else { return false }
        let receipts = try reader.receipts.receipts(of: user, in: event.room).map(\.receipt).filter {
            $0.type != "m.fully_read" && $0.eventPosition.map { $0 >= position } ?? false
        }
        guard !receipts.isEmpty else { return false }
        if receipts.contains(where: { $0.thread == nil }) { return true }
        let thread = try Threads.thread(of: event.event, in: reader)
        return receipts.contains { $0.thread.map { ExactString($0) } == thread }
    }
}
