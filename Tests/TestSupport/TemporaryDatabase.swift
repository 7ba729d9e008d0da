import Database
import Foundation

/// Runs a test on every engine there is, each time on an empty database of its own that is removed afterwards.
///
/// SQLite always; PostgreSQL when the environment variable `CHAPPE_TEST_POSTGRES` holds a connection string to a cluster
/// where databases may be created (`Tests/support/postgres-cluster.sh start DIR` prints one).
///
/// - Parameters:
///   - options: settings of the database.
///   - migrations: applied before the body.
///   - body: the test. An error is thrown on with the engine's name.
public func withEachEngine(
    options: DatabaseOptions = .forTests, migrations: [Migration] = [],
    _ body: (Database) async throws -> Void
) async throws {
    try await withDatabase(at: .sqlite, options: options, migrations: migrations, body)
    if TemporaryLocation.hasPostgres {
        try await withDatabase(at: .postgres, options: options, migrations: migrations, body)
    }
}

/// Runs a test on an empty SQLite database that is removed afterwards, for what only SQLite has.
public func withSQLite(
    options: DatabaseOptions = .forTests, migrations: [Migration] = [],
    _ body: (Database) async throws -> Void
) async throws {
    try await withDatabase(at: .sqlite, options: options, migrations: migrations, body)
}

/// Runs a test on an empty PostgreSQL database that is removed afterwards, for what only PostgreSQL has. Does nothing
/// without `CHAPPE_TEST_POSTGRES`: mark the test with `.enabled(if: TemporaryLocation.hasPostgres)`.
public func withPostgres(
    options: DatabaseOptions = .forTests, migrations: [Migration] = [],
    _ body: (Database) async throws -> Void
) async throws {
    guard TemporaryLocation.hasPostgres else { return }
    try await withDatabase(at: .postgres, options: options, migrations: migrations, body)
}

private func withDatabase(
    at engine: DatabaseEngine, options: DatabaseOptions, migrations: [Migration],
    _ body: (Database) async throws -> Void
) async throws {
    await databaseGate.enter()
    do {
        let place = try TemporaryLocation(engine)
        defer { place.remove() }
        let database = try Database.open(place.location, options: options)
        do {
            try await Migrator(migrations).run(on: database)
            try await body(database)
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    } catch {
        await databaseGate.leave()
        throw EngineFailure(engine: engine, error: error)
    }
    await databaseGate.leave()
}

/// Bounds how many databases tests hold open at once: the test library starts all tests together.
private let databaseGate = Gate(permits: 8)

private actor Gate {
    private var permits: Int
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init(permits: Int) { self.permits = permits }

    func enter() async {
        if permits > 0 {
            permits -= 1
        } else {
            await withCheckedContinuation { waiters.append($0) }
        }
    }

    func leave() {
        if waiters.isEmpty { permits += 1 } else { waiters.removeFirst().resume() }
    }
}

/// An error of a test, with the engine that it happened on.
public struct EngineFailure: Error, CustomStringConvertible {
    /// The engine.
    public let engine: DatabaseEngine
    /// What the test threw.
    public let error: any Error

    /// Both in one line.
    public var description: String { "on \(engine.rawValue): \(error)" }
}

extension DatabaseOptions {
    /// Small caches and few connections: many tests run at once.
    public static var forTests: DatabaseOptions {
        var options = DatabaseOptions()
        options.readers = 2
        options.cacheKibibytes = 2048
        return options
    }
}

/// A failed call to the system.
public struct SystemError: Error, CustomStringConvertible {
    /// What failed, with the system's reason.
    public let description: String
}

/// Makes an empty directory that only this user can read.
public func makeTemporaryDirectory() throws -> String {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/chappe-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
        throw SystemError(description: "mkdtemp: \(String(cString: strerror(errno)))")
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Removes a directory with all that it holds.
public func removeTree(_ path: String) {
    try? FileManager.default.removeItem(atPath: path)
}
