import CLibpq
import Foundation
import Synchronization

/// Databases of the test cluster, each for one test at a time.
///
/// Creating and dropping one makes the server write a checkpoint, which takes longer than most tests. So a database is
/// emptied and used again, and dropped when the process ends.
enum PostgresDatabases {
    private struct State {
        var free: [String] = []
        var all: [String] = []
        var dropsAtExit = false
    }

    private static let state = Mutex(State())

    /// The name of an empty database.
    static func take(on cluster: String) throws -> String {
        if let name = state.withLock({ $0.free.popLast() }) { return name }
        let name = "chappe_test_\(getpid())_\(UInt32.random(in: 0 ... .max))"
        // French rules of order by default, so that text that should compare as bytes and does not is found.
        try run(
            "CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR'",
            on: cluster)
        let isFirst = state.withLock { state in
            state.all.append(name)
            defer { state.dropsAtExit = true }
            return !state.dropsAtExit
        }
        if isFirst { atexit { PostgresDatabases.dropAll() } }
        return name
    }

    /// Empties a database for the next test.
    static func giveBack(_ name: String, on cluster: String) {
        do {
            try run(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid();
                SET client_min_messages = warning;
                DROP SCHEMA public CASCADE;
                CREATE SCHEMA public;
                """, on: connectionString(cluster, database: name))
            state.withLock { $0.free.append(name) }
        } catch {
            // Not used again; dropped at the end.
        }
    }

    private static func dropAll() {
        guard let cluster = TemporaryLocation.cluster else { return }
        for name in state.withLock({ $0.all }) {
            do {
                try run("DROP DATABASE IF EXISTS \(name) WITH (FORCE)", on: cluster)
            } catch {
                FileHandle.standardError.write(Data("a test database is left over: \(error)\n".utf8))
            }
        }
    }

    /// The same connection string for another database.
    static func connectionString(_ cluster: String, database: String) -> String {
        guard let scheme = cluster.range(of: "://") else { return cluster + " dbname=" + database }
        let afterScheme = cluster[scheme.upperBound...]
        let query = afterScheme.firstIndex(of: "?") ?? afterScheme.endIndex
        let authorityEnd = afterScheme[..<query].firstIndex(of: "/") ?? query
        return cluster[..<authorityEnd] + "/" + database + afterScheme[query...]
    }

    private static func run(_ statements: String, on connectionString: String) throws {
        guard let libpq = chappe_libpq() else {
            throw SystemError(description: String(cString: chappe_libpq_failure()))
        }
        let handle = libpq.pointee.PQconnectdb(connectionString)
        defer { libpq.pointee.PQfinish(handle) }
        _ = libpq.pointee.PQsetNoticeProcessor(handle, { _, _ in }, nil)
        let result = libpq.pointee.PQexec(handle, statements)
        defer { libpq.pointee.PQclear(result) }
        guard libpq.pointee.PQresultStatus(result) == PGRES_COMMAND_OK else {
            throw SystemError(
                description: "\(statements): \(libpq.pointee.PQerrorMessage(handle).map { String(cString: $0) } ?? "")")
        }
    }
}
