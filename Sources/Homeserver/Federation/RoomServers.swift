import Matrix
import Store
import Synchronization

/// Which other servers are in which rooms.
///
/// Memory only, and derived: a room is filled from the memberships when it is first asked for, and follows their
/// changes from there. This server itself is in no answer.
public final class RoomServers: Sendable {
    /// The users of one server in one room.
    private struct Members {
        var joined: Set<UserNumber> = []
        /// Whether the server is said to be in the room, whose memberships are not all known yet.
        var isAssumed = false
        /// When a membership of one of them last changed. Whoever asks about an earlier event gets no answer from here.
        var changed: StreamPosition
        var isThere: Bool { isAssumed || !joined.isEmpty }

        mutating func note(_ user: UserNumber, _ membership: Membership, at position: StreamPosition) {
            changed = max(changed, position)
            if membership == .join { joined.insert(user) } else { joined.remove(user) }
        }
    }

    private struct Room {
        var servers: [ServerName: Members]?
        /// Changes that came while the room was being loaded.
        var early: [MembershipChange] = []
        var loading: Task<Void, any Error>?
        var cost = 0
        var lastUse: UInt64 = 0
    }

    private struct State {
        var rooms: [RoomNumber: Room] = [:]
        var cost = 0
        var serial: UInt64 = 0
    }

    private let state = Mutex(State())
    private let store: Store
    private let local: ServerName
    private let budget: Int

    /// - Parameters:
    ///   - store: Where memberships are.
    ///   - serverName: This server.
    ///   - budget: How many users of other servers are kept in memory, each room they are in counted.
    public init(store: Store, serverName: ServerName, budget: Int = 1_000_000) {
        self.store = store
        local = serverName
        self.budget = budget
        store.onMembershipChange { [weak self] in self?.follow($0) }
    }

    /// The servers that are in a room now.
    public func servers(in room: RoomNumber) async throws -> Set<ServerName> {
        let found = try await look(at: room) { servers in
            Set(servers.lazy.filter(\.value.isThere).map(\.key))
        }
        return found
    }

    /// Whether a server is in a room now.
    public func contains(_ server: ServerName, in room: RoomNumber) async throws -> Bool {
        try await look(at: room) { $0[server]?.isThere == true }
    }

    /// The servers that were in a room after an event of it, as far as the memberships of now tell; of the others,
    /// `uncertain`, the state after the event has to be asked.
    private func servers(
        in room: RoomNumber, at position: StreamPosition
    ) async throws -> (certain: Set<ServerName>, uncertain: [ServerName]) {
        try await look(at: room) { servers in
            var certain: Set<ServerName> = []
            var uncertain: [ServerName] = []
            for (server, members) in servers {
                if members.changed > position, !members.isAssumed {
                    uncertain.append(server)
                } else if members.isThere {
                    certain.insert(server)
                }
            }
            return (certain, uncertain)
        }
    }

    /// The servers that were in a room after an event of it.
    public func servers(at event: StoredEvent) async throws -> Set<ServerName> {
        guard let position = event.position else { return [] }
        var (certain, uncertain) = try await servers(in: event.room, at: position)
        if !uncertain.isEmpty { certain.formUnion(try await servers(among: uncertain, at: event)) }
        return certain
    }

    /// Whether a server was in a room after an event of it.
    public func contains(_ server: ServerName, at event: StoredEvent) async throws -> Bool {
        guard let position = event.position else { return false }
        let known = try await look(at: event.room) { servers -> Bool? in
            guard let members = servers[server] else { return false }
            return members.changed > position && !members.isAssumed ? nil : members.isThere
        }
        if let known { return known }
        return try await !servers(among: [server], at: event).isEmpty
    }

    /// Whether a server was in a room after an event on the event's own branch, whatever was known from others then.
    public func contains(_ server: ServerName, onBranchOf event: StoredEvent) async throws -> Bool {
        guard let state = event.state else { return false }
        return try await !servers(among: [server], in: state, of: event).isEmpty
    }

    /// Those of `servers` that have a joined user in the room's state at an event's place in the timeline, or in the state on its own
    /// branch: that is the one which was worked out anew if not all was known of the room then.
    private func servers(among servers: [ServerName], at event: StoredEvent) async throws -> Set<ServerName> {
        var found: Set<ServerName> = []
        for state in Set([event.timelineState, event.state]).compactMap({ $0 }).sorted() {
            let rest = servers.filter { !found.contains($0) }
            if !rest.isEmpty { found.formUnion(try await self.servers(among: rest, in: state, of: event)) }
        }
        return found
    }

