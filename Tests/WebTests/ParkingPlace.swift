import Matrix
import Synchronization
import TestSupport

@testable import Web

/// A route, `/parked`, whose requests wait without a task until they are woken.
final class ParkingPlace: ParkedResponse {
    let resumed = Counter()
    let left = Counter()
    private let rounds: Int
    private let wakesAtOnce: Bool
    private let failure: MatrixError?
    private let waiting = Mutex<(@Sendable () -> Void)?>(nil)
    private let latest = Mutex<(@Sendable () -> Void)?>(nil)

    /// - Parameter rounds: How many times a request is parked before it is answered.
    init(rounds: Int, wakesAtOnce: Bool = false, failure: MatrixError? = nil) {
        self.rounds = rounds
        self.wakesAtOnce = wakesAtOnce
        self.failure = failure
    }

    @Sendable func add(to router: Router) {
        router.add(.get("/parked"), options: RouteOptions(isLongPoll: true)) { _ in
            HTTPResponse(body: .parked(self))
        }
    }

    var isOccupied: Bool { waiting.withLock { $0 != nil } }

    /// Wakes who waits, or calls in vain whoever waited last.
    func wake() {
        let wake = waiting.withLock { $0.take() } ?? latest.withLock { $0 }
        wake?()
    }

    func park(_ wake: @escaping @Sendable () -> Void) {
        latest.withLock { $0 = wake }
        if wakesAtOnce { return wake() }
        waiting.withLock { $0 = wake }
    }

    func leave() {
        left.increment()
        waiting.withLock { $0 = nil }
    }

    func resume() async throws -> HTTPResponse {
        if Task.isCancelled { return .text(200, "cancelled") }
        resumed.increment()
        if let failure { throw failure }
        return resumed.value < rounds ? HTTPResponse(body: .parked(self)) : .text(200, "went on")
    }
}
