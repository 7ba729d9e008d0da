/// The types a parameter can have, also when it is null.
public enum SQLType: Sendable {
    /// A 64-bit integer.
    case integer
    /// Unicode text.
    case text
    /// Bytes.
    case blob
    /// A list of integers, for `list($n)`.
    case integerList
    /// A list of texts, for `textlist($n)`.
    case textList
}

/// A parameter as the engines take it.
public enum SQLValue: Sendable {
    /// Null; PostgreSQL still wants to know of what.
    case null(SQLType)
    /// A 64-bit integer.
    case integer(Int64)
    /// Text without NUL: PostgreSQL cannot store it, so both engines refuse it.
    case text(String)
    /// Text that is already valid UTF-8, without NUL.
    case utf8([UInt8])
    /// Bytes.
    case blob([UInt8])
    /// A part of some bytes.
    case blobSlice(ArraySlice<UInt8>)
    /// Integers, for `list($n)`.
    case integers([Int64])
    /// Texts without NUL, for `textlist($n)`.
    case texts([String])

    /// The type, which is the same for every value of one Swift type.
    var type: SQLType {
        switch self {
        case .null(let type): type
        case .integer: .integer
        case .text, .utf8: .text
        case .blob, .blobSlice: .blob
        case .integers: .integerList
        case .texts: .textList
        }
    }
}

/// What can be given as a parameter. Identifier types conform by returning their text or number.
public protocol SQLBindable {
    /// The type of every value of this Swift type.
    static var sqlType: SQLType { get }
    /// The value to bind.
    var sqlValue: SQLValue { get }
}

extension Int64: SQLBindable {
    /// Always an integer.
    public static var sqlType: SQLType { .integer }
    /// The integer.
    public var sqlValue: SQLValue { .integer(self) }
}

extension Int: SQLBindable {
    /// Always an integer.
    public static var sqlType: SQLType { .integer }
    /// The integer.
    public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension Int32: SQLBindable {
    /// Always an integer.
    public static var sqlType: SQLType { .integer }
    /// The integer.
    public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension Bool: SQLBindable {
    /// Always an integer: the schema has no booleans.
    public static var sqlType: SQLType { .integer }
    /// 0 or 1.
    public var sqlValue: SQLValue { .integer(self ? 1 : 0) }
}

extension String: SQLBindable {
    /// Always text.
    public static var sqlType: SQLType { .text }
    /// The text.
    public var sqlValue: SQLValue { .text(self) }
}

extension Array: SQLBindable where Element: SQLListElement {
    /// A blob for bytes, else a list.
    public static var sqlType: SQLType { Element.sqlArrayType }
    /// The bytes or the list.
    public var sqlValue: SQLValue { Element.sqlArrayValue(self) }
}

extension ArraySlice: SQLBindable where Element == UInt8 {
    /// Always a blob.
    public static var sqlType: SQLType { .blob }
    /// The bytes.
    public var sqlValue: SQLValue { .blobSlice(self) }
}

extension Optional: SQLBindable where Wrapped: SQLBindable {
    /// The type of what is wrapped.
    public static var sqlType: SQLType { Wrapped.sqlType }
    /// The value, or a null of its type.
    public var sqlValue: SQLValue {
        switch self {
        case .some(let wrapped): wrapped.sqlValue
        case .none: .null(Wrapped.sqlType)
        }
    }
}

extension SQLValue: SQLBindable {
    /// Never asked for: the value itself knows its type.
    public static var sqlType: SQLType { .text }
    /// Itself.
    public var sqlValue: SQLValue { self }
}

/// What an array given as a parameter may hold.
public protocol SQLListElement {
    /// The type of an array of these.
    static var sqlArrayType: SQLType { get }
    /// The array as a parameter.
    static func sqlArrayValue(_ array: [Self]) -> SQLValue
}

extension UInt8: SQLListElement {
    /// Bytes are a blob.
    public static var sqlArrayType: SQLType { .blob }
    /// The bytes.
    public static func sqlArrayValue(_ array: [UInt8]) -> SQLValue { .blob(array) }
}

extension Int64: SQLListElement {
    /// A list of integers.
    public static var sqlArrayType: SQLType { .integerList }
    /// The list.
    public static func sqlArrayValue(_ array: [Int64]) -> SQLValue { .integers(array) }
}

extension Int: SQLListElement {
    /// A list of integers.
    public static var sqlArrayType: SQLType { .integerList }
    /// The list.
    public static func sqlArrayValue(_ array: [Int]) -> SQLValue { .integers(array.map(Int64.init)) }
}

extension String: SQLListElement {
    /// A list of texts.
    public static var sqlArrayType: SQLType { .textList }
    /// The list.
    public static func sqlArrayValue(_ array: [String]) -> SQLValue { .texts(array) }
}
