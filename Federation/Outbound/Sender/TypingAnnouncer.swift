import Homeserver
import Matrix

/// Remembers which users of this server others believe to be typing.
struct TypingAnnouncer: Sendable {
    private var told: [RoomNumber: Set<UserID>] = [:]
    /// Rooms that will be looked at again.
    private var repeating: Set<RoomNumber> = []

    /// What others have to be told about a room.
    ///
    /// - Parameters:
    ///   - typists: The users of this server who are typing there.
    ///   - repeats: Whether those who go on typing are told again.
    /// - Returns: Who begins (or goes on), and who has ceased.
    mutating func changes(in room: RoomNumber, typists: Set<UserID>, repeats: Bool) -> [(user: UserID, isTyping: Bool)]
    {
        let before = told[room] ?? []
        told[room] = typists.isEmpty ? nil : typists
        let began = repeats ? typists : typists.subtracting(before)
        return before.subtracting(typists).sorted().map { ($0, false) } + began.sorted().map { ($0, true) }
    }

    /// Whether somebody has to look at a room again, because nobody is going to yet.
    mutating func beginsRepeating(_ room: RoomNumber) -> Bool {
        told[room] != nil && repeating.insert(room).inserted
    }

    mutating func endsRepeating(_ room: RoomNumber) { repeating.remove(room) }
}

extension FederationSender {
    /// The most changes of typing that wait to be looked at: more are lost, as typing may be.
    private static let waitingRooms = 1_000

    func followTyping() {
        guard let typing else { return }
        let (rooms, hear) = AsyncStream.makeStream(
            of: RoomNumber.self, bufferingPolicy: .bufferingNewest(Self.waitingRooms))
        typing.listen { hear.yield($0) }
        keep(Task { [weak self] in for await room in rooms { await self?.typingChanged(in: room) } })
    }

    /// Tells the servers in a room who of this server's users is typing there.
    private func typingChanged(in room: RoomNumber, repeats: Bool = false) async {
        guard let typing else { return }
        let local = Set(typing.typists(in: room).filter { $0.isLocal(to: serverName) })
        let changes = typists.changes(in: room, typists: local, repeats: repeats)
        guard !changes.isEmpty else { return }
        do {
            let servers = try await routes.servers.servers(in: room).filter(routes.accepts)
            guard !servers.isEmpty else { return }
            let id = try await store.room(room)
            tell(changes.map { TypingNote(room: id, user: $0.user, isTyping: $0.isTyping) }, servers)
        } catch {
            logger.debug("typing could not be told", metadata: ["error": "\(error)"])
        }
        repeatTyping(in: room)
    }

    /// Others forget after a while that someone is typing unless they are told again.
    private func repeatTyping(in room: RoomNumber) {
        guard typists.beginsRepeating(room) else { return }
        after(milliseconds: configuration.typingRepeatMilliseconds) { sender in
            sender.typists.endsRepeating(room)
            await sender.typingChanged(in: room, repeats: true)
        }
    }
}
