import Synchronization

/// What is counted of one route.
final class RouteMetrics: Sendable {
    /// Upper bounds of the latency histogram, in microseconds.
    static let boundsMicroseconds: [Int64] = [
        250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000,
    ]

    struct Counts: Sendable {
        /// Responses by the first digit of their status, 1 to 5.
        var byClass: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
        var buckets = [UInt64](repeating: 0, count: RouteMetrics.boundsMicroseconds.count + 1)
        var sumMicroseconds: Int64 = 0
        var total: UInt64 = 0
    }

    let route: Route
    private let counts = Mutex(Counts())

    init(route: Route) { self.route = route }

    func record(status: Int, microseconds: Int64) {
        let bucket =
            Self.boundsMicroseconds.firstIndex { microseconds <= $0 } ?? Self.boundsMicroseconds.count
        counts.withLock { counts in
            switch status / 100 {
            case 1: counts.byClass.0 += 1
            case 2: counts.byClass.1 += 1
            case 3: counts.byClass.2 += 1
            case 4: counts.byClass.3 += 1
            default: counts.byClass.4 += 1
            }
            counts.buckets[bucket] += 1
            counts.sumMicroseconds += microseconds
            counts.total += 1
        }
    }

    var snapshot: Counts { counts.withLock { $0 } }
}
