/// Metrics in the text format of Prometheus.
///
/// [Exposition formats](https://prometheus.io/docs/instrumenting/exposition_formats/).
public struct PrometheusText: Sendable {
    /// What has been written.
    public private(set) var text = ""

    /// Nothing.
    public init() {}

    /// Says what the samples that follow are.
    public mutating func header(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    /// A sample of what a header has announced.
    ///
    /// - Parameter labels: Names and values; values are our own, and hold nothing that needs escaping.
    public mutating func sample(_ name: String, _ labels: String = "", _ value: some CustomStringConvertible) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    /// A metric of a single value.
    public mutating func value(_ name: String, _ type: String, _ help: String, _ value: some CustomStringConvertible) {
        header(name, type, help)
        sample(name, "", value)
    }

    mutating func histogram(_ name: String, _ labels: String, _ histogram: RouteMetrics.Histogram) {
        var cumulative: UInt64 = 0
        for (bound, count) in zip(RouteMetrics.boundsMicroseconds, histogram.buckets) {
            cumulative += count
            sample("\(name)_bucket", "\(labels),le=\"\(Double(bound) / 1_000_000)\"", cumulative)
        }
        sample("\(name)_bucket", "\(labels),le=\"+Inf\"", histogram.total)
        sample("\(name)_sum", labels, Double(histogram.sumMicroseconds) / 1_000_000)
        sample("\(name)_count", labels, histogram.total)
    }
}
