/// A transaction that may change the database, valid only inside the closure that it is given to.
///
/// It reads its own writes. After a failing statement nothing more can be done with it: what it wrote is undone.
public final class WriteTransaction: ReadTransaction {
    private(set) var actions: [@Sendable () -> Void] = []

    /// Runs a statement whose result does not matter.
    ///
    /// On PostgreSQL it is sent without waiting: its error surfaces at the next statement that has a result, at the latest
    /// when the job ends.
    public func execute(_ sql: SQL, _ parameters: any SQLBindable...) throws {
        try checkUsable()
        try connection.execute(sql, parameters)
    }

    /// Runs one statement for each row of parameters.
    public func executeMany(_ sql: SQL, _ rows: some Sequence<[any SQLBindable]>) throws {
        for parameters in rows {
            try checkUsable()
            try connection.execute(sql, parameters)
        }
    }

    /// Runs a statement and returns how many rows it inserted, changed or deleted.
    public func executeCounting(_ sql: SQL, _ parameters: any SQLBindable...) throws -> Int {
        try checkUsable()
        return try connection.executeCounting(sql, parameters)
    }

    /// Tells the listeners of a channel on every node, once this transaction is on disk. Without effect on SQLite, where
    /// there is one process and ``onCommit(_:)`` is enough.
    ///
    /// - Parameters:
    ///   - channel: a name of at most 63 bytes.
    ///   - payload: at most 7,999 bytes; equal ones in a transaction arrive once.
    public func notify(channel: String, payload: String) throws {
        guard engine == .postgres else { return }
        try execute("SELECT pg_notify($1, $2)", channel, payload)
    }

    /// Runs an action after this transaction is on disk, in commit order, before ``Database/write(_:)`` returns.
    ///
    /// Never runs if the transaction is undone. It runs on the writer thread, so it must be short.
    public func onCommit(_ action: @escaping @Sendable () -> Void) {
        actions.append(action)
    }
}
