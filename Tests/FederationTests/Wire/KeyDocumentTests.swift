import FederationWire
import Matrix
import Testing

@Suite struct KeyDocumentTests {
    private static let server = ServerName(trusted: "a.example")

    private func key(_ byte: UInt8, _ version: String) throws -> SigningKey {
        try #require(SigningKey(seed: [UInt8](repeating: byte, count: 32), version: version))
    }

    private func document(_ change: (inout JSONObject) throws -> Void, signedBy keys: [SigningKey]? = nil) throws
        -> JSON
    {
        let own = try key(1, "one")
        var object: JSONObject = [
            "server_name": "a.example", "valid_until_ts": 2_000,
            "verify_keys": ["ed25519:one": ["key": .string(own.publicKey.base64)]], "old_verify_keys": [:],
        ]
        try change(&object)
        for key in keys ?? [own] { object = try JSONSigning.sign(object, as: Self.server, key: key) }
        return JSONValue.object(object).json
    }

    @Test func whatItMakesItBelieves() throws {
        let old = try key(2, "old")
        let bytes = try KeyDocument.make(
            serverName: Self.server, keys: [try key(1, "one"), try key(3, "two")],
            oldKeys: [old.keyID: KeyDocument.OldKey(key: old.publicKey, expiredTS: 500)], validUntilTS: 2_000)
        let document = try KeyDocument(verifying: JSON(parsing: bytes))
        #expect(document.serverName == Self.server)
        #expect(Set(document.verifyKeys.keys.map(\.string)) == ["ed25519:one", "ed25519:two"])
        #expect(document.verifyKeys.values.contains(try key(3, "two").publicKey))
        #expect(document.oldVerifyKeys == [old.keyID: KeyDocument.OldKey(key: old.publicKey, expiredTS: 500)])
        #expect(document.validUntilTS == 2_000)
        #expect(try JSON(parsing: bytes)["signatures"]?["a.example"]?.count == 2)
    }

