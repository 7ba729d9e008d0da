import Database
import FederationInbound
import FederationWire
import Homeserver
import Matrix
import Store
import Synchronization
import TestSupport
import Testing
import Web

@testable import FederationOutbound

/// Keys of real servers over HTTPS, kept in each engine.
@Suite struct KeyRingTests {
    private static let day: Int64 = 24 * 3_600_000

    /// A server that gives out what it is told to.
    private final class KeyServer: Sendable {
        private struct State {
            var document: [UInt8]? = []
            var asked = 0
        }

        private let state = Mutex(State())
        let name: ServerName
        let key: SigningKey

        init(_ network: TestNetwork, _ host: String, seed: UInt8) async throws {
            key = try #require(SigningKey(seed: [UInt8](repeating: seed, count: 32), version: "k\(seed)"))
            let holder = Mutex<KeyServer?>(nil)
            let router = Router()
            router.add(.get("/_matrix/key/v2/server")) { _ in
                guard let server = holder.withLock({ $0 }), let document = server.answer() else {
                    return HTTPResponse(status: 503)
                }
                return .json(200, document)
            }
            network.names.set(host, "127.0.0.1")
            let port = try await network.serve(["DNS:\(host)"], router)
            name = ServerName(trusted: "\(host):\(port)")
            holder.withLock { $0 = self }
            publish(try make(validUntil: network.clock.now + KeyRingTests.day))
        }

        private func answer() -> [UInt8]? {
            state.withLock { state in
                state.asked += 1
                return state.document
            }
        }

        var asked: Int { state.withLock { $0.asked } }

        func make(
            name: ServerName? = nil, keys: [SigningKey]? = nil, old: [SigningKeyID: KeyDocument.OldKey] = [:],
            validUntil: Int64
        ) throws -> [UInt8] {
            try KeyDocument.make(
                serverName: name ?? self.name, keys: keys ?? [key], oldKeys: old, validUntilTS: validUntil)
        }

        /// What is given out from now on; `nil` for an error.
        func publish(_ document: [UInt8]?) { state.withLock { $0.document = document } }
    }

