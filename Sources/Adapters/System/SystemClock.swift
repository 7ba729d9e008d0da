import Homeserver

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The system's clock.
public struct SystemClock: Homeserver.Clock {
    /// The clock.
    public init() {}

    /// The time, in milliseconds since 1970-01-01 UTC.
    public var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
