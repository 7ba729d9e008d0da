import Homeserver
import Matrix
import Store
import Testing

@Suite struct KeyUploadTests {
    @Test func uploadedKeysAreFoundAsTheyWere() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let keys = alice.deviceKeys(key: ClientKey(1), extra: ["com.example.extra": ["kept": true]])
            try await fixture.upload(alice, deviceKeys: keys)

            let answer = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: bob.number)
            let found = try JSON(parsing: try #require(answer.deviceKeys[alice.id]?[alice.devices[0]]))
            #expect(found["com.example.extra"]?["kept"]?.bool == true)
            #expect(found["unsigned"]?.members.contains { _ in true } == false)
            #expect(JSONSigning.signedText(of: found) == JSONSigning.signedText(of: keys.json))
            #expect(found["signatures"]?.value == keys["signatures"])
            #expect(answer.masterKeys.isEmpty && answer.failures.isEmpty)
        }
    }

    @Test func keysOfSomebodyElseAreRefused() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice", devices: ["ONE", "TWO"])
            let bob = try await fixture.user("bob", devices: ["ONE"])
            let key = ClientKey(1)
            for keys in [
                bob.deviceKeys(key: key), alice.deviceKeys(1, key: key),
                alice.deviceKeys(key: key, extra: ["algorithms": "none"]), "no object",
                ["user_id": .string(alice.id.string), "device_id": "ONE"],
            ] as [JSONValue] {
                let error = await #expect(throws: MatrixError.self) {
                    try await fixture.upload(alice, deviceKeys: keys, oneTime: ["a:b": "key"])
                }
                #expect(error?.status == 400 && error?.code == .badJSON)
            }
            // Nothing of a refused request is stored.
            #expect(try await fixture.upload(alice)["a"] == nil)
        }
    }

    @Test func oneTimeKeysKeepTheirNames() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let first: JSONValue = ["signed_curve25519:1": ["key": "one", "signatures": [:]], "test:1": "text"]
            #expect(try await fixture.upload(alice, oneTime: first) == ["signed_curve25519": 1, "test": 1])
            // The same once more, its members in another order.
            let again: JSONValue = ["signed_curve25519:1": ["signatures": [:], "key": "one"]]
            #expect(try await fixture.upload(alice, oneTime: again) == ["signed_curve25519": 1, "test": 1])

            let end = fixture.store.journal.end
            let error = await #expect(throws: MatrixError.self) {
                try await fixture.upload(
                    alice, oneTime: ["signed_curve25519:2": ["key": "new"], "signed_curve25519:1": ["key": "other"]]
                )
            }
            #expect(error?.status == 400 && error?.code == .unknown)
            #expect(try await fixture.upload(alice) == ["signed_curve25519": 1, "test": 1])
            #expect(fixture.store.journal.end == end)
        }
    }

    @Test func malformedOneTimeKeysAreRefused() throws {
        for keys in [["noname": "key"], ["algorithm:": "key"], [":id": "key"], ["a:b": 1], ["a:b\u{0}": "key"], []]
            as [JSONValue]
        {
            let error = #expect(throws: MatrixError.self) {
                try KeyUpload(deviceKeys: nil, oneTimeKeys: keys.json, fallbackKeys: nil)
            }
            #expect(error?.code == .badJSON)
        }
        let upload = try KeyUpload(deviceKeys: JSONValue.null.json, oneTimeKeys: JSON.emptyObject, fallbackKeys: nil)
        #expect(upload.isEmpty)
    }

    @Test func countsFollowWhatHappens() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let counts = { try await fixture.keys.counts.counts(of: alice.devices[0], of: alice.number) }
            #expect(
                try await counts() == KeyCountsOfDevice(oneTimeKeys: ["signed_curve25519": 0], unusedFallbackKeys: []))
            try await fixture.upload(alice, oneTime: ["a:1": "x", "a:2": "y"], fallback: ["a:f": "z", "b:f": "z"])
            #expect(
                try await counts()
                    == KeyCountsOfDevice(
                        oneTimeKeys: ["a": 2, "signed_curve25519": 0], unusedFallbackKeys: ["a", "b"]
                    )
            )
            for _ in 0..<3 { _ = try await fixture.keys.claim([alice.id: [alice.devices[0]: "a"]]) }
            #expect(
                try await counts()
                    == KeyCountsOfDevice(oneTimeKeys: ["signed_curve25519": 0], unusedFallbackKeys: ["b"])
            )
        }
    }

    @Test func aRemovedDeviceTakesItsKeysAlong() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            try await fixture.upload(
                alice, deviceKeys: alice.deviceKeys(key: ClientKey(1)), oneTime: ["a:1": "x"], fallback: ["a:f": "z"]
            )
            try await fixture.store.write { writer in
                _ = try writer.devices.delete(alice.devices, of: alice.number)
                try DeviceKeyRemoval().devicesRemoved(alice.devices, of: alice.number, in: writer)
                try writer.journal.append(.deviceList(alice.number))
            }
            let error = await #expect(throws: MatrixError.self) {
                try await fixture.upload(alice, oneTime: ["a:2": "x"])
            }
            #expect(error?.code == .unknownToken)
            let answer = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: alice.number)
            #expect(answer.deviceKeys[alice.id]?.isEmpty == true)
            #expect(try await fixture.keys.claim([alice.id: [alice.devices[0]: "a"]]).keys.isEmpty)
        }
    }
}
