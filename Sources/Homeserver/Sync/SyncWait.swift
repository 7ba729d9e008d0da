import Matrix
import Store
import Synchronization

/// A request that has nothing to say yet: all that a server keeps of a client which waits.
public final class SyncWait: Sendable {
    private let service: SyncService
    private let user: UserNumber
    private let since: SyncToken
    private let deadline: Int64
    private let look: @Sendable (_ isLast: Bool) async throws -> SyncAnswer
    private let id: UInt64
    private let sessions: UInt32
    /// The alarm's tick, once there is one.
    private let due = Atomic<Int64>(0)

    /// - Parameters:
    ///   - service: Knows what happens.
    ///   - user: Whom it must concern.
    ///   - since: What has been looked at.
    ///   - deadline: Until when to wait, in milliseconds since 1970.
    ///   - look: Looks again; for the last time if the user's sessions have changed: then an answer must come of it.
    init(
        _ service: SyncService, _ user: UserNumber, since: SyncToken, deadline: Int64,
        look: @escaping @Sendable (_ isLast: Bool) async throws -> SyncAnswer
    ) {
        self.service = service
        self.user = user
        self.since = since
        self.deadline = deadline
        self.look = look
        id = service.activeUsers.newWaitID()
        sessions = service.activeUsers.sessions(of: user)
    }

    /// Has `wake` called once when something has happened that may concern the user, or the time is up: from any thread, also
    /// during this call.
    public func park(_ wake: @escaping @Sendable () -> Void) {
        due.store(service.alarms.set(user, id: id, at: deadline), ordering: .relaxed)
        service.activeUsers.wait(user, id: id, wake) {
            service.hasChanged(since: since) || service.activeUsers.sessions(of: user) != sessions
        }
    }

    /// Gives the wait up.
    public func leave() {
        service.activeUsers.leave(user, id: id)
        service.alarms.cancel(id: id, due: due.load(ordering: .relaxed))
    }

    /// Looks again. If a session of the user has ended or was locked meanwhile, it may be this one: then nothing more is told, and
    /// the client comes back with its token.
    public func resume() async throws -> SyncAnswer {
        service.alarms.cancel(id: id, due: due.load(ordering: .relaxed))
        return try await look(service.activeUsers.sessions(of: user) != sessions)
    }
}