    private func onEachEngine(_ body: (TestNetwork, Store) async throws -> Void) async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database, cacheBytes: 1 << 20)
            try await TestNetwork.run { network in try await body(network, store) }
        }
    }

    private func ring(_ network: TestNetwork, _ store: Store, _ policy: KeyRing.Policy = KeyRing.Policy()) throws
        -> KeyRing
    {
        KeyRing(
            store: store, clock: network.clock, serverName: TestNetwork.here,
            own: SigningKeyring(SigningKeyFile(network.signingKey)), source: try network.client(), policy: policy,
            logger: TestNetwork.quiet)
    }

    private func keyID(_ text: String) throws -> SigningKeyID { try #require(SigningKeyID(text)) }

    @Test func keysAreFetchedOnceAndKept() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let ring = try ring(network, store)
            let now = network.clock.now
            // Many at once ask once.
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        await ring.keys([server.name: [server.key.keyID: now]])[server.name]?[server.key.keyID]
                            == server.key.publicKey
                    }
                }
                for await isFound in group { #expect(isFound) }
            }
            #expect(server.asked == 1)
            // After a restart the database knows.
            let again = try self.ring(network, store)
            #expect(await again.keysInUse([server.key.keyID], of: server.name, now: now).count == 1)
            #expect(server.asked == 1)
        }
    }

    @Test func validityIsHonored() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let old = try #require(SigningKey(seed: [UInt8](repeating: 9, count: 32), version: "old"))
            let now = network.clock.now
            server.publish(
                try server.make(
                    old: [old.keyID: KeyDocument.OldKey(key: old.publicKey, expiredTS: now - 1_000)],
                    validUntil: now + 365 * Self.day))
            let ring = try ring(network, store)
            func isValid(_ key: SigningKey, at time: Int64?) async -> Bool {
                await ring.keys([server.name: [key.keyID: time]])[server.name]?[key.keyID] == key.publicKey
            }
            #expect(await isValid(server.key, at: now))
            // However long the server vouches for a key, seven days are believed.
            #expect(await isValid(server.key, at: now + 7 * Self.day))
            #expect(await !isValid(server.key, at: now + 7 * Self.day + 1))
            // Old keys: events of up to their expiry, and no requests.
            #expect(await isValid(old, at: now - 1_000))
            #expect(await !isValid(old, at: now - 999))
            #expect(await isValid(old, at: nil))
            #expect(await ring.keysInUse([old.keyID], of: server.name, now: now - 2_000).isEmpty)
            #expect(await ring.keysInUse([server.key.keyID], of: server.name, now: now).count == 1)
        }
    }

    @Test func expiredKeysAreFetchedAnew() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let ring = try ring(network, store)
            #expect(await ring.keysInUse([server.key.keyID], of: server.name, now: network.clock.now).count == 1)
            network.clock.advance(milliseconds: 2 * Self.day)
            // While the server does not answer, an expired key does not count.
            server.publish(nil)
            #expect(await ring.keysInUse([server.key.keyID], of: server.name, now: network.clock.now).isEmpty)
            #expect(await ring.keys([server.name: [server.key.keyID: network.clock.now - Self.day]]).count == 1)
            network.clock.advance(milliseconds: 60_000)
            server.publish(try server.make(validUntil: network.clock.now + Self.day))
            #expect(await ring.keysInUse([server.key.keyID], of: server.name, now: network.clock.now).count == 1)
        }
    }

    @Test func rotationIsNoticed() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let ring = try ring(network, store)
            let now = network.clock.now
            #expect(await ring.keysInUse([server.key.keyID], of: server.name, now: now).count == 1)
            let new = try #require(SigningKey(seed: [UInt8](repeating: 5, count: 32), version: "new"))
            server.publish(
                try server.make(
                    keys: [new],
                    old: [server.key.keyID: KeyDocument.OldKey(key: server.key.publicKey, expiredTS: now)],
                    validUntil: now + Self.day))
            // Right after the old one was asked for.
            #expect(await ring.keys([server.name: [new.keyID: now]]).count == 1)
            network.clock.advance(milliseconds: 10_000)
            #expect(await ring.keysInUse([new.keyID], of: server.name, now: network.clock.now).count == 1)
            // The key it has replaced signs no requests any more, and no later events.
            #expect(await ring.keysInUse([server.key.keyID], of: server.name, now: network.clock.now).isEmpty)
            #expect(await ring.keys([server.name: [server.key.keyID: now]]).count == 1)
            #expect(await ring.keys([server.name: [server.key.keyID: now + 1]]).isEmpty)
        }
    }

    @Test func liesAreNotBelieved() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let victim = try await KeyServer(network, "b.example", seed: 2)
            let now = network.clock.now
            let evil = try #require(SigningKey(seed: [UInt8](repeating: 66, count: 32), version: "k2"))
            let lies: [[UInt8]] = [
                // Another's name; the same, well signed by that name with a key of the liar's own.
                try server.make(name: victim.name, validUntil: now + Self.day),
                try server.make(name: victim.name, keys: [evil], validUntil: now + Self.day),
                // Changed after it was signed; no document; not JSON.
                Array(
                    String(decoding: try server.make(validUntil: now + Self.day), as: UTF8.self)
                        .replacingToken("valid_until_ts\":18", by: "valid_until_ts\":19").utf8),
                Array("{}".utf8), Array("[".utf8), [],
            ]
            for lie in lies {
                server.publish(lie)
                let ring = try ring(network, store)
                let found = await ring.keys([server.name: [server.key.keyID: now, evil.keyID: now]])
                #expect(found.isEmpty)
                #expect(
                    await ring.keys([victim.name: [victim.key.keyID: now]])[victim.name]?.values.first
                        == victim.key.publicKey)
                network.health.noteReachable(server.name)
            }
            #expect(try await store.read { try $0.serverKeys.keys(of: [server.name]) }.isEmpty)
        }
    }

    @Test func whoIsDownOrKnowsNothingIsNotAskedAgainAtOnce() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let ring = try ring(network, store)
            let now = network.clock.now
            for number in 0..<9 { _ = await ring.keys([server.name: [try keyID("ed25519:made_up\(number)"): now]]) }
            #expect(server.asked == 3)
            for _ in 0..<2 {
                network.clock.advance(milliseconds: 31_000)
                for number in 0..<9 { _ = await ring.keys([server.name: [try keyID("ed25519:made_up\(number)"): now]]) }
            }
            #expect(server.asked == 5)
            let down = ServerName(trusted: "127.0.0.9:1")
            for _ in 0..<5 { #expect(await ring.keys([down: [try keyID("ed25519:x"): now]]).isEmpty) }
            #expect(network.health.mayAsk(down))
        }
    }

    @Test func pinnedKeysAreTheOnlyOnes() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let pinned = try #require(SigningKey(seed: [UInt8](repeating: 3, count: 32), version: "pinned"))
            let ring = try ring(
                network, store, KeyRing.Policy(pinned: [server.name: [pinned.keyID: pinned.publicKey]]))
            let now = network.clock.now
            let found = await ring.keys([server.name: [server.key.keyID: now, pinned.keyID: now + 100 * Self.day]])
            #expect(found == [server.name: [pinned.keyID: pinned.publicKey]])
            #expect(await ring.keysInUse([server.key.keyID], of: server.name, now: now).isEmpty)
            #expect(server.asked == 0)
            // Nor does this server vouch for others as a notary.
            #expect(try await ring.documents([server.name: WantedKeys(keyIDs: [], validUntilTS: now)]).isEmpty)
        }
    }

    @Test func ownKeysAreKnown() async throws {
        try await onEachEngine { network, store in
            let ring = try ring(network, store)
            let now = network.clock.now
            let own = network.signingKey
            #expect(
                await ring.keys([TestNetwork.here: [own.keyID: now, try keyID("ed25519:other"): now]])
                    == [TestNetwork.here: [own.keyID: own.publicKey]])
            #expect(network.names.asked.isEmpty)
        }
    }

    /// A notary is another Chappe: its key endpoints over its own key ring.
    private func notary(_ network: TestNetwork, _ store: Store) async throws -> (ServerName, KeyRing) {
        let router = Router()
        let holder = Mutex<KeyRing?>(nil)
        network.names.set("notary.example", "127.0.0.1")
        let forwarding = Forwarding(ring: { holder.withLock { $0 } })
        router.addServerKeyRoutes(
            publication: forwarding, clock: network.clock, version: "1",
            in: EndpointEnvironment(
                authenticator: Nobody(), rateLimiter: RateLimiter(RateLimits(isEnabled: false)) { 0 }))
        let port = try await network.serve(["DNS:notary.example"], router)
        let name = ServerName(trusted: "notary.example:\(port)")
        let key = try #require(SigningKey(seed: [UInt8](repeating: 11, count: 32), version: "notary"))
        let ring = KeyRing(
            store: store, clock: network.clock, serverName: name, own: SigningKeyring(SigningKeyFile(key)),
            source: try network.client(), logger: TestNetwork.quiet)
        holder.withLock { $0 = ring }
        return (name, ring)
    }

    private struct Forwarding: KeyPublication {
        let ring: @Sendable () -> KeyRing?
        func ownDocument() throws -> [UInt8] { try ring()?.ownDocument() ?? [] }
        func documents(_ wanted: [ServerName: WantedKeys]) async throws -> [[UInt8]] {
            try await ring()?.documents(wanted) ?? []
        }
    }

    private struct Nobody: Authenticator {
        func authenticate(accessToken: String, masquerade: Masquerade?, for request: HTTPRequest) async throws -> Caller
        {
            throw MatrixError.missingToken
        }
    }

    @Test func notariesStandInForServersThatAreDown() async throws {
        try await onEachEngine { network, store in
            try await withSQLite { database in
                let server = try await KeyServer(network, "a.example", seed: 1)
                let (name, notary) = try await self.notary(network, try await Store.open(database, cacheBytes: 1 << 20))
                let now = network.clock.now
                let wanted = [server.name: WantedKeys(keyIDs: [server.key.keyID], validUntilTS: now)]
                #expect(try await notary.documents(wanted).count == 1)
                server.publish(nil)
                let ring = try ring(network, store, KeyRing.Policy(notaries: [name]))
                let found = await ring.keys([server.name: [server.key.keyID: now]])
                #expect(found == [server.name: [server.key.keyID: server.key.publicKey]])
                let stored = try await store.read { try $0.serverKeys.keys(of: [server.name]) }
                #expect(stored.map(\.isDirect) == [false])
                // Many servers at once are asked of the notary first.
                var many: [ServerName: [SigningKeyID: Int64?]] = [server.name: [server.key.keyID: now]]
                for number in 0..<20 { many[ServerName(trusted: "n\(number).invalid:1")] = [server.key.keyID: now] }
                #expect(await ring.keys(many).count == 1)
            }
        }
    }

    @Test func documentsAreGivenOutWithinBounds() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let ring = try ring(network, store)
            let now = network.clock.now
            func documents(_ keys: [String] = [], until: Int64? = nil) async throws -> [KeyDocument] {
                let wanted = WantedKeys(keyIDs: Set(try keys.map(keyID)), validUntilTS: until ?? network.clock.now)
                return try await ring.documents([server.name: wanted]).map {
                    let json = try JSON(parsing: $0)
                    let key = network.signingKey
                    #expect(
                        JSONSigning.verify(json, server: TestNetwork.here, keyID: key.keyID, key: key.publicKey))
                    return try KeyDocument(verifying: json)
                }
            }
            #expect(try await documents().map(\.serverName) == [server.name])
            #expect(server.asked == 1)
            // Strangers' questions fill no table of keys.
            #expect(try await store.read { try $0.serverKeys.keys(of: [server.name]) }.isEmpty)
            // For half of its time the document is given out as it is.
            network.clock.advance(milliseconds: Self.day / 2 - 1_000)
            #expect(try await documents(["ed25519:k1"]).count == 1)
            #expect(server.asked == 1)
            // Then, or when more is wanted, the server is asked, and if it does not answer the old document still serves.
            network.clock.advance(milliseconds: 2_000)
            server.publish(nil)
            #expect(try await documents().count == 1)
            #expect(server.asked == 2)
            network.clock.advance(milliseconds: 3_600_000)
            server.publish(try server.make(validUntil: now + 5 * Self.day))
            #expect(
                try await documents(["ed25519:other"], until: now + 3 * Self.day).map(\.validUntilTS) == [
                    now + 5 * Self.day
                ])
            #expect(server.asked == 3)
            // One question leads to a few others at most.
            var many: [ServerName: WantedKeys] = [:]
            for number in 0..<200 {
                many[ServerName(trusted: "n\(number).invalid:1")] = WantedKeys(keyIDs: [], validUntilTS: now)
            }
            let before = network.names.asked.count
            #expect(try await ring.documents(many).isEmpty)
            // An A and an AAAA question each, and each perhaps twice.
            #expect(Set(network.names.asked.dropFirst(before)).count <= 20)
        }
    }

    @Test func keysThatTheirServerNamesNoMoreCanStillBeHad() async throws {
        try await onEachEngine { network, store in
            let server = try await KeyServer(network, "a.example", seed: 1)
            let ring = try ring(network, store)
            func ask(_ keys: [SigningKeyID]) async throws -> [[SigningKeyID]] {
                let wanted = WantedKeys(keyIDs: Set(keys), validUntilTS: network.clock.now)
                return try await ring.documents([server.name: wanted]).map {
                    try KeyDocument(verifying: JSON(parsing: $0)).verifyKeys.keys.sorted()
                }
            }
            #expect(try await ask([server.key.keyID]) == [[server.key.keyID]])
            var last = server.key.keyID
            for seed in UInt8(2)..<16 {
                let key = try #require(SigningKey(seed: [UInt8](repeating: seed, count: 32), version: "k\(seed)"))
                network.clock.advance(milliseconds: Self.day)
                server.publish(try server.make(keys: [key], validUntil: network.clock.now + Self.day))
                #expect(try await ask([key.keyID]) == [[key.keyID]])
                #expect(try await ask([last, key.keyID]) == [[last], [key.keyID]].sorted { $0[0] < $1[0] })
                #expect(try await ask([]) == [[key.keyID]])
                last = key.keyID
            }
            // A server that names new keys again and again does not fill the table.
            let kept = try await store.read { try $0.serverKeys.documents(of: [server.name]) }
            #expect(kept.count == ServerKeyWriter.maximumDocumentsPerServer)
            #expect(kept.first?.keyIDs == [last])
        }
    }

    @Test func ownDocumentFollowsTheKeys() async throws {
        try await onEachEngine { network, store in
            let keyring = SigningKeyring(SigningKeyFile(network.signingKey))
            let ring = KeyRing(
                store: store, clock: network.clock, serverName: TestNetwork.here, own: keyring,
                source: try network.client(), logger: TestNetwork.quiet)
            let first = try ring.ownDocument()
            network.clock.advance(milliseconds: 3_600_000)
            #expect(try ring.ownDocument() == first)
            network.clock.advance(milliseconds: Self.day / 2)
            let second = try KeyDocument(verifying: JSON(parsing: try ring.ownDocument()))
            #expect(second.validUntilTS == network.clock.now + Self.day)
            var file = keyring.keys
            let new = try #require(SigningKey(seed: [UInt8](repeating: 8, count: 32), version: "new"))
            let isRotated = file.rotate(to: new, expiredTS: network.clock.now)
            #expect(isRotated)
            keyring.replace(by: file)
            let third = try KeyDocument(verifying: JSON(parsing: try ring.ownDocument()))
            #expect(third.verifyKeys == [new.keyID: new.publicKey])
            #expect(third.oldVerifyKeys[network.signingKey.keyID]?.expiredTS == network.clock.now)
        }
    }

    @Test func tablesAreBounded() async throws {
        try await onEachEngine { network, store in
            let server = ServerName(trusted: "a.example")
            let key = network.signingKey.publicKey
            func records(_ fetched: Int64) throws -> [ServerKeyRecord] {
                try (0..<300).map { number in
                    ServerKeyRecord(
                        server: server, keyID: try keyID("ed25519:\(fetched)_\(number)"), key: key, validUntilTS: 1,
                        isOld: false, isDirect: true, fetchedTS: fetched)
                }
            }
            for fetched in [1, 2, 3] as [Int64] {
                let records = try records(fetched)
                try await store.write { try $0.serverKeys.learn(records, of: server) }
            }
            let kept = try await store.read { try $0.serverKeys.keys(of: [server]) }
            #expect(kept.count == ServerKeyWriter.maximumKeysPerServer)
            #expect(kept.filter { $0.fetchedTS == 3 }.count == 300)
            #expect(!kept.contains { $0.fetchedTS == 1 })
        }
    }

    @Test func aNotarysWordWeighsLess() async throws {
        try await onEachEngine { network, store in
            let server = ServerName(trusted: "a.example")
            let other = try #require(SigningKey(seed: [UInt8](repeating: 8, count: 32), version: "x")).publicKey
            let keyID = try keyID("ed25519:a")
            func learn(_ key: VerifyKey, until: Int64, isDirect: Bool) async throws -> ServerKeyRecord? {
                let record = ServerKeyRecord(
                    server: server, keyID: keyID, key: key, validUntilTS: until, isOld: false, isDirect: isDirect,
                    fetchedTS: 1)
                return try await store.write { writer in
                    try writer.serverKeys.learn([record], of: server)
                    return try writer.read.serverKeys.keys(of: [server]).first
                }
            }
            let key = network.signingKey.publicKey
            #expect(try await learn(other, until: 10, isDirect: false)?.key == other)
            #expect(try await learn(key, until: 20, isDirect: true)?.key == key)
            #expect(try await learn(other, until: 99, isDirect: false)?.key == key)
            #expect(try await learn(key, until: 15, isDirect: false)?.validUntilTS == 20)
            #expect(try await learn(key, until: 30, isDirect: false)?.validUntilTS == 30)
            #expect(try await learn(key, until: 5, isDirect: true)?.validUntilTS == 5)
        }
    }
}
