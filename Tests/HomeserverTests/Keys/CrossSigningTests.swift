import Homeserver
import Matrix
import Store
import Testing

@Suite struct CrossSigningTests {
    private let master = ClientKey(10)
    private let selfSigning = ClientKey(11)
    private let userSigning = ClientKey(12)

    private func publish(
        _ fixture: KeysFixture, _ user: KeyUser, master: JSONValue? = nil, selfSigning: JSONValue? = nil,
        userSigning: JSONValue? = nil, auth: JSONValue? = nil, isAppService: Bool = false
    ) async throws {
        let upload = try CrossSigningUpload(
            master: master?.json, selfSigning: selfSigning?.json, userSigning: userSigning?.json, owner: user.id
        )
        try await fixture.crossSigning.upload(
            upload, user: user.number, userID: user.id, auth: auth?.json, isAppService: isAppService
        )
    }

    private func publishAll(_ fixture: KeysFixture, _ user: KeyUser) async throws {
        try await publish(
            fixture, user, master: user.crossSigningKey("master", master),
            selfSigning: user.crossSigningKey("self_signing", selfSigning, master: master),
            userSigning: user.crossSigningKey("user_signing", userSigning, master: master)
        )
    }

    private func sign(
        _ fixture: KeysFixture, _ signer: KeyUser, _ target: KeyUser, _ name: String, _ json: JSONValue
    ) async throws -> [SignatureFailure] {
        try await fixture.crossSigning.uploadSignatures(
            [SignedKeyUpload(user: target.id, key: name, json: json.json)], by: signer.number, signer.id
        )
    }

    @Test func replacingKeysNeedsAuthenticationAndNothingElseDoes() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            try await publishAll(fixture, alice)
            // The same once more.
            let end = fixture.store.journal.end
            try await publishAll(fixture, alice)
            #expect(fixture.store.journal.end == end)
            #expect(fixture.authorization.used == 0)

