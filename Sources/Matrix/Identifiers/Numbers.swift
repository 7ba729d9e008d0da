/// Numbers that stand for identifiers inside this server: eight bytes instead of forty, and five times faster to look up.
///
/// The store gives them out and is alone in knowing which identifier is behind one. They never leave the server.
public protocol Number: RawRepresentable<Int64>, Hashable, Comparable, Sendable, CustomStringConvertible {
    init(rawValue: Int64)
}

extension Number {
    /// Whether `left` is the smaller number.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    /// The digits.
    public var description: String { String(rawValue) }
    /// The number of that value.
    public init(_ value: Int64) { self.init(rawValue: value) }
}

/// Stands for an event.
public struct EventNumber: Number {
    /// The number.
    public let rawValue: Int64
    /// The one of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Stands for a type and a state key.
public struct StateKeyNumber: Number {
    /// The number.
    public let rawValue: Int64
    /// The one of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Stands for a room.
public struct RoomNumber: Number {
    /// The number.
    public let rawValue: Int64
    /// The one of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Stands for a user, of this server or another.
public struct UserNumber: Number {
    /// The number.
    public let rawValue: Int64
    /// The one of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A place in the journal: everything that changed at or before it has happened. Sync tokens are made of it.
public struct StreamPosition: Number {
    /// The number.
    public let rawValue: Int64
    /// The one of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
}
