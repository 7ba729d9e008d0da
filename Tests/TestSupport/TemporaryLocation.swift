import Database
import Foundation

/// A place for a database that is removed after the test.
public struct TemporaryLocation: Sendable {
    /// Where.
    public let location: DatabaseLocation
    private let cleanUp: @Sendable () -> Void

    /// Whether PostgreSQL can be tested here.
    public static var hasPostgres: Bool { cluster != nil }

    static var cluster: String? {
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
            let name = try PostgresDatabases.take(on: cluster)
            location = .postgres(connectionString: PostgresDatabases.connectionString(cluster, database: name))
            cleanUp = { PostgresDatabases.giveBack(name, on: cluster) }
        }
    }

    /// Removes the database, which must be closed.
    public func remove() { cleanUp() }
}
