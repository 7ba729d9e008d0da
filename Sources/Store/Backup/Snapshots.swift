import Database

extension Store {
    /// Copies the database, as it is when this returns, into a file of its own while it is written to. Only on SQLite: PostgreSQL
    /// gives whoever wants to copy it a snapshot by itself.
    ///
    /// - Parameter path: The file; what is there is replaced.
    /// - Returns: False on PostgreSQL, where nothing is done.
    public func snapshot(to path: String) async throws -> Bool {
        guard database.engine == .sqlite else { return false }
        try await database.snapshot(to: path)
        return true
    }

    /// Removes a copy, if there is one.
    public static func removeSnapshot(at path: String) { Database.removeSnapshot(at: path) }
}
