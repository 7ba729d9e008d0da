import Matrix
import Store
import Synchronization

/// A `/sync` that has nothing to say yet: all that a server keeps of a client which waits.
public final class SyncWait: Sendable {
    private let service: SyncService
    private let request: SyncRequest
    private let since: SyncToken
    private let deadline: Int64
    private let id: UInt64
    /// The alarm's tick, once there is one.
    private let due = Atomic<Int64>(0)

    init(_ service: SyncService, _ request: SyncRequest, since: SyncToken, deadline: Int64) {
        self.service = service
        self.request = request
        self.since = since
        self.deadline = deadline
        id = service.activeUsers.newWaitID()
    }

    /// Has `wake` called once when something has happened that may concern the user, or the time is up: from any thread, also
    /// during this call.
    public func park(_ wake: @escaping @Sendable () -> Void) {
        let user = request.user.number
        due.store(service.alarms.set(user, id: id, at: deadline), ordering: .relaxed)
        service.activeUsers.wait(user, id: id, wake) { service.hasChanged(since: since) }
    }

    /// Gives the wait up.
    public func leave() {
        service.activeUsers.leave(request.user.number, id: id)
        service.alarms.cancel(id: id, due: due.load(ordering: .relaxed))
    }

    /// Looks again.
    public func resume() async throws -> SyncAnswer {
        service.alarms.cancel(id: id, due: due.load(ordering: .relaxed))
        return try await service.answer(request, since: since, deadline: deadline)
    }
}
