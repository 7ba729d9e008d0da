import Matrix

/// The content of an [`m.room.power_levels`](https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels) event, read once.
///
/// A class, so that whoever holds a state can keep the reading beside the event. Values that are malformed count as absent;
/// ``flaw`` is the first of them, for which the event is to be rejected.
public final class PowerLevelContent: Sendable {
    /// A property that stands at the top of the content and holds one level.
    public enum Property: String, Sendable, Hashable, CaseIterable {
        case usersDefault = "users_default"
        case eventsDefault = "events_default"
        case stateDefault = "state_default"
        case ban, redact, kick, invite
    }

    /// Why a content is malformed.
    public enum Flaw: Sendable, Hashable {
        /// The property is no integer.
        case notAnInteger(property: String)
        /// The property is no object.
        case notAnObject(property: String)
        /// An entry of the property is no integer.
        case entryNotAnInteger(property: String, key: String)
        /// A key of `users` is no user ID.
        case invalidUserID(String)
    }

    /// The levels that the content gives to the properties.
    public let properties: [Property: Int64]
    /// Levels by user ID.
    public let users: [ExactString: Int64]
    /// Levels by event type.
    public let events: [ExactString: Int64]
    /// Levels by kind of notification.
    public let notifications: [ExactString: Int64]
    /// The first malformed value.
    public let flaw: Flaw?

    /// Reads the content of a power-levels event by the rules of its room version.
    public convenience init(_ event: Event) {
        self.init(event.content, version: event.version)
    }

    /// Reads the content of a power-levels event of a room of `version`.
    public init(_ content: JSON, version: RoomVersion) {
        var reader = PowerLevelReader(version: version)
        properties = reader.properties(of: content)
        events = reader.entries(of: "events", in: content)
        // Before `notifications` was protected nothing was said about its form either.
        notifications = reader.entries(of: "notifications", in: content, strict: version.limitNotificationsPowerLevels)
        users = reader.entries(of: "users", in: content, keysAreUsers: true)
        flaw = reader.flaw
    }

    /// The level that the content gives to a property.
    public subscript(_ property: Property) -> Int64? { properties[property] }
}

/// Reads levels and remembers the first that is malformed.
private struct PowerLevelReader {
    let version: RoomVersion
    var flaw: PowerLevelContent.Flaw?

    init(version: RoomVersion) { self.version = version }

    mutating func properties(of content: JSON) -> [PowerLevelContent.Property: Int64] {
        var levels: [PowerLevelContent.Property: Int64] = [:]
        for property in PowerLevelContent.Property.allCases {
            guard let value = content[property.rawValue] else { continue }
            // Old rooms hold such events, and all servers took null for the default.
            if value.isNull, !version.integerPowerLevels { continue }
            if let level = level(value) {
                levels[property] = level
            } else {
                note(.notAnInteger(property: property.rawValue))
            }
        }
        return levels
    }

    mutating func entries(
        of property: String, in content: JSON, keysAreUsers: Bool = false, strict: Bool = true
    ) -> [ExactString: Int64] {
        guard let object = content[property] else { return [:] }
        guard object.isObject else {
            if strict { note(.notAnObject(property: property)) }
            return [:]
        }
        var levels: [ExactString: Int64] = [:]
        for (key, value) in object.members {
            if keysAreUsers, UserID(key) == nil { note(.invalidUserID(key)) }
            if let level = level(value) {
                levels[ExactString(key)] = level
            } else if strict {
                note(.entryNotAnInteger(property: property, key: key))
            }
        }
        return levels
    }

    private mutating func note(_ flaw: PowerLevelContent.Flaw) {
        if self.flaw == nil { self.flaw = flaw }
    }

    private func level(_ value: JSON) -> Int64? {
        if let level = value.int { return level }
        if value.kind == .number, !version.strictCanonicalJSON { return Self.truncated(value) }
        if let text = value.string, !version.integerPowerLevels { return Self.integer(text) }
        return nil
    }

    /// The [integer part](https://spec.matrix.org/v1.19/rooms/v1/#mroompower_levels-events-accept-values-as-floats) of a number;
    /// beyond 64 bits the nearest there is.
    private static func truncated(_ value: JSON) -> Int64? {
        guard let number = value.double, number.isFinite else { return nil }
        return Int64(exactly: number.rounded(.towardZero)) ?? (number < 0 ? .min : .max)
    }

    /// The integer that a [text](https://spec.matrix.org/v1.19/rooms/v1/#mroompower_levels-events-accept-values-as-strings) stands
    /// for: white space, perhaps a sign, digits, white space. Beyond 64 bits the nearest there is.
    static func integer(_ text: String) -> Int64? {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var bytes = text.utf8.drop(while: isSpace)
        while let last = bytes.last, isSpace(last) { bytes = bytes.dropLast() }
        let negative = bytes.first == UInt8(ascii: "-")
        if negative || bytes.first == UInt8(ascii: "+") { bytes = bytes.dropFirst() }
        guard !bytes.isEmpty else { return nil }
        var value: Int64 = 0
        var overflow = false
        for byte in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (product, first) = value.multipliedReportingOverflow(by: 10)
            let (sum, second) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            overflow = overflow || first || second
            value = sum
        }
        if overflow { return negative ? .min : .max }
        return negative ? -value : value
    }
}
