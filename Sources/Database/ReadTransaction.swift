/// A consistent view of the database, valid only inside the closure that it is given to.
public class ReadTransaction {
    let connection: any EngineConnection
    private var isOpen = true

    init(connection: any EngineConnection) {
        self.connection = connection
    }

    /// Which engine runs the SQL, for the rare statement that cannot be written once.
    public var engine: DatabaseEngine { connection.engine }

    /// Every row, each turned into a value.
    ///
    /// - Throws: ``DatabaseError``, or what `map` throws.
    public final func all<T>(
        _ sql: SQL, _ parameters: any SQLBindable..., map: (Row) throws -> T
    ) throws -> [T] {
        var values: [T] = []
        try query(sql, parameters) { row in
            values.append(try map(row))
            return true
        }
        return values
    }

    /// The first row turned into a value, or nil when there is none.
    ///
    /// - Throws: ``DatabaseError``, or what `map` throws.
    public final func first<T>(
        _ sql: SQL, _ parameters: any SQLBindable..., map: (Row) throws -> T
    ) throws -> T? {
        var value: T?
        try query(sql, parameters) { row in
            value = try map(row)
            return false
        }
        return value
    }

    /// Visits every row without collecting them.
    ///
    /// - Throws: ``DatabaseError``, or what `body` throws.
    public final func forEach(
        _ sql: SQL, _ parameters: any SQLBindable..., body: (Row) throws -> Void
    ) throws {
        try query(sql, parameters) { row in
            try body(row)
            return true
        }
    }

    /// Visits rows until the visitor answers false.
    func query(_ sql: SQL, _ parameters: [any SQLBindable], _ visit: (Row) throws -> Bool) throws {
        try checkUsable()
        try connection.query(sql, parameters, visit)
    }

    /// Throws when the closure has returned or an earlier statement failed.
    final func checkUsable() throws {
        guard isOpen else {
            throw DatabaseError.sql(code: "closed", message: "the transaction was used outside its closure")
        }
        if let failure = connection.failure { throw failure }
    }

    final func finish() { isOpen = false }
}
