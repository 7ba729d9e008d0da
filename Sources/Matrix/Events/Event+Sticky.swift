/// Events that stick for a while: they are told to everybody who is in the room or comes in until then, wherever they stand in its timeline.
///
/// [MSC4354](https://github.com/matrix-org/matrix-spec-proposals/pull/4354)
extension Event {
    /// The longest that an event sticks, in milliseconds: an hour.
    public static let longestStickyMilliseconds: Int64 = 3_600_000

    /// For how long the event sticks, in milliseconds; `nil` if it does not.
    public var stickyMilliseconds: Int64? {
        guard let duration = self[.sticky]?["duration_ms"]?.int, duration > 0 else { return nil }
        return min(duration, Self.longestStickyMilliseconds)
    }

    /// Until when the event sticks, in milliseconds since 1970; `nil` if it does not.
    ///
    /// - Parameter received: When this server got it: who sends an event cannot let it begin later.
    public func sticksUntil(received: Int64) -> Int64? {
        stickyMilliseconds.map { min(originServerTS, received) + $0 }
    }
}
