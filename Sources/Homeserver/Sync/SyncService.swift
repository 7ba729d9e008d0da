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

/// What comes of a request, to `/sync` or to sliding sync.
public enum SyncAnswer: Sendable {
    /// The response's body.
    case body([UInt8])
    /// There is nothing to say yet.
    case waiting(SyncWait)
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
    let alarms: Alarms

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

    /// The response, or what to wait for until there is something to say.
    public func sync(_ request: SyncRequest) async throws -> SyncAnswer {
        if let presence { await presence.seen(request.user, as: request.presence) }
        if let since = request.since, let device = request.user.device {
            try await devices.acknowledge(request.user.number, device, through: since.message)
        }
        guard let given = request.since, !request.fullState else {
            return .body(try await repeatingWhenRoomsGo { try await initialResponse(request) })
        }
        // A token from after the journal's end is of a database that has been restored since: there is nothing after it.
        let end = store.journal.end
        let since = given.position > end ? SyncToken(end, typing: given.typing) : given
        let wait = min(request.timeoutMilliseconds, Self.longestWait)
        return try await answer(request, since: since, deadline: clock.now + wait)
    }

    /// Looks for what has happened since a token, and waits for something if nothing has and there is time left.
    func answer(_ request: SyncRequest, since: SyncToken, deadline: Int64) async throws -> SyncAnswer {
        let (body, next) = try await repeatingWhenRoomsGo { try await incrementalResponse(request, since: since) }
        if let body { return .body(body) }
        if clock.now >= deadline || Task.isCancelled { return .body(try await emptyResponse(request, next: next)) }
        // Nothing before `next` concerns the user: the next look begins there.
        return .waiting(
            SyncWait(self, request.user.number, since: next, deadline: deadline) { isLast in
                if isLast { return .body(try await self.emptyResponse(request, next: next)) }
                return try await self.answer(request, since: next, deadline: deadline)
            })
    }

    /// Looks, and once more if that failed while a room was removed that may have been looked at.
    func repeatingWhenRoomsGo<T>(_ look: () async throws -> T) async throws -> T {
        let gone = store.goneRooms
        do { return try await look() } catch  where store.goneRooms != gone { return try await look() }
    }

    private func emptyResponse(_ request: SyncRequest, next: SyncToken) async throws -> [UInt8] {
        var response = SyncResponse(next: next)
        if let device = request.user.device {
            response.keyCounts = try await devices.keyCounts(of: request.user.number, device)
        }
        return try await response.write(request, store: store, now: clock.now)
    }

    /// Waits, in a task, until something happens that concerns a user.
    func waitForChange(_ user: UserNumber, after end: SyncToken, until deadline: Int64) async {
        let id = activeUsers.newWaitID()
        let due = alarms.set(user, id: id, at: deadline)
        await activeUsers.wait(user, id: id) { self.hasChanged(since: end) }
        alarms.cancel(id: id, due: due)
    }

    func hasChanged(since end: SyncToken) -> Bool {
        store.journal.end > end.position || typing.serial > end.typing
    }
}
