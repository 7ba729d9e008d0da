import Synchronization

/// What is counted of one route.
final class RouteMetrics: Sendable {
    /// Upper bounds of the latency histogram, in microseconds.
    static let boundsMicroseconds: [Int64] = [
        250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000,
    ]

    /// How long requests took.
    struct Histogram: Sendable {
        var buckets = [UInt64](repeating: 0, count: RouteMetrics.boundsMicroseconds.count + 1)
        var sumMicroseconds: Int64 = 0
        var total: UInt64 = 0

        mutating func add(_ other: Histogram) {
            for index in buckets.indices { buckets[index] += other.buckets[index] }
            sumMicroseconds += other.sumMicroseconds
            total += other.total
        }
    }

    struct Counts: Sendable {
        /// By status: a handful for each route, since they come from our own source.
        var byStatus: [Int: Histogram] = [:]
        /// Requests that have begun.
        var received: UInt64 = 0
        /// Requests whose response is not finished.
        var inFlight = 0

        var all: Histogram { byStatus.values.reduce(into: Histogram()) { $0.add($1) } }

        mutating func add(_ other: Counts) {
            for (status, histogram) in other.byStatus { byStatus[status, default: Histogram()].add(histogram) }
            received += other.received
            inFlight += other.inFlight
        }
    }

    let route: Route
    private let counts = Mutex(Counts())

    init(route: Route) { self.route = route }

    func begin() {
        counts.withLock { counts in
            counts.received += 1
            counts.inFlight += 1
        }
    }

    func end() { counts.withLock { $0.inFlight -= 1 } }

    func record(status: Int, microseconds: Int64) {
        let bucket =
            Self.boundsMicroseconds.firstIndex { microseconds <= $0 } ?? Self.boundsMicroseconds.count
        counts.withLock { counts in
            var histogram = counts.byStatus.removeValue(forKey: status) ?? Histogram()
            histogram.buckets[bucket] += 1
            histogram.sumMicroseconds += microseconds
            histogram.total += 1
            counts.byStatus[status] = histogram
        }
    }

    var snapshot: Counts { counts.withLock { $0 } }
}
