import Synchronization

/// What the HTTP server counts of itself.
///
/// Counters only grow; gauges are what is at this moment. Everything is bounded by the number of routes.
public final class HTTPMetrics: Sendable {
    private let gauges = Gauges()
    private let routes = Mutex<[RouteMetrics]>([])

    private final class Gauges: Sendable {
        let connections = Atomic<Int>(0)
        let inFlight = Atomic<Int>(0)
        let longPolls = Atomic<Int>(0)
        let refused = Atomic<UInt64>(0)
        let malformed = Atomic<UInt64>(0)
        let timedOut = Atomic<UInt64>(0)
        let abandoned = Atomic<UInt64>(0)
    }

    /// Metrics at zero.
    public init() {}

    /// Open connections.
    public var connections: Int { gauges.connections.load(ordering: .relaxed) }
    /// Requests whose response is not finished, long polls included.
    public var requestsInFlight: Int { gauges.inFlight.load(ordering: .relaxed) }
    /// Requests in flight on routes that wait for something to happen.
    public var longPolls: Int { gauges.longPolls.load(ordering: .relaxed) }

    func register(_ router: Router) {
        var added = router.metrics
        routes.withLock { routes in
            added.removeAll { new in routes.contains { $0 === new } }
            routes += added
        }
    }

    /// Counts a connection, unless there are `limit` already.
    func openConnection(limit: Int) -> Bool {
        if gauges.connections.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        gauges.connections.wrappingSubtract(1, ordering: .relaxed)
        gauges.refused.wrappingAdd(1, ordering: .relaxed)
        return false
    }
    func closeConnection() { gauges.connections.wrappingSubtract(1, ordering: .relaxed) }
    func begin(_ entry: RouteEntry) {
        gauges.inFlight.wrappingAdd(1, ordering: .relaxed)
        if entry.options.isLongPoll { gauges.longPolls.wrappingAdd(1, ordering: .relaxed) }
    }
    func end(_ entry: RouteEntry) {
        gauges.inFlight.wrappingSubtract(1, ordering: .relaxed)
        if entry.options.isLongPoll { gauges.longPolls.wrappingSubtract(1, ordering: .relaxed) }
    }
    func countMalformed() { gauges.malformed.wrappingAdd(1, ordering: .relaxed) }
    func countTimeout() { gauges.timedOut.wrappingAdd(1, ordering: .relaxed) }
    func countAbandoned() { gauges.abandoned.wrappingAdd(1, ordering: .relaxed) }

    /// The metrics in the text format of Prometheus.
    ///
    /// [Exposition formats](https://prometheus.io/docs/instrumenting/exposition_formats/).
    public func prometheusText() -> String {
        var text = PrometheusText()
        text.value("chappe_http_connections", "gauge", "Open connections.", connections)
        text.value(
            "chappe_http_requests_in_flight", "gauge", "Requests whose response is not finished.", requestsInFlight)
        text.value("chappe_http_long_polls", "gauge", "Requests that wait for something to happen.", longPolls)
        text.value(
            "chappe_http_connections_refused_total", "counter", "Connections closed because there were too many.",
            gauges.refused.load(ordering: .relaxed))
        text.value(
            "chappe_http_malformed_total", "counter", "Requests that were not HTTP.",
            gauges.malformed.load(ordering: .relaxed))
        text.value(
            "chappe_http_timeouts_total", "counter", "Connections closed because the client was too slow.",
            gauges.timedOut.load(ordering: .relaxed))
        text.value(
            "chappe_http_abandoned_total", "counter", "Requests whose client went away before the response.",
            gauges.abandoned.load(ordering: .relaxed))
        let routes = routes.withLock { $0 }.map { ($0.route, $0.snapshot) }.filter { $0.1.total > 0 }
        text.requests(routes)
        text.durations(routes)
        return text.text
    }
}

private struct PrometheusText {
    var text = ""

    mutating func header(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func value(_ name: String, _ type: String, _ help: String, _ value: some BinaryInteger) {
        header(name, type, help)
        text += "\(name) \(value)\n"
    }

    mutating func requests(_ routes: [(Route, RouteMetrics.Counts)]) {
        let name = "chappe_http_requests_total"
        header(name, "counter", "Requests by route and class of status.")
        for (route, counts) in routes {
            let classes = counts.byClass
            let named = [
                ("1xx", classes.0), ("2xx", classes.1), ("3xx", classes.2), ("4xx", classes.3), ("5xx", classes.4),
            ]
            for (label, count) in named where count > 0 {
                text += "\(name){\(Self.labels(route)),status=\"\(label)\"} \(count)\n"
            }
        }
    }

    mutating func durations(_ routes: [(Route, RouteMetrics.Counts)]) {
        let name = "chappe_http_request_duration_seconds"
        header(name, "histogram", "Time from the end of the head to the end of the response.")
        for (route, counts) in routes {
            let labels = Self.labels(route)
            var cumulative: UInt64 = 0
            for (bound, count) in zip(RouteMetrics.boundsMicroseconds, counts.buckets) {
                cumulative += count
                text += "\(name)_bucket{\(labels),le=\"\(Double(bound) / 1_000_000)\"} \(cumulative)\n"
            }
            text += "\(name)_bucket{\(labels),le=\"+Inf\"} \(counts.total)\n"
            text += "\(name)_sum{\(labels)} \(Double(counts.sumMicroseconds) / 1_000_000)\n"
            text += "\(name)_count{\(labels)} \(counts.total)\n"
        }
    }

    /// Patterns come from our own source and hold nothing that needs escaping.
    private static func labels(_ route: Route) -> String {
        "method=\"\(route.method.rawValue)\",route=\"\(route.pattern)\""
    }
}
