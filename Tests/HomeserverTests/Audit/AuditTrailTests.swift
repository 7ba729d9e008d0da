import Database
import Homeserver
import Matrix
import Store
import TestSupport
import Testing

/// The trail of who did what, and that nobody can change it unseen.
@Suite struct AuditTrailTests {
    private static let clerk = AuditActor(name: "@clerk:here.example", address: "192.0.2.7", reason: "on call")

    private struct Noon: Clock {
        let now: Int64 = 1_800_000_000_000
    }

    private struct Fixture {
        let trail: AuditTrail
        let store: Store
        let keys: [String: VerifyKey]

        func note(_ act: AuditedAct, on subject: String?, by actor: AuditActor = clerk) async throws {
            try await store.write { [trail] in try trail.note(act, by: actor, on: subject, in: $0) }
        }
    }

    private func onEachEngine(_ body: (Fixture) async throws -> Void) async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database, cacheBytes: 1 << 20)
            let key = try #require(SigningKey(seed: [UInt8](repeating: 3, count: 32), version: "1"))
            try await body(
                Fixture(
                    trail: AuditTrail(store: store, clock: Noon(), keys: key), store: store,
                    keys: [key.keyID.string: key.publicKey]))
        }
    }

    @Test func entriesAreFoundByWhoAndWhomAndWhat() async throws {
        try await onEachEngine { fixture in
            try await fixture.note(.userLock, on: "@a:here.example")
            try await fixture.note(
                .userUnlock, on: "@a:here.example", by: AuditActor(name: AuditActor.socket, address: ""))
            try await fixture.note(.tokenCreate, on: nil)
            func numbers(_ selection: AuditSelection, before: Int64? = nil, limit: Int = 10) async throws -> [Int64] {
                try await fixture.trail.latest(selection, before: before, limit: limit).map(\.number)
            }
            #expect(try await numbers(AuditSelection()) == [3, 2, 1])
            #expect(try await numbers(AuditSelection(), before: 3, limit: 1) == [2])
            #expect(try await numbers(AuditSelection(actor: AuditActor.socket)) == [2])
            #expect(try await numbers(AuditSelection(subject: "@a:here.example")) == [2, 1])
            #expect(try await numbers(AuditSelection(actor: AuditActor.socket, subject: "@a:here.example")) == [2])
            #expect(try await numbers(AuditSelection(actor: AuditActor.socket, subject: "@b:here.example")) == [])
            #expect(try await numbers(AuditSelection(subject: "@a:here.example", action: "user.lock")) == [1])
            #expect(try await numbers(AuditSelection(action: "user.")) == [2, 1])
            #expect(try await numbers(AuditSelection(action: "user.lock")) == [1])
            let entry = try JSON(parsing: try await fixture.trail.entries(after: 0, limit: 1)[0].entry)
            #expect(entry["reason"]?.string == "on call" && entry["address"]?.string == "192.0.2.7")
        }
    }

    @Test func whatIsUndoneIsNotNoted() async throws {
        struct Refused: Error {}
        try await onEachEngine { fixture in
            try await fixture.note(.userLock, on: "@a:here.example")
            await #expect(throws: Refused.self) {
                try await fixture.store.write { writer in
                    try fixture.trail.note(.userUnlock, by: Self.clerk, on: "@a:here.example", in: writer)
                    throw Refused()
                }
            }
            try await fixture.note(.userSuspend, on: "@a:here.example")
            let verification = try await fixture.trail.verify(fixture.keys)
            #expect(verification.flaw == nil && verification.entries == 2)
        }
    }

    @Test(arguments: [
        ("UPDATE audit SET entry = CAST('{}' AS BLOB) WHERE num = 2", "entry 2"),
        ("UPDATE audit SET actor = 'socket' WHERE num = 2", "entry 2"),
        ("UPDATE audit SET hash = (SELECT hash FROM audit WHERE num = 1) WHERE num = 3", "entry 3"),
        ("UPDATE audit SET signature = (SELECT signature FROM audit WHERE num = 1) WHERE num = 3", "entry 3"),
        ("UPDATE audit SET key_id = 'ed25519:2' WHERE num = 1", "unknown key"),
        ("DELETE FROM audit WHERE num = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE num = 1", "entry 1 is missing"),
        ("DELETE FROM audit WHERE num = 4", "are missing"),
        ("DELETE FROM audit", "are missing"),
    ])
    func changesAreFound(statement: String, flaw: String) async throws {
        try await onEachEngine { fixture in
            for number in 1...4 { try await fixture.note(.userLock, on: "@u\(number):here.example") }
            let before = try await fixture.trail.verify(fixture.keys)
            #expect(before.flaw == nil && before.entries == 4)
            var statement = statement
            if fixture.store.database.engine == .postgres {
                statement = statement.replacing("CAST('{}' AS BLOB)", with: "CAST('{}' AS BYTEA)")
            }
            try await fixture.store.write { [statement] in try $0.sql.execute(SQL(statement)) }
            let after = try await fixture.trail.verify(fixture.keys)
            #expect(after.flaw?.contains(flaw) == true, "\(after.flaw ?? "nothing")")
        }
    }

    @Test func manyWritersMakeOneChain() async throws {
        try await onEachEngine { fixture in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 {
                    group.addTask { try await fixture.note(.sessionStart, on: "@u\(number):here.example") }
                }
                try await group.waitForAll()
            }
            let verification = try await fixture.trail.verify(fixture.keys)
            #expect(verification.flaw == nil && verification.entries == 100)
        }
    }
}
