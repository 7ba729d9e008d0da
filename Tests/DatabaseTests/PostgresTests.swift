import Database
import Dispatch
import Synchronization
import TestSupport
import Testing

/// What only a server can do to us.
@Suite(.enabled(if: TemporaryLocation.hasPostgres)) struct PostgresTests {
    static let killOthers: SQL = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        """

    @Test func aConnectionLostWhileIdleIsReplaced() async throws {
        try await withPostgres(migrations: [itemsMigration]) { database in
            try await database.addItem(1)
            let other = try Database.open(database.location, options: .forTests)
            _ = try await other.read { try $0.all(Self.killOthers) { try $0.bool(0) } }
            await other.close()
            try await Task.sleep(for: .milliseconds(200))
            // Noticed before anything is sent, so nobody has to know.
            try await database.addItem(2)
            #expect(try await database.itemIDs() == [1, 2])
        }
    }

    @Test func aConnectionLostDuringAJobFailsThatJobOnly() async throws {
        try await withPostgres(migrations: [itemsMigration]) { database in
            let hasWritten = Atomic(false)
            let goOn = DispatchSemaphore(value: 0)
            async let doomed: Int = database.write { transaction in
                let count = try transaction.executeCounting("INSERT INTO items (id) VALUES (1)")
                hasWritten.store(true, ordering: .sequentiallyConsistent)
                goOn.wait()
                return count + (try transaction.executeCounting("INSERT INTO items (id) VALUES (2)"))
            }
            try await wait { hasWritten.load(ordering: .sequentiallyConsistent) }
            _ = try await database.read { try $0.all(Self.killOthers) { try $0.bool(0) } }
            goOn.signal()
            do {
                _ = try await doomed
                Issue.record("the job cannot have succeeded")
            } catch DatabaseError.unavailable {}
            #expect(try await database.itemIDs() == [])
            try await database.addItem(3)
            #expect(try await database.itemIDs() == [3])
        }
    }

    @Test func aConnectionLostDuringTheCommitIsAnUnknownOutcome() async throws {
        try await withPostgres(migrations: [itemsMigration]) { database in
            try await database.write { transaction in
                try transaction.execute(
                    """
                    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
                    $body$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $body$
                    """)
                try transaction.execute(
                    """
                    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON parts DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION slowly()
                    """)
                try transaction.execute("INSERT INTO items (id) VALUES (1)")
            }
            async let committing: Void = database.write { try $0.execute("INSERT INTO parts VALUES (1, 1)") }
            let isCommitting: SQL = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = 'COMMIT'"
            for _ in 0..<500 {
                let isThere = try await database.read { try $0.first(isCommitting) { try $0.int(0) } } != nil
                if isThere { break }
                try await Task.sleep(for: .milliseconds(10))
            }
            _ = try await database.read { try $0.all(Self.killOthers) { try $0.bool(0) } }
            do {
                try await committing
                Issue.record("the commit cannot have succeeded")
            } catch DatabaseError.outcomeUnknown {}
            try await database.addItem(2)
            #expect(try await database.itemIDs() == [1, 2])
        }
    }

    @Test func aDeadlockIsASerializationFailure() async throws {
        try await withPostgres(migrations: [itemsMigration]) { database in
            try await database.write { try $0.execute("INSERT INTO items (id) VALUES (1), (2)") }
            let other = try Database.open(database.location, options: .forTests)
            let reached = Shared(0)
            @Sendable func lock(_ first: Int, _ second: Int) -> @Sendable (WriteTransaction) throws -> Void {
                { transaction in
                    let touch: SQL = "UPDATE items SET words = 'x' WHERE id = $1"
                    _ = try transaction.executeCounting(touch, first)
                    reached.withLock { $0 += 1 }
                    while reached.value < 2 {}
                    _ = try transaction.executeCounting(touch, second)
                }
            }
            async let one = Result { try await database.write(lock(1, 2)) }
            async let two = Result { try await other.write(lock(2, 1)) }
            let results = await [one, two]
            await other.close()
            #expect(results.count(where: \.isSuccess) == 1)
            for result in results {
                guard let error = result.error else { continue }
                guard case .serialization = error as? DatabaseError else {
                    Issue.record(error)
                    continue
                }
            }
        }
    }

    @Test func listenersHearWhatIsCommittedAndComeBack() async throws {
        try await withPostgres(migrations: [itemsMigration]) { database in
            let heard = Shared<[ListenEvent]>([])
            try database.listen(to: ["wake", "Odd \"name\""]) { event in heard.withLock { $0.append(event) } }
            try await wait { heard.value == [.connected] }
            await #expect(throws: Refusal.self) {
                try await database.write { transaction in
                    try transaction.notify(channel: "wake", payload: "undone")
                    throw Refusal()
                }
            }
            try await database.write { transaction in
                try transaction.notify(channel: "wake", payload: "1")
                try transaction.notify(channel: "Odd \"name\"", payload: "é")
            }
            let expected: [ListenEvent] = [
                .connected, .notification(channel: "wake", payload: "1"),
                .notification(channel: "Odd \"name\"", payload: "é"),
            ]
            try await wait { heard.value.count == 3 }
            #expect(heard.value == expected)
            _ = try await database.read { try $0.all(Self.killOthers) { try $0.bool(0) } }
            try await wait { heard.value.count == 4 }
            #expect(heard.value.last == .connected)
        }
    }

    @Test func noServerIsUnavailable() {
        let error = #expect(throws: DatabaseError.self) {
            try Database.open(.postgres(connectionString: "postgresql://nobody@127.0.0.1:1/none"))
        }
        guard case .unavailable = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}

extension Result where Failure == any Error {
    /// The result of an asynchronous call.
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
