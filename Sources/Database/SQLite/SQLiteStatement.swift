import CSQLite
import Glibc

/// A prepared statement, which is also the cursor over its rows.
final class SQLiteStatement: RowCursor {
    let key: StatementKey
    let isReadOnly: Bool
    /// When it was last taken, in takes.
    var lastUse: UInt64 = 0
    var isTaken = false

    private var statement: OpaquePointer?
    private let handle: OpaquePointer
    private let parameterCount: Int

    init(handle: OpaquePointer, sql: SQL, key: StatementKey) throws {
        self.handle = handle
        self.key = key
        var text = SQLDialect(engine: .sqlite).rewrite(sql.description)
        var prepared: OpaquePointer?
        let status = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                sqlite3_prepare_v3(
                    handle, $0.baseAddress, Int32($0.count), UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
            }
        }
        guard status == SQLITE_OK else { throw SQLiteErrors.error(handle: handle, status: status) }
        guard let prepared else { throw DatabaseError.sql(code: "empty", message: "the statement is empty") }
        statement = prepared
        isReadOnly = sqlite3_stmt_readonly(prepared) != 0
        parameterCount = Int(sqlite3_bind_parameter_count(prepared))
    }

    deinit { finalize() }

    func finalize() {
        sqlite3_finalize(statement)
        statement = nil
    }

    /// Forgets position and parameters.
    func reset() {
        sqlite3_reset(statement)
        if parameterCount > 0 { sqlite3_clear_bindings(statement) }
    }

    /// Goes to the next row; false when there is none.
    func step() throws -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let status: throw SQLiteErrors.error(handle: handle, status: status)
        }
    }

    // MARK: Parameters

    func bind(_ parameters: [any SQLBindable]) throws {
        guard parameters.count == parameterCount else {
            throw DatabaseError.sql(
                code: "parameters", message: "\(parameterCount) parameters wanted, \(parameters.count) given")
        }
        for (offset, parameter) in parameters.enumerated() {
            let status = try bind(parameter.sqlValue, at: Int32(offset + 1))
            guard status == SQLITE_OK else { throw SQLiteErrors.error(handle: handle, status: status) }
        }
    }

    private func bind(_ value: SQLValue, at index: Int32) throws -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(statement, index)
        case .integer(let value): return sqlite3_bind_int64(statement, index, value)
        case .text(var text): return try text.withUTF8 { try bindText(UnsafeRawBufferPointer($0), at: index) }
        case .utf8(let bytes): return try bytes.withUnsafeBytes { try bindText($0, at: index) }
        case .blob(let bytes): return bytes.withUnsafeBytes { bindBlob($0, at: index) }
        case .blobSlice(let bytes): return bytes.withUnsafeBytes { bindBlob($0, at: index) }
        case .integers(let values):
            let json = SQLiteList.json(values)
            return json.withUnsafeBytes { bindChecked($0, at: index) }
        case .texts(let values):
            let json = try SQLiteList.json(values)
            return json.withUnsafeBytes { bindChecked($0, at: index) }
        }
    }

    private func bindText(_ bytes: UnsafeRawBufferPointer, at index: Int32) throws -> Int32 {
        try TextRules.refuseNUL(bytes)
        return bindChecked(bytes, at: index)
    }

    private func bindChecked(_ bytes: UnsafeRawBufferPointer, at index: Int32) -> Int32 {
        // A null pointer would bind null.
        guard let base = bytes.baseAddress, bytes.count > 0 else {
            return sqlite3_bind_text(statement, index, "", 0, Self.copied)
        }
        return sqlite3_bind_text64(
            statement, index, base.assumingMemoryBound(to: CChar.self), UInt64(bytes.count), Self.copied,
            UInt8(SQLITE_UTF8))
    }

    private func bindBlob(_ bytes: UnsafeRawBufferPointer, at index: Int32) -> Int32 {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return sqlite3_bind_zeroblob(statement, index, 0) }
        return sqlite3_bind_blob64(statement, index, base, UInt64(bytes.count), Self.copied)
    }

    /// SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
    private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    // MARK: Columns (SQLite answers null for a column that does not exist, and for a statement that is over)

    override func integer(_ column: Int) throws -> Int64? {
        let index = Int32(clamping: column)
        switch sqlite3_column_type(statement, index) {
        case SQLITE_INTEGER: return sqlite3_column_int64(statement, index)
        case SQLITE_NULL: return nil
        case let type: throw mismatch(column, "integer", type)
        }
    }

    override func withBytes<R>(
        _ column: Int, _ kind: SQLType, _ body: (UnsafeRawBufferPointer?) throws -> R
    ) throws -> R {
        let index = Int32(clamping: column)
        let type = sqlite3_column_type(statement, index)
        switch (type, kind) {
        case (SQLITE_NULL, _): return try body(nil)
        case (SQLITE_TEXT, _), (SQLITE_BLOB, .blob):
            let start = sqlite3_column_blob(statement, index)
            let count = sqlite3_column_bytes(statement, index)
            return try body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(count)))
        default: throw mismatch(column, kind == .text ? "text" : "blob", type)
        }
    }

    override func isNull(_ column: Int) -> Bool {
        sqlite3_column_type(statement, Int32(clamping: column)) == SQLITE_NULL
    }

    /// A value of any type as text, for settings.
    func anyText(_ column: Int32) -> String? {
        sqlite3_column_text(statement, column).map { String(cString: $0) }
    }

    private func mismatch(_ column: Int, _ expected: String, _ type: Int32) -> DatabaseError {
        let found =
            switch type {
            case SQLITE_INTEGER: "integer"
            case SQLITE_FLOAT: "real"
            case SQLITE_TEXT: "text"
            case SQLITE_BLOB: "blob"
            default: "null"
            }
        return .typeMismatch(column: column, expected: expected, found: found)
    }
}
