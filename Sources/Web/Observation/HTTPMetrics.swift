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
        entry.metrics.begin()
    }
    func end(_ entry: RouteEntry) {
        gauges.inFlight.wrappingSubtract(1, ordering: .relaxed)
        if entry.options.isLongPoll { gauges.longPolls.wrappingSubtract(1, ordering: .relaxed) }
        entry.metrics.end()
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
        // A route may be on several listeners; a sample must not come twice.
        var counts: [Route: RouteMetrics.Counts] = [:]
        for metrics in routes.withLock({ $0 }) { counts[metrics.route, default: .init()].add(metrics.snapshot) }
        let routes = counts.filter { $0.value.received > 0 }.map { (route: $0.key, counts: $0.value) }
            .sorted { ($0.route.pattern, $0.route.method.rawValue) < ($1.route.pattern, $1.route.method.rawValue) }
        text.requests(routes)
        text.underKnownNames(routes)
        return text.text
    }
}

extension PrometheusText {
    fileprivate mutating func requests(_ routes: [(route: Route, counts: RouteMetrics.Counts)]) {
        let name = "chappe_http_requests_total"
        header(name, "counter", "Requests by route and class of status.")
        for (route, counts) in routes {
            for group in 1...5 {
                let count = counts.byStatus.reduce(0) { $1.key / 100 == group ? $0 + $1.value.total : $0 }
                if count > 0 { sample(name, "\(Self.labels(route)),status=\"\(group)xx\"", count) }
            }
        }
        let duration = "chappe_http_request_duration_seconds"
        header(duration, "histogram", "Time from the end of the head to the end of the response.")
        for (route, counts) in routes { histogram(duration, Self.labels(route), counts.all) }
    }

    /// The same under the names that those who know Synapse's dashboards look for. `servlet` is the route's pattern, there the name of
    /// what serves it; `tag` is empty.
    fileprivate mutating func underKnownNames(_ routes: [(route: Route, counts: RouteMetrics.Counts)]) {
        let received = "synapse_http_server_requests_received_total"
        header(received, "counter", "Requests received.")
        for (route, counts) in routes { sample(received, Self.servlet(route), counts.received) }
        let inFlight = "synapse_http_server_in_flight_requests_count"
        header(inFlight, "gauge", "Requests whose response is not finished.")
        for (route, counts) in routes { sample(inFlight, Self.servlet(route), counts.inFlight) }
        let served = "synapse_http_server_response_count_total"
        header(served, "counter", "Responses sent.")
        for (route, counts) in routes { sample(served, "\(Self.servlet(route)),tag=\"\"", counts.all.total) }
        let responses = "synapse_http_server_responses_total"
        header(responses, "counter", "Responses sent, by status.")
        var byStatus: [String: [Int: UInt64]] = [:]
        for (route, counts) in routes {
            for (status, histogram) in counts.byStatus {
                byStatus[route.method.rawValue, default: [:]][status, default: 0] += histogram.total
            }
        }
        for (method, counts) in byStatus.sorted(by: { $0.key < $1.key }) {
            for (status, count) in counts.sorted(by: { $0.key < $1.key }) {
                sample(responses, "method=\"\(method)\",code=\"\(status)\"", count)
            }
        }
        let duration = "synapse_http_server_response_time_seconds"
        header(duration, "histogram", "Time from the end of the head to the end of the response.")
        for (route, counts) in routes {
            for (status, histogram) in counts.byStatus.sorted(by: { $0.key < $1.key }) {
                self.histogram(duration, "\(Self.servlet(route)),tag=\"\",code=\"\(status)\"", histogram)
            }
        }
    }

    /// Patterns come from our own source and hold nothing that needs escaping.
    private static func labels(_ route: Route) -> String {
        "method=\"\(route.method.rawValue)\",route=\"\(route.pattern)\""
    }

    private static func servlet(_ route: Route) -> String {
        "method=\"\(route.method.rawValue)\",servlet=\"\(route.pattern)\""
    }
}
