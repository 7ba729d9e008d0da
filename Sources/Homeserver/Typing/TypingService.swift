import Matrix
import Store
import Synchronization

/// Who is typing where. Kept in memory only: after a restart nobody types.
///
/// Every change has a serial number, which is part of sync tokens. Numbers begin at the time of the start, so that they go on
/// growing over restarts.
///
/// [Typing notifications](https://spec.matrix.org/v1.19/client-server-api/#typing-notifications).
public final class TypingService: Sendable {
    /// The longest time that a client may ask for, in milliseconds.
    public static let maximumTimeoutMilliseconds: Int64 = 120_000
    /// The time that counts if a client asks for none, in milliseconds.
    public static let defaultTimeoutMilliseconds: Int64 = 30_000
    /// How many users can type in one room at once; more are not shown.
    public static let maximumTypists = 100
    /// How many users of other servers can type in one room at once; what is more is left for those of this server.
    public static let maximumRemoteTypists = 50
    /// For how long it holds what another server has said once, in milliseconds: servers say it again every 40 seconds or so.
    public static let remoteTimeoutMilliseconds: Int64 = 60_000
    /// How many rooms are remembered after the last one stopped typing there, for clients that have not heard of it.
    public static let maximumQuietRooms = 10_000

    private struct Room {
        /// Until when, in the clock's milliseconds.
        var typists: [UserID: Int64] = [:]
        var serial: Int64
    }

    private struct State {
        var rooms: [RoomNumber: Room] = [:]
        var serial: Int64
        /// When the next call back is due, in the clock's milliseconds; `nil` if none has been asked for.
        var wakeUp: Int64?
        var quietRooms = 0
    }

    private let state: Mutex<State>
    private let listeners = Mutex<[@Sendable (RoomNumber) -> Void]>([])
    private let store: Store
    private let clock: any Clock
    private let scheduler: any Scheduler

    /// A service in whose rooms nobody types.
    public init(store: Store, clock: any Clock, scheduler: any Scheduler) {
        self.store = store
        self.clock = clock
        self.scheduler = scheduler
        state = Mutex(State(serial: clock.now))
    }

    /// The serial number of the last change: what a new sync token says.
    public var serial: Int64 { state.withLock { $0.serial } }

