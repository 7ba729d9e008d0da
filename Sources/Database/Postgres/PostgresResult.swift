import CLibpq

/// A result of PostgreSQL in binary format, which is also the cursor over its rows.
final class PostgresResult: RowCursor {
    private let result: OpaquePointer
    private let rowCount: Int32
    private let columnCount: Int32
    private var row: Int32 = -1

    /// Takes over the result.
    init(_ result: OpaquePointer) {
        self.result = result
        rowCount = libpq.pointee.PQntuples(result)
        columnCount = libpq.pointee.PQnfields(result)
    }

    deinit { libpq.pointee.PQclear(result) }

    var status: ExecStatusType { libpq.pointee.PQresultStatus(result) }
    var error: DatabaseError { PostgresErrors.error(of: result) }
    /// Whether the server reports an error, not libpq on its own.
    var isServerError: Bool { PostgresErrors.isFromServer(result) }
    /// Such as `COMMIT`.
    var commandTag: String { String(libpq: libpq.pointee.PQcmdStatus(result)) }
    /// How many rows a statement changed.
    var changedRows: Int { Int(String(libpq: libpq.pointee.PQcmdTuples(result))) ?? 0 }

    /// Goes to the next row; false when there is none.
    func next() -> Bool {
        guard row + 1 < rowCount else { return false }
        row += 1
        return true
    }

    override func integer(_ column: Int) throws -> Int64? {
        guard let (bytes, type) = value(column) else { return nil }
        switch (type, bytes.count) {
        case (PostgresType.int8, 8): return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        case (PostgresType.int4, 4): return Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        case (PostgresType.int2, 2): return Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        case (PostgresType.oid, 4): return Int64(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        case (PostgresType.bool, 1): return Int64(bytes[0])
        case (PostgresType.numeric, 8...): if let integer = Self.integer(ofNumeric: bytes) { return integer }
        default: break
        }
        throw mismatch(column, "integer", type)
    }

    override func withBytes<R>(
        _ column: Int, _ kind: SQLType, _ body: (UnsafeRawBufferPointer?) throws -> R
    ) throws -> R {
        guard let (bytes, type) = value(column) else { return try body(nil) }
        switch type {
        case PostgresType.text, PostgresType.varchar, PostgresType.bpchar, PostgresType.name, PostgresType.json,
            PostgresType.unknown:
            return try body(bytes)
        case PostgresType.bytea where kind == .blob:
            return try body(bytes)
        case PostgresType.jsonb where bytes.first == 1:
            return try body(UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))  // after the format's version
        default:
            throw mismatch(column, kind == .text ? "text" : "blob", type)
        }
    }

    override func isNull(_ column: Int) -> Bool { value(column) == nil }

    /// The bytes and type of a column; nil for null and, as on SQLite, for a column or row that does not exist.
    private func value(_ column: Int) -> (UnsafeRawBufferPointer, Oid)? {
        let column = Int32(clamping: column)
        guard column >= 0, column < columnCount, row >= 0, row < rowCount,
            libpq.pointee.PQgetisnull(result, row, column) == 0
        else {
            return nil
        }
        let bytes = UnsafeRawBufferPointer(
            start: libpq.pointee.PQgetvalue(result, row, column),
            count: Int(libpq.pointee.PQgetlength(result, row, column)))
        return (bytes, libpq.pointee.PQftype(result, column))
    }

    /// An integer sent as `numeric`, which is what `sum` makes of 64-bit integers: digits in base 10,000.
    private static func integer(ofNumeric bytes: UnsafeRawBufferPointer) -> Int64? {
        func field(_ index: Int) -> Int16 {
            Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: Int16.self))
        }
        let digits = Int(field(0))
        let weight = Int(field(1))
        let sign = UInt16(bitPattern: field(2))
        guard digits >= 0, bytes.count >= 8 + digits * 2, sign == 0 || sign == 0x4000, weight < 5 else { return nil }
        if digits == 0 { return 0 }
        guard weight >= 0, digits <= weight + 1 else { return nil }  // digits after the point
        var value: Int64 = 0
        for position in 0...weight {
            let digit = position < digits ? Int64(field(4 + position)) : 0
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10_000)
            // Negative all along: the smallest integer has no positive counterpart.
            let (next, underflow) = shifted.subtractingReportingOverflow(digit)
            guard !overflow, !underflow else { return nil }
            value = next
        }
        if sign == 0x4000 { return value }
        return value == .min ? nil : -value
    }

    private func mismatch(_ column: Int, _ expected: String, _ type: Oid) -> DatabaseError {
        let found =
            switch type {
            case PostgresType.int8, PostgresType.int4, PostgresType.int2: "integer"
            case PostgresType.text, PostgresType.varchar: "text"
            case PostgresType.bytea: "blob"
            default: "type \(type)"
            }
        return .typeMismatch(column: column, expected: expected, found: found)
    }
}
