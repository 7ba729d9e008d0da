import Testing

@testable import Matrix

@Suite struct SigningKeyTests {
    private let line = "ed25519 a_1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0"

    @Test func fileLines() throws {
        let key = try #require(SigningKey(fileLine: line))
        #expect(key.keyID.string == "ed25519:a_1")
        #expect(key.fileLine == line)
        #expect(!"\(key)".contains("YJDB"))
        for broken in [
            "", "ed25519", "ed25519 a_1", "rsa a_1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1", "ed25519 a_1 AA",
            line + " x", "ed25519 a:1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1", "ed25519 a_1 !!!!",
        ] { #expect(SigningKey(fileLine: broken) == nil) }
    }

    @Test func files() throws {
        let second = try #require(SigningKey(seed: [UInt8](repeating: 1, count: 32), version: "b"))
        let keys = try #require(SigningKey.parse(file: "# old\n\(line)\r\n\n  \(second.fileLine)\n"))
        #expect(keys.map(\.version) == ["a_1", "b"])
        #expect(SigningKey.parse(file: SigningKey.serialize(file: keys))?.map(\.publicKey) == keys.map(\.publicKey))
        #expect(SigningKey.parse(file: line + "\nrubbish\n") == nil)
        #expect(SigningKey.parse(file: "")?.isEmpty == true)
    }

    @Test func signaturesVerify() throws {
        let key = EventFixtures.key()
        let signature = try key.sign([1, 2, 3])
        #expect(signature.count == 64)
        #expect(key.publicKey.verify(signature: signature, message: [1, 2, 3]))
        #expect(!key.publicKey.verify(signature: signature, message: [1, 2]))
        #expect(!key.publicKey.verify(signature: Array(signature.dropLast()), message: [1, 2, 3]))
        #expect(!key.publicKey.verify(signature: [], message: [1, 2, 3]))
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 1
            #expect(!key.publicKey.verify(signature: changed, message: [1, 2, 3]))
        }
        #expect(try key.publicKey.verify(signature: key.sign([]), message: []))
    }

    @Test func keysThatProveNothingAreRefused() throws {
        // The neutral element as a key, with a signature that satisfies the plain equation for any message.
        let neutral: [UInt8] = [1] + [UInt8](repeating: 0, count: 31)
        let key = try #require(VerifyKey(neutral))
        #expect(!key.verify(signature: neutral + [UInt8](repeating: 0, count: 32), message: [1]))
        #expect(VerifyKey([UInt8](repeating: 0, count: 31)) == nil)
        #expect(VerifyKey(base64: "AA") == nil)
        #expect(VerifyKey(base64: key.base64) == key)
    }

    @Test func jsonSignaturesOfOthersStay() throws {
        let first = try JSONSigning.sign(
            ["a": 1] as JSONValue, as: EventFixtures.server, key: EventFixtures.key()
        )
        let other = ServerName(trusted: "other.org")
        let key = try #require(SigningKey(seed: [UInt8](repeating: 1, count: 32), version: "b"))
        let both = try JSONSigning.sign(first, as: other, key: key).json
        #expect(JSONSigning.keyIDs(in: both, by: "other.org") == [key.keyID])
        let own = EventFixtures.key()
        #expect(JSONSigning.verify(both, server: EventFixtures.server, keyID: own.keyID, key: own.publicKey))
        #expect(JSONSigning.verify(both, server: other, keyID: key.keyID, key: key.publicKey))
        #expect(!JSONSigning.verify(both, server: other, keyID: own.keyID, key: key.publicKey))
        #expect(throws: SigningError.notAnObject) { try JSONSigning.sign([] as JSONValue, as: other, key: key) }
    }
}