    /// Calls `listener` whenever someone starts or stops typing in a room. It must be quick.
    public func listen(_ listener: @escaping @Sendable (RoomNumber) -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    /// Says that a user of this server is typing, or no longer.
    ///
    /// - Throws: 403 `M_FORBIDDEN` if the user is not in the room.
    public func set(
        _ isTyping: Bool, _ user: UserID, in room: RoomID,
        timeoutMilliseconds: Int64 = TypingService.defaultTimeoutMilliseconds
    ) async throws {
        let userNumber = try await store.intern(user)
        guard let room = try await store.number(of: room),
            try await store.read({ try $0.memberships.membership(of: userNumber, in: room)?.membership }) == .join
        else { throw MatrixError.forbidden("You are not in this room") }
        if store.shadowBannedUsers.contains(user) { return }
        set(isTyping, user, in: room, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Takes in that a user of another server is typing, or no longer; ignored unless the user is in the room.
    public func receive(_ isTyping: Bool, _ user: UserID, in room: RoomNumber) async throws {
        let membership = try await store.read { reader -> Membership? in
            guard let number = try reader.identifiers.number(of: user) else { return nil }
            return try reader.memberships.membership(of: number, in: room)?.membership
        }
        guard membership == .join else { return }
        set(
            isTyping, user, in: room, timeoutMilliseconds: Self.remoteTimeoutMilliseconds,
            limit: Self.maximumRemoteTypists)
    }

    /// Says that a user is typing, or no longer.
    ///
    /// - Parameters:
    ///   - timeoutMilliseconds: For how long it holds unless said again; at most ``maximumTimeoutMilliseconds``.
    ///   - limit: If so many type there already, one more is not shown.
    /// - Returns: Whether others are told: saying again what they know already tells them nothing.
    @discardableResult
    public func set(
        _ isTyping: Bool, _ user: UserID, in room: RoomNumber,
        timeoutMilliseconds: Int64 = TypingService.defaultTimeoutMilliseconds,
        limit: Int = TypingService.maximumTypists
    ) -> Bool {
        let now = clock.now
        let timeout = min(max(timeoutMilliseconds, 0), Self.maximumTimeoutMilliseconds)
        let (changed, deadline) = state.withLock { state -> (Bool, Int64?) in
            var changed = false
            if isTyping {
                let typists = state.rooms[room]?.typists ?? [:]
                if typists[user] == nil {
                    guard typists.count < limit else { return (false, nil) }
                    changed = true
                }
                Self.update(room, &state, announce: changed) { $0[user] = now + timeout }
            } else if state.rooms[room]?.typists[user] != nil {
                Self.update(room, &state, announce: true) { $0[user] = nil }
                changed = true
            }
            guard isTyping else { return (changed, nil) }
            return (changed, Self.askForWakeUp(at: now + timeout, &state))
        }
        if let deadline { wake(at: deadline, now: now) }
        if changed { tell([room]) }
        return changed
    }

    /// Who is typing in a room, in a fixed order.
    public func typists(in room: RoomNumber) -> [UserID] {
        state.withLock { $0.rooms[room]?.typists.keys.sorted() ?? [] }
    }

    /// The rooms, among `rooms`, where someone started or stopped typing after a serial number.
    public func changed(_ rooms: [RoomNumber], after serial: Int64) -> [RoomNumber] {
        state.withLock { state in
            guard serial < state.serial else { return [] }
            return rooms.filter { (state.rooms[$0]?.serial ?? .min) > serial }
        }
    }

    /// The content of a room's `m.typing`.
    public func content(of room: RoomNumber) -> JSONValue {
        ["user_ids": .array(typists(in: room).map { .string($0.string) })]
    }

    // MARK: -

    private static func update(
        _ number: RoomNumber, _ state: inout State, announce: Bool, _ change: (inout [UserID: Int64]) -> Void
    ) {
        var room = state.rooms[number] ?? Room(serial: state.serial)
        if state.rooms[number] != nil, room.typists.isEmpty { state.quietRooms -= 1 }
        change(&room.typists)
        if announce {
            state.serial += 1
            room.serial = state.serial
        }
        if room.typists.isEmpty { state.quietRooms += 1 }
        state.rooms[number] = room
        if state.quietRooms > maximumQuietRooms { forgetQuietRooms(&state) }
    }

    /// Forgets the older half of the rooms where nobody types.
    private static func forgetQuietRooms(_ state: inout State) {
        let quiet = state.rooms.filter { $0.value.typists.isEmpty }.sorted { $0.value.serial < $1.value.serial }
        for (room, _) in quiet.prefix(quiet.count / 2 + 1) { state.rooms[room] = nil }
        state.quietRooms = quiet.count - quiet.count / 2 - 1
    }

    /// The time to ask a call back for, if one is needed before the one that is due.
    private static func askForWakeUp(at deadline: Int64, _ state: inout State) -> Int64? {
        guard deadline < state.wakeUp ?? .max else { return nil }
        state.wakeUp = deadline
        return deadline
    }

    private func wake(at deadline: Int64, now: Int64) {
        scheduler.after(milliseconds: max(0, deadline - now)) { [weak self] in self?.expire(deadline) }
    }

    private func expire(_ deadline: Int64) {
        let now = clock.now
        let (rooms, next) = state.withLock { state -> ([RoomNumber], Int64?) in
            // One that an earlier one has taken the place of has nothing left to do.
            guard state.wakeUp == deadline else { return ([], nil) }
            let over = state.rooms.filter { $0.value.typists.values.contains { $0 <= now } }.map(\.key).sorted()
            for room in over {
                Self.update(room, &state, announce: true) { typists in typists = typists.filter { $0.value > now } }
            }
            state.wakeUp = nil
            let earliest = state.rooms.lazy.flatMap { $0.value.typists.values }.min()
            return (over, earliest.flatMap { Self.askForWakeUp(at: $0, &state) })
        }
        if let next { wake(at: next, now: now) }
        tell(rooms)
    }

    private func tell(_ rooms: [RoomNumber]) {
        guard !rooms.isEmpty else { return }
        for listener in listeners.withLock({ $0 }) { for room in rooms { listener(room) } }
    }
}
