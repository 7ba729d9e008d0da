import CLibpq
import Database
import Foundation

/// A place for a database that is removed after the test.
public struct TemporaryLocation: Sendable {
    /// Where.
    public let location: DatabaseLocation
    private let cleanUp: @Sendable () -> Void

    /// Whether PostgreSQL can be tested here.
    public static var hasPostgres: Bool { cluster != nil }

    private static var cluster: String? {
        let value = ProcessInfo.processInfo.environment["CHAPPE_TEST_POSTGRES"]
        return value?.isEmpty == false ? value : nil
    }

    /// A SQLite file in a directory of its own, or a database of its own in the cluster.
    public init(_ engine: DatabaseEngine) throws {
        switch engine {
        case .sqlite:
            let directory = try makeTemporaryDirectory()
            location = .sqlite(path: directory + "/test.db")
            cleanUp = { removeTree(directory) }
        case .postgres:
            guard let cluster = Self.cluster else { throw SystemError(description: "CHAPPE_TEST_POSTGRES is not set") }
            let name = "chappe_test_\(getpid())_\(UInt32.random(in: 0 ... .max))"
            // French rules of order by default, so that text that should compare as bytes and does not is found.
            try Self.run(
                "CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR'",
                on: cluster)
            location = .postgres(connectionString: Self.connectionString(cluster, database: name))
            cleanUp = { try? Self.run("DROP DATABASE IF EXISTS \(name) WITH (FORCE)", on: cluster) }
        }
    }

    /// Removes the database, which must be closed.
    public func remove() { cleanUp() }

    /// The same connection string for another database.
    static func connectionString(_ cluster: String, database: String) -> String {
        guard let scheme = cluster.range(of: "://") else { return cluster + " dbname=" + database }
        let afterScheme = cluster[scheme.upperBound...]
        let query = afterScheme.firstIndex(of: "?") ?? afterScheme.endIndex
        let authorityEnd = afterScheme[..<query].firstIndex(of: "/") ?? query
        return cluster[..<authorityEnd] + "/" + database + afterScheme[query...]
    }

    private static func run(_ statement: String, on connectionString: String) throws {
        let handle = PQconnectdb(connectionString)
        defer { PQfinish(handle) }
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        let result = PQexec(handle, statement)
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_COMMAND_OK else {
            throw SystemError(description: "\(statement): \(String(cString: PQerrorMessage(handle)))")
        }
    }
}