            let other = ClientKey(20)
            let replacement = alice.crossSigningKey("self_signing", other, master: master)
            let error = await #expect(throws: MatrixError.self) {
                try await publish(fixture, alice, selfSigning: replacement)
            }
            #expect(error?.status == 401)
            try await publish(fixture, alice, selfSigning: replacement, auth: [:])
            #expect(fixture.authorization.used == 1)
            try await publish(
                fixture, alice, selfSigning: alice.crossSigningKey("self_signing", selfSigning, master: master),
                isAppService: true
            )
            #expect(fixture.authorization.used == 1)
        }
    }

    @Test func keysMustBeSignedByTheMasterKey() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            var error = await #expect(throws: MatrixError.self) {
                try await publish(
                    fixture, alice, selfSigning: alice.crossSigningKey("self_signing", selfSigning, master: master)
                )
            }
            #expect(error?.code == .missingParameter)
            for key in [
                alice.crossSigningKey("self_signing", selfSigning),
                alice.crossSigningKey("self_signing", selfSigning, master: ClientKey(99)),
            ] {
                error = await #expect(throws: MatrixError.self) {
                    try await publish(
                        fixture, alice, master: alice.crossSigningKey("master", master), selfSigning: key
                    )
                }
                #expect(error?.status == 400 && error?.code == .invalidSignature)
            }
            // A forged signature of the right name.
            var forged = alice.crossSigningKey("self_signing", selfSigning)
            forged["signatures"] = .object([
                alice.id.string: .object([
                    "ed25519:\(master.publicKey)": .string(ClientKey(99).signature(of: forged))
                ])
            ])
            error = await #expect(throws: MatrixError.self) {
                try await publish(fixture, alice, master: alice.crossSigningKey("master", master), selfSigning: forged)
            }
            #expect(error?.code == .invalidSignature)
            let answer = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: alice.number)
            #expect(answer.masterKeys.isEmpty)
        }
    }

    @Test func malformedKeysAreRefused() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice", devices: [ClientKey(10).publicKey])
            let bob = try await fixture.user("bob")
            var misnamed = alice.crossSigningKey("master", master)
            misnamed["keys"] = .object(["ed25519:name": .string(master.publicKey)])
            for key in [
                bob.crossSigningKey("master", master), alice.crossSigningKey("self_signing", master), misnamed, "text",
            ] {
                let error = await #expect(throws: MatrixError.self) { try await publish(fixture, alice, master: key) }
                #expect(error?.code == .badJSON)
            }
            // Called like a device.
            let error = await #expect(throws: MatrixError.self) {
                try await publish(fixture, alice, master: alice.crossSigningKey("master", master))
            }
            #expect(error?.status == 403)
        }
    }

    @Test func theUserSigningKeyIsSeenByItsOwnerAlone() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            try await fixture.room([alice, bob])
            try await publish(
                fixture, alice, master: alice.crossSigningKey("master", master),
                selfSigning: alice.crossSigningKey("self_signing", selfSigning, master: master)
            )
            let before = fixture.store.journal.end
            try await publish(
                fixture, alice, userSigning: alice.crossSigningKey("user_signing", userSigning, master: master),
                auth: [:]
            )
            #expect(try await fixture.changed(for: alice, after: before) == [alice.number])
            #expect(try await fixture.changed(for: bob, after: before) == [])
            let own = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: alice.number)
            let seen = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: bob.number)
            #expect(own.userSigningKeys[alice.id] != nil && seen.userSigningKeys.isEmpty)
            #expect(seen.masterKeys[alice.id] == own.masterKeys[alice.id] && seen.selfSigningKeys[alice.id] != nil)
            let outside = try await fixture.keys.localKeys([alice.id: []], seenBy: nil)
            #expect(outside.userSigningKeys.isEmpty && outside.masterKeys[alice.id] != nil)
        }
    }

    @Test func aSignedDeviceIsSeenAsSuchByEveryone() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            try await fixture.room([alice, bob])
            let device = ClientKey(1)
            let name = alice.devices[0].string
            let keys = alice.deviceKeys(key: device)
            try await fixture.upload(alice, deviceKeys: keys)
            try await publishAll(fixture, alice)
            let before = fixture.store.journal.end

            // Wrong key, then another object than the one that was uploaded.
            var failures = try await sign(fixture, alice, alice, name, ClientKey(99).sign(keys, as: alice.id))
            #expect(failures.map(\.error.code) == [.invalidSignature])
            let changed = alice.deviceKeys(key: device, extra: ["algorithms": []])
            failures = try await sign(fixture, alice, alice, name, selfSigning.sign(changed, as: alice.id))
            #expect(failures.map(\.error.code) == [.invalidSignature])
            failures = try await sign(fixture, alice, alice, "NODEVICE", selfSigning.sign(keys, as: alice.id))
            #expect(failures.map(\.error.code) == [.notFound])
            #expect(fixture.store.journal.end == before)

            failures = try await sign(fixture, alice, alice, name, selfSigning.sign(keys, as: alice.id))
            #expect(failures.isEmpty)
            #expect(try await fixture.changed(for: bob, after: before) == [alice.number])
            let answer = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: bob.number)
            let found = try JSON(parsing: try #require(answer.deviceKeys[alice.id]?[alice.devices[0]]))
            let signatures = found["signatures"]?[alice.id.string]
            #expect(signatures?["ed25519:\(name)"]?.string == device.signature(of: keys))
            #expect(signatures?["ed25519:\(selfSigning.publicKey)"]?.string == selfSigning.signature(of: keys))

            // The same keys once more keep the signature, other keys do not.
            try await fixture.upload(alice, deviceKeys: keys)
            var again = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: bob.number)
            #expect(again.deviceKeys == answer.deviceKeys)
            try await fixture.upload(alice, deviceKeys: changed)
            again = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: bob.number)
            let new = try JSON(parsing: try #require(again.deviceKeys[alice.id]?[alice.devices[0]]))
            #expect(new["signatures"]?.value == changed["signatures"])
        }
    }

    @Test func aDeviceSignsTheMasterKey() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let device = ClientKey(1)
            try await fixture.upload(alice, deviceKeys: alice.deviceKeys(key: device))
            try await publishAll(fixture, alice)
            let json = alice.crossSigningKey("master", master)
            let bad = ClientKey(2).sign(json, as: alice.id, keyName: alice.devices[0].string)
            #expect(try await sign(fixture, alice, alice, master.publicKey, bad).count == 1)
            let good = device.sign(json, as: alice.id, keyName: alice.devices[0].string)
            #expect(try await sign(fixture, alice, alice, master.publicKey, good).isEmpty)
            let answer = try await fixture.keys.query(KeyQuery(users: [alice.id: []]), by: alice.number)
            #expect(try JSON(parsing: try #require(answer.masterKeys[alice.id])).value == good)
        }
    }

    @Test func signaturesOnOthersAreSeenByTheirSignerAlone() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            try await fixture.room([alice, bob])
            try await publishAll(fixture, alice)
            let bobsMaster = ClientKey(30)
            let json = bob.crossSigningKey("master", bobsMaster)
            try await publish(fixture, bob, master: json)
            let before = fixture.store.journal.end
            let signed = userSigning.sign(json, as: alice.id)
            #expect(try await sign(fixture, alice, bob, bobsMaster.publicKey, signed).isEmpty)
            #expect(try await fixture.changed(for: alice, after: before) == [bob.number])
            #expect(try await fixture.changed(for: bob, after: before) == [])

            let seenByAlice = try await fixture.keys.query(KeyQuery(users: [bob.id: []]), by: alice.number)
            #expect(try JSON(parsing: try #require(seenByAlice.masterKeys[bob.id])).value == signed)
            let seenByBob = try await fixture.keys.query(KeyQuery(users: [bob.id: []]), by: bob.number)
            #expect(try JSON(parsing: try #require(seenByBob.masterKeys[bob.id])).value == json)

            // Bob begins anew: what was said of his old key says nothing of the new one.
            let new = ClientKey(31)
            try await publish(fixture, bob, master: bob.crossSigningKey("master", new), auth: [:])
            let later = try await fixture.keys.query(KeyQuery(users: [bob.id: []]), by: alice.number)
            #expect(try JSON(parsing: try #require(later.masterKeys[bob.id]))["signatures"] == nil)
            #expect(try await sign(fixture, alice, bob, bobsMaster.publicKey, signed).map(\.error.code) == [.notFound])
        }
    }

    @Test func aMasterKeyOfAnotherServerIsSigned() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            try await publishAll(fixture, alice)
            let id = try #require(UserID("@bob:there.example"))
            let bob = KeyUser(number: UserNumber(-1), id: id, devices: [])
            let bobsMaster = ClientKey(30)
            let json = bob.crossSigningKey("master", bobsMaster)
            let signed = userSigning.sign(json, as: alice.id)
            #expect(try await sign(fixture, alice, bob, bobsMaster.publicKey, signed).map(\.error.code) == [.notFound])
            fixture.remote.answer("there.example", ["master_keys": .object([id.string: json])])
            #expect(try await sign(fixture, alice, bob, bobsMaster.publicKey, signed).isEmpty)
            let answer = try await fixture.keys.query(KeyQuery(users: [id: []]), by: alice.number)
            #expect(try JSON(parsing: try #require(answer.masterKeys[id])).value == signed)
        }
    }
}
