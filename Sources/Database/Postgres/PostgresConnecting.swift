import CLibpq
import Glibc

/// Opens connections to PostgreSQL.
enum PostgresConnecting {
    /// A connection that is checked and set up.
    ///
    /// - Throws: ``DatabaseError/unavailable(reason:)`` when there is no server, or one that we cannot work with, or no libpq.
    static func open(connectionString: String, options: DatabaseOptions) throws -> OpaquePointer {
        guard libpq != nil else {
            throw DatabaseError.unavailable(
                reason: "PostgreSQL: its client library is missing: \(String(cString: chappe_libpq_failure()))")
        }
        let handle = connect(connectionString: connectionString, options: options)
        guard let handle, libpq.pointee.PQstatus(handle) == CONNECTION_OK else {
            defer { libpq.pointee.PQfinish(handle) }
            throw DatabaseError.unavailable(reason: "PostgreSQL: \(PostgresErrors.message(of: handle))")
        }
        _ = libpq.pointee.PQsetNoticeProcessor(handle, { _, _ in }, nil)  // libpq would print notices on standard error
        do {
            try check(handle)
            try setUp(handle, options: options)
        } catch {
            libpq.pointee.PQfinish(handle)
            throw error
        }
        return handle
    }

    private static func connect(connectionString: String, options: DatabaseOptions) -> OpaquePointer? {
        // What comes later wins, so the connection string may overrule what stands before it.
        let settings: [(String, String)] = [
            ("connect_timeout", String(options.connectTimeoutSeconds)),
            ("application_name", "chappe"),
            // A server that vanished without a word is noticed within about a minute.
            ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "60000"),
            ("dbname", connectionString),
            ("client_encoding", "UTF8"),
        ]
        let keywords = settings.map { strdup($0.0) }
        let values = settings.map { strdup($0.1) }
        defer { for pointer in keywords + values { free(pointer) } }
        let keywordPointers = keywords.map { UnsafePointer($0) } + [nil]
        let valuePointers = values.map { UnsafePointer($0) } + [nil]
        return libpq.pointee.PQconnectdbParams(keywordPointers, valuePointers, 1)
    }

    private static func check(_ handle: OpaquePointer) throws {
        guard libpq.pointee.PQserverVersion(handle) >= 150_000 else {
            throw DatabaseError.unavailable(reason: "PostgreSQL 15 or later is needed")
        }
        let encoding = libpq.pointee.PQparameterStatus(handle, "server_encoding").map { String(cString: $0) }
        guard encoding == "UTF8" else {
            throw DatabaseError.unavailable(
                reason: "the database's encoding must be UTF8, not \(encoding ?? "unknown")")
        }
    }

    private static func setUp(_ handle: OpaquePointer, options: DatabaseOptions) throws {
        // Acknowledged means on disk; a stronger setting of the server (remote_apply) stays.
        try run(
            handle,
            """
            SELECT set_config('synchronous_commit', 'on', false)
            WHERE current_setting('synchronous_commit') = 'off';
            SET default_transaction_isolation = 'read committed';
            SET statement_timeout = \(options.statementTimeoutMilliseconds);
            SET idle_in_transaction_session_timeout = 60000;
            SET timezone = 'UTC'
            """)
    }

    /// Runs statements without results on a connection that is not in pipeline mode.
    static func run(_ handle: OpaquePointer, _ text: String) throws {
        guard let result = libpq.pointee.PQexec(handle, text) else { throw PostgresErrors.lost(handle) }
        defer { libpq.pointee.PQclear(result) }
        let status = libpq.pointee.PQresultStatus(result)
        guard status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK else { throw PostgresErrors.error(of: result) }
    }
}
