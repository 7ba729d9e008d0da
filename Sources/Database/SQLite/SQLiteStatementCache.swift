import CSQLite

/// The prepared statements of one connection, bounded.
final class SQLiteStatementCache {
    private let handle: OpaquePointer
    private let capacity: Int
    private var statements: [StatementKey: SQLiteStatement] = [:]
    private var takes: UInt64 = 0

    init(handle: OpaquePointer, capacity: Int) {
        self.handle = handle
        self.capacity = capacity
    }

    /// A statement ready to bind. Give it back when done.
    func take(_ sql: SQL) throws -> SQLiteStatement {
        takes += 1
        let key = sql.key
        if let statement = statements[key], !statement.isTaken {
            statement.isTaken = true
            statement.lastUse = takes
            return statement
        }
        // When the cached one is taken (a query inside the same query's rows), this one lives for one use.
        let statement = try SQLiteStatement(handle: handle, sql: sql, key: key)
        statement.isTaken = true
        statement.lastUse = takes
        if statements[key] == nil {
            if statements.count >= capacity { removeOldest() }
            statements[key] = statement
        }
        return statement
    }

    func giveBack(_ statement: SQLiteStatement) {
        statement.reset()
        statement.isTaken = false
        if statements[statement.key] !== statement { statement.finalize() }
    }

    func removeAll() {
        for statement in statements.values { statement.finalize() }
        statements = [:]
    }

    /// Removes the older half, so that going over the bound costs little per statement.
    private func removeOldest() {
        let ages = statements.values.map(\.lastUse).sorted()
        let limit = ages[ages.count / 2]
        for (key, statement) in statements where statement.lastUse <= limit && !statement.isTaken {
            statement.finalize()
            statements[key] = nil
        }
    }
}
