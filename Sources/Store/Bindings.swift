import Database
import Matrix

extension Number {
    /// The type as which it is bound.
    public static var sqlType: SQLType { .integer }
    /// The value that is bound.
    public var sqlValue: SQLValue { .integer(rawValue) }
}

extension EventNumber: SQLBindable {}
extension StateKeyNumber: SQLBindable {}
extension RoomNumber: SQLBindable {}
extension UserNumber: SQLBindable {}
extension StreamPosition: SQLBindable {}

extension Identifier {
    /// The type as which it is bound.
    public static var sqlType: SQLType { .text }
    /// The value that is bound.
    public var sqlValue: SQLValue { .text(string) }
}

extension UserID: SQLBindable {}
extension RoomID: SQLBindable {}
extension RoomAlias: SQLBindable {}
extension EventID: SQLBindable {}
extension DeviceID: SQLBindable {}
extension ServerName: SQLBindable {}

extension ExactString: SQLBindable {
    /// The type as which it is bound.
    public static var sqlType: SQLType { .text }
    /// The value that is bound.
    public var sqlValue: SQLValue { .text(string) }
}

extension EventType: SQLBindable {
    /// The type as which it is bound.
    public static var sqlType: SQLType { .text }
    /// The value that is bound.
    public var sqlValue: SQLValue { .text(string) }
}

extension Sequence where Element: Number {
    /// The numbers as a list parameter.
    public var sqlList: [Int64] { map(\.rawValue) }
}

extension Row {
    /// A number of type `N`.
    public func number<N: Number>(_ column: Int, as type: N.Type = N.self) throws -> N { N(try int(column)) }

    /// A number of type `N`, or `nil` for NULL.
    public func numberOrNil<N: Number>(_ column: Int, as type: N.Type = N.self) throws -> N? {
        try intOrNil(column).map { N($0) }
    }

    /// An identifier that was checked before it was stored.
    public func identifier<I: Identifier>(_ column: Int, as type: I.Type = I.self) throws -> I {
        let text = try text(column)
        guard let identifier = I(text) else { throw StoreError.inconsistent("stored \(I.self) is malformed: \(text)") }
        return identifier
    }

    /// An identifier that was checked before it was stored, or `nil` for NULL.
    public func identifierOrNil<I: Identifier>(_ column: Int, as type: I.Type = I.self) throws -> I? {
        isNull(column) ? nil : try identifier(column, as: type)
    }
}
