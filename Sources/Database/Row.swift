/// The engine's side of the current row of a result.
class RowCursor {
    /// An integer, or nil for null.
    func integer(_ column: Int) throws -> Int64? { nil }
    /// Bytes of a blob or UTF-8 of a text, valid during the call; nil for null.
    func withBytes<R>(_ column: Int, _ kind: SQLType, _ body: (UnsafeRawBufferPointer?) throws -> R) throws -> R {
        try body(nil)
    }
    func isNull(_ column: Int) -> Bool { true }
}

/// One row of a result, valid only inside the closure that it is given to. Columns count from 0.
///
/// Every accessor throws ``DatabaseError/typeMismatch(column:expected:found:)`` when the column holds something else.
public struct Row {
    let cursor: RowCursor

    /// An integer (or a boolean of PostgreSQL, as 0 or 1).
    public func int(_ column: Int) throws -> Int64 {
        guard let value = try cursor.integer(column) else { throw nullFound(column, "integer") }
        return value
    }

    /// An integer, or nil for null.
    public func intOrNil(_ column: Int) throws -> Int64? { try cursor.integer(column) }

    /// A flag: 0 is false, anything else true.
    public func bool(_ column: Int) throws -> Bool { try int(column) != 0 }

    /// A text.
    public func text(_ column: Int) throws -> String {
        guard let value = try textOrNil(column) else { throw nullFound(column, "text") }
        return value
    }

    /// A text, or nil for null.
    public func textOrNil(_ column: Int) throws -> String? {
        try cursor.withBytes(column, .text) { bytes in bytes.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// The bytes of a blob, or the UTF-8 of a text.
    public func blob(_ column: Int) throws -> [UInt8] {
        guard let value = try blobOrNil(column) else { throw nullFound(column, "blob") }
        return value
    }

    /// The bytes of a blob or the UTF-8 of a text, or nil for null.
    public func blobOrNil(_ column: Int) throws -> [UInt8]? {
        try cursor.withBytes(column, .blob) { bytes in bytes.map { Array($0) } }
    }

    /// The bytes of a blob or the UTF-8 of a text without a copy; they are valid only during the call.
    public func withBlob<R>(_ column: Int, _ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        try cursor.withBytes(column, .blob) { bytes in
            guard let bytes else { throw nullFound(column, "blob") }
            return try body(bytes)
        }
    }

    /// Whether the column holds null.
    public func isNull(_ column: Int) -> Bool { cursor.isNull(column) }

    private func nullFound(_ column: Int, _ expected: String) -> DatabaseError {
        .typeMismatch(column: column, expected: expected, found: "null")
    }
}