    private func servers(
        among servers: [ServerName], in number: StateNumber, of event: StoredEvent
    ) async throws -> Set<ServerName> {
        try await store.read { reader in
            let state = try reader.states.map(number)
            var found: Set<ServerName> = []
            for (user, server) in try reader.serverMembers.users(of: servers, in: event.room)
            where !found.contains(server) {
                let key = StateKey.member(try reader.identifiers.user(user))
                guard let keyNumber = try reader.identifiers.number(of: key), let member = state[keyNumber],
                    let stored = try reader.events.event(member), Membership(of: stored.event) == .join
                else { continue }
                found.insert(server)
            }
            return found
        }
    }

    /// The rooms that this server and another are both in now.
    public func rooms(sharedWith server: ServerName) async throws -> [RoomNumber] {
        try await store.read { [local] in try $0.serverMembers.sharedRooms(of: server, with: local) }
    }

    /// The servers that are in a room that a user is in now.
    public func servers(sharingRoomsWith user: UserNumber) async throws -> Set<ServerName> {
        var servers: Set<ServerName> = []
        for room in try await store.read({ try $0.memberships.joinedRooms(of: user) }) {
            servers.formUnion(try await self.servers(in: room))
        }
        return servers
    }

    /// Whether a server is in a room that a user is in now.
    public func shares(_ server: ServerName, roomWith user: UserNumber) async throws -> Bool {
        try await store.read { try $0.serverMembers.isSharing(server, with: user) }
    }

    // MARK: Memory

    /// Looks at the servers of a room, which is loaded if it is not in memory.
    private func look<T: Sendable>(
        at room: RoomNumber, _ body: @Sendable ([ServerName: Members]) -> T
    ) async throws -> T {
        while true {
            let (found, task) = state.withLock { state -> (T?, Task<Void, any Error>?) in
                state.serial += 1
                state.rooms[room, default: Room()].lastUse = state.serial
                if let servers = state.rooms[room]?.servers { return (body(servers), nil) }
                if let loading = state.rooms[room]?.loading { return (nil, loading) }
                let task = Task { [self] in try await load(room) }
                state.rooms[room]?.loading = task
                return (nil, task)
            }
            if let found { return found }
            // Once loaded it may be gone again before it could be looked at; then it is loaded once more.
            try await task?.value
        }
    }

    private func load(_ room: RoomNumber) async throws {
        let (members, assumed): ([ServerMember], [ServerName])
        do {
            (members, assumed) = try await store.read { [local] reader in
                (
                    try reader.serverMembers.members(of: room, except: local),
                    try reader.graph.partialJoin(room)?.servers ?? []
                )
            }
        } catch {
            state.withLock { $0.rooms[room] = nil }
            throw error
        }
        var servers: [ServerName: Members] = [:]
        for server in assumed where server != local {
            servers[server] = Members(isAssumed: true, changed: StreamPosition(0))
        }
        for member in members {
            servers[member.server, default: Members(changed: member.position)].note(
                member.user, member.membership, at: member.position)
        }
        state.withLock { state in
            guard var loaded = state.rooms[room] else { return }
            loaded.servers = servers
            loaded.loading = nil
            loaded.cost = 1 + servers.count + members.count
            state.cost += loaded.cost
            let early = loaded.early
            loaded.early = []
            state.rooms[room] = loaded
            for change in early { apply(change, &state) }
            evict(&state, keeping: room)
        }
    }

    private func follow(_ change: MembershipChange) {
        if case .user(_, let id, _, _, _) = change, id.isLocal(to: local) { return }
        state.withLock { state in
            guard let room = state.rooms[change.room] else { return }
            if room.servers == nil {
                state.rooms[change.room]?.early.append(change)
            } else {
                apply(change, &state)
            }
        }
    }

    private func apply(_ change: MembershipChange, _ state: inout State) {
        switch change {
        case .room(let number):
            if let room = state.rooms.removeValue(forKey: number) { state.cost -= room.cost }
        case .user(let user, let id, let room, let membership, let position):
            guard state.rooms[room]?.servers != nil else { return }
            state.rooms[room]?.servers?[id.server, default: Members(changed: position)].note(
                user, membership, at: position)
            state.rooms[room]?.cost += 1
            state.cost += 1
        }
    }

    /// Forgets the rooms that were asked for longest ago, when there are too many.
    private func evict(_ state: inout State, keeping kept: RoomNumber) {
        guard state.cost > budget else { return }
        let idle = state.rooms.filter { $0.key != kept && $0.value.loading == nil }
        for (number, room) in idle.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
            guard state.cost > budget * 3 / 4 else { return }
            state.rooms[number] = nil
            state.cost -= room.cost
        }
    }
}
