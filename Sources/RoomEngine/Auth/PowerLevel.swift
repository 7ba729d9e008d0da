/// How much a user may do in a room.
public enum PowerLevel: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// A level as `m.room.power_levels` gives it.
    case level(Int64)
    /// Above every level: the creators of a room since
    /// [room version 12](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
    case infinite

    /// The level, for logs.
    public var description: String {
        switch self {
        case .level(let level): String(level)
        case .infinite: "infinite"
        }
    }
}
