/// Writes JSON text, value after value, into a growing buffer of bytes. Commas are its own business.
///
/// The caller keeps the calls balanced: every `beginObject` has its `endObject`, every value in an object its `key`.
public struct JSONWriter: Sendable {
    /// What is written so far.
    public private(set) var bytes: [UInt8]
    private var needsComma = false

    /// A writer whose buffer holds `capacity` bytes before it grows.
    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    /// Opens an object.
    public mutating func beginObject() {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
    }

    /// Closes the innermost object.
    public mutating func endObject() {
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// Opens an array.
    public mutating func beginArray() {
        separate()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
    }

    /// Closes the innermost array.
    public mutating func endArray() {
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Writes a member's name; its value comes next.
    public mutating func key(_ name: String) {
        separate()
        JSONText.appendQuoted(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a member's name that needs no escaping; its value comes next.
    public mutating func rawKey(_ name: StaticString) {
        separate()
        JSONText.appendKey(name, to: &bytes)
        needsComma = false
    }

    /// Writes a member whose name needs no escaping and whose value is the text of one whole JSON value.
    public mutating func rawMember(_ name: StaticString, _ text: some Collection<UInt8>) {
        rawKey(name)
        writeRaw(text)
    }

    /// Writes a string.
    public mutating func write(_ string: String) {
        separate()
        JSONText.appendQuoted(string, to: &bytes)
        needsComma = true
    }

    /// Writes an integer.
    public mutating func write(_ integer: Int64) {
        separate()
        appendDigits(integer)
        needsComma = true
    }

    /// `String(_:)` would take memory for each number, and most events are written with two.
    private mutating func appendDigits(_ integer: Int64) {
        if integer < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = integer.magnitude
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var at = 20
        repeat {
            at -= 1
            digits[at] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        for index in at..<20 { bytes.append(digits[index]) }
    }

    /// Writes an integer.
    public mutating func write(_ integer: Int) { write(Int64(integer)) }

    /// Writes a boolean.
    public mutating func write(_ bool: Bool) {
        separate()
        bytes.append(contentsOf: bool ? Self.trueText : Self.falseText)
        needsComma = true
    }

    /// Writes `null`.
    public mutating func writeNull() {
        separate()
        bytes.append(contentsOf: Self.nullText)
        needsComma = true
    }

    /// Splices a value's text as it is. It must be one whole JSON value.
    public mutating func writeRaw(_ text: some Collection<UInt8>) {
        separate()
        bytes.append(contentsOf: text)
        needsComma = true
    }

    /// Splices a parsed value as received.
    public mutating func write(_ json: JSON) { writeRaw(json.bytes) }

    /// Writes an identifier.
    public mutating func write(_ identifier: some Identifier) { write(identifier.string) }

    /// Writes a tree.
    public mutating func write(_ value: JSONValue) {
        switch value {
        case .null: writeNull()
        case .bool(let bool): write(bool)
        case .integer(let integer): write(integer)
        case .number(let text): writeRaw(Array(text.string.utf8))
        case .string(let string): write(string.string)
        case .array(let elements):
            beginArray()
            for element in elements { write(element) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members {
                key(member.name.string)
                write(member.value)
            }
            endObject()
        }
    }

    /// Writes a member whose value is a string, if there is one.
    public mutating func member(_ name: String, _ string: String?) {
        guard let string else { return }
        key(name)
        write(string)
    }

    /// Writes a member whose value is an integer, if there is one.
    public mutating func member(_ name: String, _ integer: Int64?) {
        guard let integer else { return }
        key(name)
        write(integer)
    }

    /// Writes a member whose value is a boolean, if there is one.
    public mutating func member(_ name: String, _ bool: Bool?) {
        guard let bool else { return }
        key(name)
        write(bool)
    }

    /// Writes a member whose value is a parsed value, if there is one.
    public mutating func member(_ name: String, _ json: JSON?) {
        guard let json else { return }
        key(name)
        write(json)
    }

    /// Writes a member whose value is a tree, if there is one.
    public mutating func member(_ name: String, _ value: JSONValue?) {
        guard let value else { return }
        key(name)
        write(value)
    }

    /// Writes a member whose value is an identifier, if there is one.
    public mutating func member(_ name: String, _ identifier: (some Identifier)?) {
        guard let identifier else { return }
        key(name)
        write(identifier.string)
    }

    private static let trueText = Array("true".utf8)
    private static let falseText = Array("false".utf8)
    private static let nullText = Array("null".utf8)
}