    @Test func oneGoodSignatureIsNeededAndABadOneSpoilsAll() throws {
        _ = try KeyDocument(verifying: try document { _ in })
        #expect(throws: KeyDocumentError.notSigned) { try KeyDocument(verifying: try document({ _ in }, signedBy: [])) }
        // A key that the document does not list cannot vouch for it.
        #expect(throws: KeyDocumentError.notSigned) {
            try KeyDocument(verifying: try document({ _ in }, signedBy: [try key(9, "nine")]))
        }
        // Somebody else's key under the listed name.
        #expect(throws: KeyDocumentError.self) {
            try KeyDocument(verifying: try document({ _ in }, signedBy: [try key(9, "one")]))
        }
        // An old key does not vouch for the ones in use.
        let old = try key(2, "old")
        #expect(throws: KeyDocumentError.notSigned) {
            try KeyDocument(
                verifying: try document(
                    {
                        $0["old_verify_keys"] = [
                            "ed25519:old": ["key": .string(old.publicKey.base64), "expired_ts": 1]
                        ]
                    }, signedBy: [old]))
        }
        var value = try document { _ in }.value
        value["valid_until_ts"] = 9_999
        #expect(throws: KeyDocumentError.self) { try KeyDocument(verifying: value.json) }
    }

    @Test func oddDocumentsAreRefused() throws {
        let cases: [(inout JSONObject) -> Void] = [
            { $0["server_name"] = nil }, { $0["server_name"] = "no name!" }, { $0["server_name"] = 5 },
            { $0["valid_until_ts"] = nil }, { $0["valid_until_ts"] = "2000" }, { $0["verify_keys"] = nil },
            { $0["verify_keys"] = [] }, { $0["valid_until_ts"] = .number("2000.5") },
        ]
        for change in cases {
            #expect(throws: KeyDocumentError.malformed) { try KeyDocument(verifying: try document(change)) }
        }
        #expect(throws: KeyDocumentError.malformed) { try KeyDocument(verifying: try JSON(parsing: "[]")) }
    }

    @Test func sizesAreBounded() throws {
        let filler = String(repeating: "x", count: KeyDocument.maximumBytes)
        #expect(throws: KeyDocumentError.tooLarge) {
            try KeyDocument(verifying: try document { $0["filler"] = .string(filler) })
        }
        #expect(throws: KeyDocumentError.tooLarge) {
            try KeyDocument(
                verifying: try document { object in
                    var keys = JSONObject()
                    for index in 0...KeyDocument.maximumKeys { keys["ed25519:\(index)"] = ["key": "AA"] }
                    object["old_verify_keys"] = .object(keys)
                })
        }
    }

    @Test func keysThatAreNoneDoNotCount() throws {
        let text = try key(1, "one").publicKey.base64
        let document = try KeyDocument(
            verifying: try document { object in
                object["verify_keys"]?["ed25519:short"] = ["key": "AAAA"]
                object["verify_keys"]?["curve448:other"] = ["key": .string(text)]
                object["verify_keys"]?["nothing"] = 5
                object["old_verify_keys"] = [
                    "ed25519:one": ["key": .string(text), "expired_ts": 1],
                    "ed25519:endless": ["key": .string(text)],
                ]
            })
        #expect(document.verifyKeys.keys.map(\.string) == ["ed25519:one"])
        #expect(document.oldVerifyKeys.isEmpty)
    }

    @Test func notariesAnswersNeedBothSignatures() throws {
        let notary = ServerName(trusted: "notary.example")
        let notaryKey = try key(7, "n")
        let keys = [notaryKey.keyID: notaryKey.publicKey]
        let good = try document { _ in }
        let countersigned = try NotaryAnswer.countersign(good, as: notary, key: notaryKey)
        func documents(_ texts: [[UInt8]]) throws -> [KeyDocument] {
            NotaryAnswer.documents(in: try JSON(parsing: NotaryAnswer.make(texts)), notary: notary, keys: keys)
        }
        #expect(try documents([countersigned]).map(\.serverName) == [Self.server])
        // Without the notary's signature, with a wrong one, without the server's own; a good one beside them is still taken.
        let unsigned = Array(good.bytes)
        let wrong = try NotaryAnswer.countersign(good, as: notary, key: try key(8, "n"))
        let forged = try NotaryAnswer.countersign(try document({ _ in }, signedBy: []), as: notary, key: notaryKey)
        #expect(try documents([unsigned, wrong, forged]).isEmpty)
        #expect(try documents([unsigned, wrong, countersigned, forged]).count == 1)
        #expect(NotaryAnswer.documents(in: try JSON(parsing: "{}"), notary: notary, keys: keys).isEmpty)
        #expect(
            NotaryAnswer.documents(in: try JSON(parsing: #"{"server_keys":5}"#), notary: notary, keys: keys).isEmpty)
    }

    @Test func queriesAreReadAsWritten() throws {
        let keyID = try #require(SigningKeyID("ed25519:one"))
        let query = ServerKeyQuery([Self.server: [keyID: 5], ServerName(trusted: "b.example"): [:]])
        #expect(ServerKeyQuery(parsing: try JSON(parsing: query.body), now: 7) == query)
        let noTime = try JSON(parsing: #"{"server_keys":{"a.example":{"ed25519:one":{}}}}"#)
        #expect(ServerKeyQuery(parsing: noTime, now: 7)?.wanted == [Self.server: [keyID: 7]])
        for text in ["{}", #"{"server_keys":[]}"#, #"{"server_keys":{"no name!":{}}}"#, #"{"server_keys":{"a":5}}"#] {
            #expect(ServerKeyQuery(parsing: try JSON(parsing: text), now: 7) == nil)
        }
        let many = (0...ServerKeyQuery.maximumServers).map { #""s\#($0)":{}"# }.joined(separator: ",")
        #expect(ServerKeyQuery(parsing: try JSON(parsing: "{\"server_keys\":{\(many)}}"), now: 7) == nil)
    }
}
