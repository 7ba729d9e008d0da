import Matrix
import Store
import Synchronization

/// What a client asks of `/sync`.
///
/// [GET /sync](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync). An object, like its filter: most of them wait.
public final class SyncRequest: Sendable {
    /// Who asks.
    public let user: Requester
    /// Where the last answer ended; `nil` for everything.
    public let since: SyncToken?
    /// What to leave out.
    public let filter: Filter
    /// Whether to send the whole state of every joined room.
    public let fullState: Bool
    /// Whether to send the state after the timeline in place of the one before it.
    public let useStateAfter: Bool
    /// How long to wait for something to happen, in milliseconds.
    public let timeoutMilliseconds: Int64
    /// What presence the client shows.
    public let presence: String

    /// A request.
    public init(
        user: Requester, since: SyncToken? = nil, filter: Filter = .all, fullState: Bool = false,
        useStateAfter: Bool = false,
        timeoutMilliseconds: Int64 = 0, presence: String = "online"
    ) {
        self.user = user
        self.since = since
        self.filter = filter
        self.fullState = fullState
        self.useStateAfter = useStateAfter
        self.timeoutMilliseconds = timeoutMilliseconds
        self.presence = presence
    }
}

/// Answers `/sync`.
public final class SyncService: Sendable {
    let store: Store
    let rooms: RoomService
    let activeUsers: ActiveUsers
    let users: any SyncUserSource
    let devices: any SyncDeviceSource
    let typing: any SyncTypingSource
    let presence: (any SyncPresenceSource)?
    let clock: any Clock
    let lazyMembers = LazyMembers()
    private let alarms: Alarms

    /// The longest a request waits, in milliseconds.
    private static let longestWait: Int64 = 120_000

    /// - Parameters:
    ///   - store: The store.
    ///   - rooms: The rooms.
    ///   - activeUsers: Who waits, and what wakes them.
    ///   - users: What belongs to users.
    ///   - devices: What belongs to devices.
    ///   - typing: Who is typing.
    ///   - presence: Who is there; `nil` where presence is switched off.
    public init(
        store: Store, rooms: RoomService, activeUsers: ActiveUsers, users: any SyncUserSource,
        devices: any SyncDeviceSource,
        typing: any SyncTypingSource, presence: (any SyncPresenceSource)?, clock: any Clock
    ) {
        self.store = store
        self.rooms = rooms
        self.activeUsers = activeUsers
        self.users = users
        self.devices = devices
        self.typing = typing
        self.presence = presence
        self.clock = clock
        alarms = Alarms(activeUsers: activeUsers, clock: clock)
    }

    /// The response's body: as soon as there is something to say, or the time is up.
    public func sync(_ request: SyncRequest) async throws -> [UInt8] {
        if let presence { await presence.seen(request.user, as: request.presence) }
        if let since = request.since, let device = request.user.device {
            try await devices.acknowledge(request.user.number, device, through: since.message)
        }
        guard let given = request.since, !request.fullState else { return try await initialResponse(request) }
        // A token from after the journal's end is of a database that has been restored since: there is nothing after it.
        let end = store.journal.end
        var since = given.position > end ? SyncToken(end, typing: given.typing) : given
        let wait = min(request.timeoutMilliseconds, Self.longestWait)
        let deadline = clock.now + wait
        while true {
            let (body, next) = try await incrementalResponse(request, since: since)
            if let body { return body }
            // Nothing before `next` concerns the user: the next look begins there.
            since = next
            if wait <= 0 || clock.now >= deadline || Task.isCancelled {
                return try await emptyResponse(request, next: next)
            }
            await waitForChange(request.user.number, after: next, until: deadline)
        }
    }

    private func emptyResponse(_ request: SyncRequest, next: SyncToken) async throws -> [UInt8] {
        var response = SyncResponse(next: next)
        if let device = request.user.device {
            response.keyCounts = try await devices.keyCounts(of: request.user.number, device)
        }
        return try await response.write(request, store: store, now: clock.now)
    }

    func waitForChange(_ user: UserNumber, after end: SyncToken, until deadline: Int64) async {
        let id = activeUsers.newWaitID()
        alarms.set(user, id: id, inMilliseconds: deadline - clock.now)
        let store = store
        let typing = typing
        await activeUsers.wait(user, id: id) { store.journal.end > end.position || typing.serial > end.typing }
        alarms.cancel(id: id)
    }
}

/// Ends waits when their time is up: one sleeping task for all of them, where a task each would cost more memory than the rest
/// of a waiting request.
final class Alarms: Sendable {
    private struct State {
        /// Waits by the second in which they end.
        var bySecond: [Int64: [UInt64: UserNumber]] = [:]
        var seconds: [UInt64: Int64] = [:]
        var isRunning = false
    }

    private let state = Mutex(State())
    private let activeUsers: ActiveUsers
    private let clock: any Clock

    init(activeUsers: ActiveUsers, clock: any Clock) {
        self.activeUsers = activeUsers
        self.clock = clock
    }

    /// A quarter of a second, in which waits are ended together.
    private static let tickMilliseconds: Int64 = 250

    private var tick: Int64 { clock.now / Self.tickMilliseconds }

    func set(_ user: UserNumber, id: UInt64, inMilliseconds: Int64) {
        let due = tick + max(1, (inMilliseconds + Self.tickMilliseconds - 1) / Self.tickMilliseconds)
        let mustStart = state.withLock { state in
            state.bySecond[due, default: [:]][id] = user
            state.seconds[id] = due
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { Task { await run() } }
    }

    func cancel(id: UInt64) {
        state.withLock { state in
            guard let due = state.seconds.removeValue(forKey: id) else { return }
            state.bySecond[due]?[id] = nil
            if state.bySecond[due]?.isEmpty ?? false { state.bySecond[due] = nil }
        }
    }

    private func run() async {
        while true {
            try? await Task.sleep(for: .milliseconds(Self.tickMilliseconds))
            let now = tick
            let due = state.withLock { state -> [(UInt64, UserNumber)]? in
                if state.bySecond.isEmpty {
                    state.isRunning = false
                    return nil
                }
                var due: [(UInt64, UserNumber)] = []
                for second in state.bySecond.keys where second <= now {
                    for (id, user) in state.bySecond.removeValue(forKey: second) ?? [:] {
                        state.seconds[id] = nil
                        due.append((id, user))
                    }
                }
                return due
            }
            guard let due else { return }
            for (id, user) in due { activeUsers.end(user, id: id) }
        }
    }
}
