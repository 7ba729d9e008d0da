import Matrix
import RoomEngine
import Store

/// What the directory asks about rooms' current state.
public protocol RoomDirectorySource: Sendable {
    /// What the directory tells of some rooms; those without a state are left out.
    func entries(of rooms: [PublishedRoom]) async throws -> [PublicRoom]

    /// Whether a user may send a type of state event in a room, going by power levels: 403 if not, or if the user is not in the room.
    func requirePower(_ user: UserID, toSend type: EventType, in room: RoomNumber) async throws

    /// Whether anyone may read a room's history.
    func isWorldReadable(_ room: RoomNumber) async throws -> Bool

    /// Up to `limit` servers with users joined to a room.
    func servers(in room: RoomNumber, limit: Int) async throws -> [ServerName]
}

/// Answers from the states that are stored.
public struct StoredRoomDirectory: RoomDirectorySource {
    private let store: Store

    /// A source over a store.
    public init(store: Store) { self.store = store }

    /// What the directory says of rooms, from their current state.
    public func entries(of rooms: [PublishedRoom]) async throws -> [PublicRoom] {
        var entries: [PublicRoom] = []
        // One snapshot for some rooms at a time, so that a long list does not hold a reader for long.
        for start in stride(from: 0, to: rooms.count, by: 50) {
            let page = Array(rooms[start..<min(start + 50, rooms.count)])
            entries += try await store.read { reader in try page.compactMap { try Self.entry($0, reader) } }
        }
        return entries
    }

    /// Throws 403 `M_FORBIDDEN` unless a user may send such a state event.
    public func requirePower(_ user: UserID, toSend type: EventType, in room: RoomNumber) async throws {
        try await store.read { reader in
            let state = try StoredState(room: room, reader)
            guard try state.event(.member(user))?.membership == Membership.join.rawValue else {
                throw MatrixError.forbidden("You are not in this room")
            }
            guard let create = try state.event(StateKey(.create)) else {
                throw MatrixError.forbidden("This room has no beginning")
            }
            let content = try state.event(StateKey(.powerLevels)).map { PowerLevelContent($0) }
            guard PowerLevels(content, creation: RoomCreation(create)).may(user, send: type, isState: true) else {
                throw MatrixError.forbidden("Your power level in this room is too low")
            }
        }
    }

    /// Whether everybody may read a room.
    public func isWorldReadable(_ room: RoomNumber) async throws -> Bool {
        try await store.read { reader in try StoredState(room: room, reader).isWorldReadable() }
    }

    /// Servers with members in a room, `limit` of them at the most.
    public func servers(in room: RoomNumber, limit: Int) async throws -> [ServerName] {
        try await store.read { reader in
            var servers: [ServerName] = []
            var seen: Set<ServerName> = []
            for user in try reader.memberships.users(in: room, .join) {
                let server = try reader.identifiers.user(user).server
                guard seen.insert(server).inserted else { continue }
                servers.append(server)
                if servers.count >= limit { break }
            }
            return servers
        }
    }

    private static func entry(_ room: PublishedRoom, _ reader: StoreReader) throws -> PublicRoom? {
        let state = try StoredState(room: room.number, reader)
        guard let create = try state.event(StateKey(.create)) else { return nil }
        return PublicRoom(
            number: room.number, roomID: room.roomID, state: room.state,
            name: try state.text(.name, "name"), topic: try state.text(.topic, "topic"),
            avatarURL: try state.text(.avatar, "url"), canonicalAlias: try state.text(.canonicalAlias, "alias"),
            joinRule: try state.text(.joinRules, "join_rule"), roomType: create.content["type"]?.string,
            isWorldReadable: try state.isWorldReadable(),
            guestCanJoin: try state.text(.guestAccess, "guest_access") == "can_join",
            joinedMembers: try reader.memberships.counts(in: room.number)[.join] ?? 0)
    }
}

/// The state a room has in a snapshot.
private struct StoredState {
    private let map: StateMap
    private let reader: StoreReader

    init(room: RoomNumber, _ reader: StoreReader) throws {
        self.reader = reader
        map = try reader.rooms.room(room)?.state.map { try reader.states.map($0) } ?? StateMap()
    }

    func event(_ key: StateKey) throws -> Event? {
        guard let number = try reader.identifiers.number(of: key), let event = map[number] else { return nil }
        return try reader.events.event(event)?.event
    }

    /// A text in the content of an event with an empty state key; an empty one counts as none.
    func text(_ type: EventType, _ name: String) throws -> String? {
        guard let text = try event(StateKey(type))?.content[name]?.string, !text.isEmpty else { return nil }
        return text
    }

    func isWorldReadable() throws -> Bool {
        try text(.historyVisibility, "history_visibility") == "world_readable"
    }
}
