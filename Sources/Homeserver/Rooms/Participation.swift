import Matrix
import Store
import Synchronization

/// In which rooms this server takes part, and since when: asked for everything that other servers tell or ask.
///
/// Memory only, and derived: a room is looked up when it is first asked for, and again after a membership of one of our users in it
/// has changed.
public final class Participation: Sendable {
    private struct State {
        /// Rooms that are being looked up, and whether something has changed meanwhile.
        var loading: [RoomNumber: Int] = [:]
        var outdated: Set<RoomNumber> = []
    }

    private let store: Store
    private let serverName: ServerName
    /// `nil` for a room in which this server does not take part.
    private let known = GenerationalCache<RoomNumber, StreamPosition?>(budget: 200_000)
    private let state = Mutex(State())

    /// - Parameters:
    ///   - store: Where memberships are.
    ///   - serverName: This server.
    public init(store: Store, serverName: ServerName) {
        self.store = store
        self.serverName = serverName
        store.journal.listen { [weak self] entries in self?.follow(entries) }
    }

    /// Whether a user of this server is in a room.
    public func contains(_ room: RoomNumber) async throws -> Bool { try await since([room])[room] != nil }

    /// Since when this server has been in rooms without a break, at the latest. Rooms in which it is not are left out.
    public func since(_ rooms: some Collection<RoomNumber>) async throws -> [RoomNumber: StreamPosition] {
        var found: [RoomNumber: StreamPosition] = [:]
        var unknown: [RoomNumber] = []
        for room in rooms {
            if let known = known[room] { found[room] = known } else { unknown.append(room) }
        }
        for start in stride(from: 0, to: unknown.count, by: Self.roomsPerRead) {
            let page = Array(unknown[start..<min(start + Self.roomsPerRead, unknown.count)])
            found.merge(try await load(page)) { $1 }
        }
        return found
    }

    /// Of `users`, those who are in a room that this server is in.
    public func sharing(among users: some Collection<UserNumber>) async throws -> Set<UserNumber> {
        let list = Array(users)
        var sharing: Set<UserNumber> = []
        for start in stride(from: 0, to: list.count, by: Self.usersPerRead) {
            let page = Array(list[start..<min(start + Self.usersPerRead, list.count)])
            let joined = try await store.read { try $0.memberships.joinedRooms(of: page) }
            let ours = try await since(Set(joined.map(\.room)))
            for entry in joined where ours[entry.room] != nil { sharing.insert(entry.user) }
        }
        return sharing
    }

    /// Of `users`, with a place in the journal each, those with whom this server has shared a room from that place on without a break:
    /// whatever their server told of them since then, it told this one too.
    public func sharingSince(_ users: [UserNumber: StreamPosition]) async throws -> Set<UserNumber> {
        let list = Array(users.keys)
        var sharing: Set<UserNumber> = []
        for start in stride(from: 0, to: list.count, by: Self.usersPerRead) {
            let page = Array(list[start..<min(start + Self.usersPerRead, list.count)])
            let joined = try await store.read { try $0.memberships.joinedRooms(of: page) }
            let ours = try await since(Set(joined.map(\.room)))
            for entry in joined {
                guard let place = users[entry.user], let since = ours[entry.room] else { continue }
                if entry.position <= place, since <= place { sharing.insert(entry.user) }
            }
        }
        return sharing
    }

    private static let roomsPerRead = 100
    private static let usersPerRead = 500

    private func load(_ rooms: [RoomNumber]) async throws -> [RoomNumber: StreamPosition] {
        state.withLock { state in for room in rooms { state.loading[room, default: 0] += 1 } }
        do {
            let name = serverName
            let found = try await store.read { try $0.memberships.participation(of: name, in: rooms) }
            endLoading(rooms, found)
            return found
        } catch {
            endLoading(rooms, nil)
            throw error
        }
    }

    /// Keeps what was found, but for rooms in which something has changed while they were looked up.
    private func endLoading(_ rooms: [RoomNumber], _ found: [RoomNumber: StreamPosition]?) {
        state.withLock { state in
            for room in rooms {
                if let found, !state.outdated.contains(room) { known.insert(room, found[room]) }
                let rest = (state.loading[room] ?? 1) - 1
                state.loading[room] = rest > 0 ? rest : nil
                if rest <= 0 { state.outdated.remove(room) }
            }
        }
    }

    private func follow(_ entries: ArraySlice<JournalEntry>) {
        for entry in entries {
            switch entry.change {
            case .event(let event, subject: .some):
                guard let user = event.event.stateKey.flatMap({ UserID($0.string) }), user.isLocal(to: serverName)
                else { continue }
                forget(event.room)
            case .memberships(let room, _): forget(room)
            default: continue
            }
        }
    }

    private func forget(_ room: RoomNumber) {
        state.withLock { state in
            if state.loading[room] != nil { state.outdated.insert(room) }
            known.remove(room)
        }
    }
}
