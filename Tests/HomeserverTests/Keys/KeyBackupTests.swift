import Homeserver
import Matrix
import Store
import Testing

@Suite struct KeyBackupTests {
    private func session(
        _ index: Int64, forwarded: Int64 = 0, verified: Bool = false, data: JSONValue = "data"
    ) -> JSONValue {
        [
            "first_message_index": .integer(index), "forwarded_count": .integer(forwarded),
            "is_verified": .bool(verified), "session_data": data,
        ]
    }

    private func put(
        _ fixture: KeysFixture, _ user: KeyUser, _ version: String, _ session: JSONValue, room: String = "!room",
        id: String = "id"
    ) async throws -> KeyBackupSummary {
        let record = try BackedUpSessions.session(session.json, room: room, session: id)
        return try await fixture.backups.store([record], version: version, user: user.number)
    }

    private func create(_ fixture: KeysFixture, _ user: KeyUser) async throws -> String {
        try await fixture.backups.create(
            algorithm: "m.megolm_backup.v1", authData: JSONValue.string("opaque").json, user: user.number
        )
    }

    @Test func versionsAreNeverGivenOutTwice() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let first = try await create(fixture, alice)
            let second = try await create(fixture, alice)
            #expect(try await fixture.backups.backup(nil, user: alice.number).version.description == second)
            _ = try await put(fixture, alice, second, session(0))
            try await fixture.backups.delete(second, user: alice.number)
            #expect(try await fixture.backups.backup(nil, user: alice.number).version.description == first)
            let third = try await create(fixture, alice)
            #expect(Set([first, second, third]).count == 3)
            #expect(try await fixture.backups.backup(third, user: alice.number).count == 0)
            for version in [second, "bogus", "01", "+1", ""] {
                let error = await #expect(throws: MatrixError.self) {
                    _ = try await fixture.backups.backup(version, user: alice.number)
                }
                #expect(error?.status == 404 && error?.code == .notFound)
            }
        }
    }

    @Test func theAlgorithmOfABackupStays() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let version = try await create(fixture, alice)
            let data = JSONValue.object(["public_key": "new"]).json
            let update = { (claimed: String?, algorithm: String) in
                try await fixture.backups.update(
                    version, claimed: claimed, algorithm: algorithm, authData: data, user: alice.number
                )
            }
            for (claimed, algorithm) in [(nil, "other"), ("99", "m.megolm_backup.v1")] as [(String?, String)] {
                let error = await #expect(throws: MatrixError.self) { try await update(claimed, algorithm) }
                #expect(error?.code == .invalidParameter)
            }
            try await update(version, "m.megolm_backup.v1")
            try await update(nil, "m.megolm_backup.v1")
            #expect(try await fixture.backups.backup(version, user: alice.number).authData == Array(data.bytes))
        }
    }

    @Test func aBetterKeyReplacesAWorseOne() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let version = try await create(fixture, alice)
            var etags: [String] = []
            let steps: [(JSONValue, isTaken: Bool)] = [
                (session(5, forwarded: 5, data: "first"), true), (session(5, forwarded: 5, data: "same"), false),
                (session(6, forwarded: 0, data: "later"), false), (session(5, forwarded: 4, data: "closer"), true),
                (session(4, forwarded: 9, data: "earlier"), true),
                (session(9, forwarded: 9, verified: true, data: "verified"), true),
                (session(0, forwarded: 0, data: "unverified"), false),
            ]
            var kept: JSONValue = .null
            for (session, isTaken) in steps {
                let summary = try await put(fixture, alice, version, session)
                #expect(summary.count == 1)
                #expect((etags.last != summary.etag) == isTaken, "\(session)")
                etags.append(summary.etag)
                if isTaken { kept = session }
                let found = try await fixture.backups.sessions(
                    .session(room: "!room", "id"), version: version, user: alice.number
                )
                #expect(try JSON(parsing: found).value == kept)
            }
        }
    }

    @Test func keysAreFoundAndDeletedAtEachLevel() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let version = try await create(fixture, alice)
            _ = try await create(fixture, bob)
            let body: JSONValue = [
                "rooms": [
                    "!a": ["sessions": ["1": session(1), "2": session(2)]], "!b": ["sessions": ["1": session(3)]],
                    "!empty": ["sessions": [:]],
                ]
            ]
            let stored = try await fixture.backups.store(
                try BackedUpSessions.rooms(body.json), version: version, user: alice.number
            )
            #expect(stored.count == 3)
            let text = { (scope: BackedUpSessionScope, user: KeyUser) in
                try JSON(parsing: try await fixture.backups.sessions(scope, version: version, user: user.number)).value
            }
            #expect(
                try await text(.all, alice)
                    == [
                        "rooms": [
                            "!a": ["sessions": ["1": session(1), "2": session(2)]],
                            "!b": ["sessions": ["1": session(3)]],
                        ]
                    ]
            )
            #expect(try await text(.all, bob) == ["rooms": [:]])
            #expect(try await text(.room("!b"), alice) == ["sessions": ["1": session(3)]])
            #expect(try await text(.room("!none"), alice) == ["sessions": [:]])
            let error = await #expect(throws: MatrixError.self) { _ = try await text(.session(room: "!b", "2"), alice) }
            #expect(error?.code == .notFound)

            let nothing = try await fixture.backups.delete(.room("!none"), version: version, user: alice.number)
            #expect(nothing == stored)
            let one = try await fixture.backups.delete(.session(room: "!a", "2"), version: version, user: alice.number)
            #expect(one.count == 2 && one.etag != stored.etag)
            #expect(try await fixture.backups.delete(.room("!a"), version: version, user: alice.number).count == 1)
            #expect(try await fixture.backups.delete(.all, version: version, user: alice.number).count == 0)
            #expect(try await text(.all, alice) == ["rooms": [:]])
        }
    }

    @Test func onlyTheCurrentBackupTakesKeys() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let old = try await create(fixture, alice)
            let current = try await create(fixture, alice)
            let error = await #expect(throws: MatrixError.self) { _ = try await put(fixture, alice, old, session(1)) }
            #expect(error?.status == 403 && error?.code == .wrongRoomKeysVersion)
            #expect(error?.extra["current_version"]?.string == current)
            let unknown = await #expect(throws: MatrixError.self) {
                _ = try await put(fixture, alice, "77", session(1))
            }
            #expect(unknown?.status == 404)
        }
    }

    @Test func concurrentStoresCountRight() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let version = try await create(fixture, alice)
            let etags = try await withThrowingTaskGroup(of: String.self) { group in
                for index in 0..<20 {
                    group.addTask { try await put(fixture, alice, version, session(1), id: "\(index)").etag }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(etags.count == 20)
            #expect(try await fixture.backups.backup(version, user: alice.number).count == 20)
        }
    }

    @Test func malformedRoomKeysAreRefused() {
        var missing = session(1)
        missing["session_data"] = nil
        for json in [missing, session(-1), "text", ["first_message_index": "1"]] as [JSONValue] {
            #expect(throws: MatrixError.self) { try BackedUpSessions.session(json.json, room: "!a", session: "1") }
        }
        #expect(throws: MatrixError.self) {
            try BackedUpSessions.session(session(1).json, room: "!a\u{0}", session: "1")
        }
        #expect(throws: MatrixError.self) { try BackedUpSessions.rooms(JSONValue.object(["rooms": []]).json) }
    }
}
