import Matrix
import Testing

@Suite struct SigningKeyFileTests {
    private func key(_ byte: UInt8, _ version: String) throws -> SigningKey {
        try #require(SigningKey(seed: [UInt8](repeating: byte, count: 32), version: version))
    }

    @Test func rotationKeepsOnlyThePublicHalf() throws {
        let old = try key(1, "old")
        var file = SigningKeyFile(old)
        let new = try key(2, "new")
        let isRotated = file.rotate(to: new, expiredTS: 1_000)
        #expect(isRotated)
        #expect(file.active.keyID == new.keyID)
        #expect(file.retired == [RetiredSigningKey(keyID: old.keyID, publicKey: old.publicKey, expiredTS: 1_000)])
        for key in [old, new] {
            let isRotatedAgain = file.rotate(to: key, expiredTS: 2_000)
            #expect(!isRotatedAgain)
        }
        let text = file.text
        #expect(!text.contains(Base64.encode([UInt8](repeating: 1, count: 32))))
        let read = try #require(SigningKeyFile(parsing: text))
        #expect(read.active.publicKey == new.publicKey)
        #expect(read.retired == file.retired)
        // Programs that know nothing of retired keys see comments.
        #expect(SigningKey.parse(file: text)?.map(\.keyID) == [new.keyID])
    }

    @Test func otherFilesAreReadOrRefused() throws {
        let line = try key(1, "a").fileLine
        #expect(SigningKeyFile(parsing: "# a comment\n\n  \(line)\n")?.keys.count == 1)
        #expect(SigningKeyFile(parsing: "\(line)\n\(try key(2, "b").fileLine)")?.active.keyID.string == "ed25519:a")
        for text in ["", "# only a comment", "nonsense", "\(line)\n\(line)", "\(line)\n# retired ed25519:b AAAA 5"] {
            #expect(SigningKeyFile(parsing: text) == nil)
        }
    }
}
