import Homeserver
import Matrix
import Web

extension RequestInput {
    /// For how long an event is to wait before it is sent, in milliseconds; `nil` if it is to be sent now.
    ///
    /// [MSC4140](https://github.com/matrix-org/matrix-spec-proposals/pull/4140)
    func delay() throws -> Int64? { try query("org.matrix.msc4140.delay", as: .milliseconds) }

    /// For how long the event is to stick, in milliseconds; more than an hour is an hour.
    ///
    /// [MSC4354](https://github.com/matrix-org/matrix-spec-proposals/pull/4354)
    func stickyMilliseconds() throws -> Int64? {
        guard let duration = try query("org.matrix.msc4354.sticky_duration_ms", as: .milliseconds) else { return nil }
        guard duration >= 0 else { throw MatrixError.invalidParameter("An event sticks for a number of milliseconds") }
        return min(duration, Event.longestStickyMilliseconds)
    }
}

extension Router {
    /// Serves events that are sent later.
    public func addDelayedEventRoutes(delayed: DelayedEventService, in environment: EndpointEnvironment) {
        add(GetDelayedEvents(delayed: delayed), in: environment)
        add(UpdateDelayedEvent(delayed: delayed), in: environment)
        add(ActOnDelayedEvent(delayed: delayed), in: environment)
    }
}
