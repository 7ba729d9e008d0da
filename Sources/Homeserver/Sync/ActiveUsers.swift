import Matrix
import Store
import Synchronization

/// A user's rooms, as the sync needs to know them without asking the database.
public struct UserRooms: Sendable {
    /// How the user stands to one room.
    public struct Entry: Sendable {
        /// The membership.
        public let membership: Membership
        /// The event that says so.
        public let event: EventNumber
        /// When it came about.
        public let position: StreamPosition
        /// Whether the user wants to hear no more of it.
        public var isForgotten: Bool
    }

    /// Every room that the user has to do with.
    public internal(set) var rooms: [RoomNumber: Entry]

    /// Takes out the rooms that have been removed a moment ago.
    mutating func removeGone(_ store: Store) {
        guard store.goneRooms > 0 else { return }
        for room in rooms.keys where store.isGone(room) { rooms[room] = nil }
    }

    /// The rooms in which the user is joined.
    public var joined: [RoomNumber] { rooms.filter { $0.value.membership == .join }.map(\.key) }
}

/// The users who are using their clients: which rooms they are in, and their requests that wait for something to happen.
///
/// Memory only, and derived: it is filled from the database when a user comes, and follows the journal from there. So a change
/// wakes exactly those whom it concerns, and a sync of a user who is caught up asks the database nothing.
public final class ActiveUsers: Sendable {
    /// Somebody to wake: one or two a user, so a list takes the least memory.
    private struct Wait {
        let id: UInt64
        let wake: @Sendable () -> Void
    }

    private struct User {
        var rooms: UserRooms?
        /// Changes that came while the rooms were being loaded.
        var early: [(RoomNumber, UserRooms.Entry)] = []
        var loading: Task<UserRooms, any Error>?
        /// Whether what is being loaded is not true any more.
        var isOutdated = false
        var waiting: [Wait] = []
        /// Counts changes of the user's sessions.
        var sessions: UInt32 = 0
        var lastUse: UInt64 = 0
    }

    private struct State {
        var users: [UserNumber: User] = [:]
        /// Who of `users` is joined or invited where.
        var inRoom: [RoomNumber: Set<UserNumber>] = [:]
        var serial: UInt64 = 0
    }

    private static let limit = 50_000

    private let state = Mutex(State())
    private let store: Store

    /// - Parameter store: Where memberships come from.
    public init(store: Store) {
        self.store = store
        store.journal.listen { [weak self] entries in self?.follow(entries) }
    }

    /// The rooms of a user.
    public func rooms(of user: UserNumber) async throws -> UserRooms {
        let (known, task) = state.withLock { state -> (UserRooms?, Task<UserRooms, any Error>?) in
            state.serial += 1
            state.users[user, default: User()].lastUse = state.serial
            if let rooms = state.users[user]?.rooms { return (rooms, nil) }
            if let loading = state.users[user]?.loading { return (nil, loading) }
            evict(&state)
            let task = Task { [self] in try await load(user) }
            state.users[user]?.loading = task
            return (nil, task)
        }
        if let known { return known }
        guard let task else { throw MatrixError.internalError }
        return try await task.value
    }

    private func load(_ user: UserNumber) async throws -> UserRooms {
        let records: [MembershipRecord]
        do {
            records = try await store.read { try $0.memberships.rooms(of: user) }
        } catch {
            state.withLock { $0.users[user]?.loading = nil }
            throw error
        }
        var rooms = UserRooms(rooms: [:])
        for record in records {
            rooms.rooms[record.room] = .init(
                membership: record.membership, event: record.event, position: record.position,
                isForgotten: record.isForgotten
            )
        }
        let known = state.withLock { state -> UserRooms? in
            if state.users[user]?.isOutdated == true {
                state.users[user]?.isOutdated = false
                return nil
            }
            for (room, entry) in state.users[user]?.early ?? []
            where entry.position > rooms.rooms[room]?.position ?? .init(.min) {
                rooms.rooms[room] = entry
            }
            state.users[user]?.early = []
            state.users[user]?.loading = nil
            state.users[user]?.rooms = rooms
            for (room, entry) in rooms.rooms where entry.membership == .join || entry.membership == .invite {
                state.inRoom[room, default: []].insert(user)
            }
            return rooms
        }
        if let known { return known }
        return try await load(user)
    }

    /// Notes that a user forgets a room.
    func forget(_ user: UserNumber, _ room: RoomNumber) {
        state.withLock { $0.users[user]?.rooms?.rooms[room]?.isForgotten = true }
    }

    private func evict(_ state: inout State) {
        guard state.users.count > Self.limit else { return }
        let idle = state.users.filter { $0.value.waiting.isEmpty && $0.value.rooms != nil }
        for (user, entry) in idle.sorted(by: { $0.value.lastUse < $1.value.lastUse }).prefix(Self.limit / 4) {
            for room in entry.rooms?.rooms.keys.map({ $0 }) ?? [] { state.inRoom[room]?.remove(user) }
            state.users[user] = nil
        }
        state.inRoom = state.inRoom.filter { !$0.value.isEmpty }
    }

    // MARK: Waiting

    /// Calls `wake` once, from any thread, when something happens that concerns `user` or when ``end(_:id:)`` is called, unless the
    /// wait is given up before; at once if `check` finds that it has happened already. `check` runs after the place is taken, so
    /// nothing is missed.
    public func wait(
        _ user: UserNumber, id: UInt64, _ wake: @escaping @Sendable () -> Void, unless check: () -> Bool
    ) {
        state.withLock { $0.users[user, default: User()].waiting.append(Wait(id: id, wake: wake)) }
        if check() { end(user, id: id) }
    }

