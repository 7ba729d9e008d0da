import Database
import Dispatch
import Synchronization
import TestSupport
import Testing

@Suite struct GroupCommitTests {
    @Test func aFailingJobLeavesTheOthers() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            let bodies: [WriteBody] = [
                { try $0.execute("INSERT INTO items (id) VALUES (1)") },
                // Refused by the schema, through a statement nobody waits for, after something that must be undone.
                { transaction in
                    try transaction.execute("INSERT INTO items (id) VALUES (20)")
                    try transaction.execute("INSERT INTO items (id) VALUES (1)")
                },
                { try $0.execute("INSERT INTO items (id) VALUES (3)") },
                // Refused by the schema, through a statement with a result.
                { transaction in
                    try transaction.execute("INSERT INTO items (id) VALUES (40)")
                    _ = try transaction.first("INSERT INTO items (id) VALUES (3) RETURNING id") { try $0.int(0) }
                },
                // Its own decision.
                { transaction in
                    try transaction.execute("INSERT INTO items (id) VALUES (50)")
                    throw Refusal()
                },
                // Its own decision before it wrote anything.
                { _ in throw Refusal() },
                // Does not parse.
                { try $0.execute("INSERT INTO nowhere VALUES (1)") },
                { transaction in
                    let count = try transaction.executeCounting("UPDATE items SET words = 'x' WHERE id IN (1, 3)")
                    #expect(count == 2)
                },
            ]
            let results = try await database.writeAsGroup(bodies)
            #expect(results.map(\.isSuccess) == [true, false, true, false, false, false, false, true])
            #expect((results[1].error as? DatabaseError)?.isConstraint(.unique) == true)
            #expect((results[3].error as? DatabaseError)?.isConstraint(.unique) == true)
            #expect(results[4].error is Refusal)
            #expect(results[5].error is Refusal)
            guard case .sql = results[6].error as? DatabaseError else {
                Issue.record("\(String(describing: results[6].error))")
                return
            }
            #expect(try await database.itemIDs() == [1, 3])
        }
    }

    @Test func aLoneFailingJobLeavesNothing() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            await #expect(throws: Refusal.self) {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO items (id) VALUES (1)")
                    throw Refusal()
                }
            }
            #expect(try await database.itemIDs() == [])
            try await database.addItem(1)
            #expect(try await database.itemIDs() == [1])
        }
    }

    @Test func anErrorThatIsCaughtStillDoomsTheJob() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            try await database.addItem(1)
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO items (id) VALUES (2)")
                    _ = try? transaction.executeCounting("INSERT INTO items (id) VALUES (1)")
                    _ = try? transaction.executeCounting("INSERT INTO items (id) VALUES (3)")
                }
            }
            #expect(error?.isConstraint(.unique) == true)
            #expect(try await database.itemIDs() == [1])
        }
    }

    @Test func constraintsAreToldApart() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            try await database.addItem(1)
            let cases: [(SQL, DatabaseError.ConstraintKind)] = [
                ("INSERT INTO items (id) VALUES (1)", .unique),
                ("INSERT INTO parts (id, item) VALUES (1, 2)", .foreignKey),
                ("INSERT INTO parts (id, item) VALUES (1, NULL)", .notNull),
                ("INSERT INTO items (id, words) VALUES (2, 'secret content')", .check),
            ]
            for (sql, kind) in cases {
                let error = await #expect(throws: DatabaseError.self) {
                    try await database.write { try $0.execute(sql) }
                }
                #expect(error?.isConstraint(kind) == true, "\(database.engine): \(String(describing: error))")
                guard case .constraint(_, let detail) = error else { continue }
                #expect(!detail.contains("secret"), "a constraint's error must not quote values")
            }
        }
    }

    @Test func actionsRunInCommitOrderAndOnlyAfterACommit() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            let order = Shared<[Int]>([])
            let bodies: [WriteBody] = (0..<20).map { number in
                { transaction in
                    transaction.onCommit { order.withLock { $0.append(number) } }
                    try transaction.execute("INSERT INTO items (id) VALUES ($1)", number)
                    if number % 5 == 4 { throw Refusal() }
                }
            }
            let results = try await database.writeAsGroup(bodies)
            let kept = (0..<20).filter { $0 % 5 != 4 }
            #expect(results.map(\.isSuccess) == (0..<20).map { $0 % 5 != 4 })
            #expect(order.value == kept)
            #expect(try await database.itemIDs() == kept.map(Int64.init))
            // An action sees what it announces, and has run when `write` returns.
            let hasRun = Atomic(false)
            try await database.write { $0.onCommit { hasRun.store(true, ordering: .sequentiallyConsistent) } }
            let hadRun = hasRun.load(ordering: .sequentiallyConsistent)
            #expect(hadRun)
        }
    }

    @Test func laterJobsOfAGroupSeeEarlierOnes() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            let bodies: [@Sendable (WriteTransaction) throws -> Int64?] = (0..<50).map { _ in
                { transaction in
                    try transaction.first(
                        "INSERT INTO items (id) SELECT COALESCE(MAX(id), 0) + 1 FROM items RETURNING id"
                    ) { try $0.int(0) }
                }
            }
            let results = try await database.writeAsGroup(bodies)
            #expect(try results.map { try $0.get() } == (1...50).map { $0 })
        }
    }

    @Test func manyPipelinedStatementsInOneJob() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            try await database.write { transaction in
                try transaction.executeMany(
                    "INSERT INTO items (id, bytes) VALUES ($1, $2)",
                    (0..<5_000).map { [$0, [UInt8](repeating: 7, count: 500)] })
            }
            #expect(try await database.itemIDs().count == 5_000)
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { transaction in
                    // The first collides; the rest is sent before that is known.
                    try transaction.executeMany("INSERT INTO items (id) VALUES ($1)", (4_999..<9_000).map { [$0] })
                }
            }
            #expect(error?.isConstraint(.unique) == true)
            #expect(try await database.itemIDs().count == 5_000)
        }
    }

    @Test func writersAndReadersAtOnce() async throws {
        let accounts = Migration(
            number: 1, name: "accounts",
            sql: "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));")
        try await withEachEngine(migrations: [accounts]) { database in
            try await database.write { transaction in
                for id in 0..<10 { try transaction.execute("INSERT INTO accounts VALUES ($1, 100)", id) }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<16 {
                    group.addTask {
                        for round in 0..<20 {
                            let (from, to) = ((writer + round) % 10, (writer * 3 + round * 7 + 1) % 10)
                            do {
                                try await database.write { transaction in
                                    let change: SQL = "UPDATE accounts SET balance = balance + $2 WHERE id = $1"
                                    try transaction.execute(change, to, 30)
                                    try transaction.execute(change, from, -30)
                                }
                            } catch let error as DatabaseError where error.isConstraint(.check) {
                                // Not enough there: nothing may have moved.
                            }
                        }
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<50 {
                            let sum = try await database.read { transaction in
                                try transaction.all("SELECT balance FROM accounts") { try $0.int(0) }.reduce(0, +)
                            }
                            #expect(sum == 1_000)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func everyoneReadsTheirOwnWrites() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<32 {
                    group.addTask {
                        for round in 0..<10 {
                            let id = writer * 100 + round
                            try await database.addItem(id)
                            let found = try await database.read { transaction in
                                try transaction.first("SELECT id FROM items WHERE id = $1", id) { try $0.int(0) }
                            }
                            #expect(found == Int64(id))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aReadSeesOneMoment() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            try await database.addItem(1)
            let hasLooked = Atomic(false)
            let goOn = DispatchSemaphore(value: 0)
            async let counts = database.read { transaction in
                let count: SQL = "SELECT count(*) FROM items"
                let before = try transaction.first(count) { try $0.int(0) }
                hasLooked.store(true, ordering: .sequentiallyConsistent)
                goOn.wait()
                return [before, try transaction.first(count) { try $0.int(0) }]
            }
            try await wait { hasLooked.load(ordering: .sequentiallyConsistent) }
            try await database.addItem(2)
            // Another reader sees it while the first still does not.
            #expect(try await database.itemIDs() == [1, 2])
            goOn.signal()
            #expect(try await counts == [1, 1])
            #expect(try await database.itemIDs() == [1, 2])
        }
    }

    @Test func aReadCannotWrite() async throws {
        try await withEachEngine(migrations: [itemsMigration]) { database in
            await #expect(throws: DatabaseError.self) {
                try await database.read { transaction in
                    _ = try transaction.first("INSERT INTO items (id) VALUES (1) RETURNING id") { try $0.int(0) }
                }
            }
            let ids = try await database.itemIDs()
            #expect(ids == [])
        }
    }
}