    /// Waits in the same way, and until the task is cancelled.
    public func wait(_ user: UserNumber, id: UInt64, unless check: @Sendable () -> Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                wait(user, id: id, { continuation.resume() }, unless: { check() || Task.isCancelled })
            }
        } onCancel: {
            end(user, id: id)
        }
    }

    /// A new name for a wait.
    public func newWaitID() -> UInt64 {
        state.withLock { state in
            state.serial += 1
            return state.serial
        }
    }

    /// Ends a wait.
    public func end(_ user: UserNumber, id: UInt64) { takeWait(user, id: id)?.wake() }

    /// Gives a wait up: nobody is woken.
    public func leave(_ user: UserNumber, id: UInt64) { _ = takeWait(user, id: id) }

    private func takeWait(_ user: UserNumber, id: UInt64) -> Wait? {
        state.withLock { state in
            guard let index = state.users[user]?.waiting.firstIndex(where: { $0.id == id }) else { return nil }
            return state.users[user]?.waiting.remove(at: index)
        }
    }

    /// A number that changes with the user's sessions, as long as somebody waits.
    func sessions(of user: UserNumber) -> UInt32 { state.withLock { $0.users[user]?.sessions ?? 0 } }

    /// Ends the waits of a user, some of whose sessions have ended or are locked: each must show its token again.
    public func sessionsChanged(of user: UserNumber) {
        let waiting = state.withLock { state in
            state.users[user]?.sessions += 1
            return takeWaiting(user, &state)
        }
        for wait in waiting { wait.wake() }
    }

    /// Wakes everybody who is in a room and waits.
    public func wake(room: RoomNumber) {
        let waiting = state.withLock { state in
            (state.inRoom[room] ?? []).flatMap { takeWaiting($0, &state) }
        }
        for wait in waiting { wait.wake() }
    }

    private func takeWaiting(_ user: UserNumber, _ state: inout State) -> [Wait] {
        guard let waiting = state.users[user]?.waiting, !waiting.isEmpty else { return [] }
        state.users[user]?.waiting = []
        return waiting
    }

    // MARK: Following the journal

    private func follow(_ entries: ArraySlice<JournalEntry>) {
        var unknown: [UserNumber] = []
        let waiting = state.withLock { state in
            var concerned: Set<UserNumber> = []
            for entry in entries {
                switch entry.change {
                case .event(let event, let subject):
                    if let subject { apply(event, subject, entry.position, &state) }
                    concerned.formUnion(state.inRoom[event.room] ?? [])
                    if let subject { concerned.insert(subject) }
                case .memberships(let room, let users):
                    concerned.formUnion(state.inRoom[room] ?? [])
                    forgetRooms(of: users ?? Array(state.users.keys), room, &state)
                    if let users { concerned.formUnion(users) }
                case .receipt(let receipt):
                    if receipt.type == "m.read" { concerned.formUnion(state.inRoom[receipt.room] ?? []) }
                    concerned.insert(receipt.user)
                case .deviceList(let user), .presence(let user):
                    concerned.insert(user)
                    guard let rooms = state.users[user]?.rooms else {
                        unknown.append(user)
                        continue
                    }
                    for room in rooms.joined { concerned.formUnion(state.inRoom[room] ?? []) }
                case .deviceListView(_, let viewer):
                    concerned.insert(viewer)
                case .accountData, .toDevice, .oneTimeKeys, .threadSubscription:
                    if let user = entry.change.user { concerned.insert(user) }
                }
            }
            return concerned.flatMap { takeWaiting($0, &state) }
        }
        for wait in waiting { wait.wake() }
        for user in unknown {
            Task { [self] in
                // If the database fails now, those who wait look for themselves when their time is up.
                guard let rooms = try? await rooms(of: user) else { return }
                for room in rooms.joined { wake(room: room) }
            }
        }
    }

    /// Users whose memberships have changed otherwise than by an event that is announced: their rooms are loaded anew.
    private func forgetRooms(of users: [UserNumber], _ room: RoomNumber, _ state: inout State) {
        for user in users {
            if state.users[user]?.loading != nil { state.users[user]?.isOutdated = true }
            guard let rooms = state.users[user]?.rooms else { continue }
            for room in rooms.rooms.keys { state.inRoom[room]?.remove(user) }
            state.inRoom[room]?.remove(user)
            state.users[user]?.rooms = nil
        }
    }

    private func apply(_ event: StoredEvent, _ user: UserNumber, _ position: StreamPosition, _ state: inout State) {
        guard state.users[user] != nil, let membership = Membership(of: event.event) else { return }
        let wasForgotten = state.users[user]?.rooms?.rooms[event.room]?.isForgotten ?? false
        let entry = UserRooms.Entry(
            membership: membership, event: event.number, position: position,
            isForgotten: wasForgotten && (membership == .leave || membership == .ban)
        )
        if state.users[user]?.rooms == nil {
            if state.users[user]?.loading != nil { state.users[user]?.early.append((event.room, entry)) }
            return
        }
        state.users[user]?.rooms?.rooms[event.room] = entry
        if membership == .join || membership == .invite {
            state.inRoom[event.room, default: []].insert(user)
        } else {
            state.inRoom[event.room]?.remove(user)
        }
    }
}
