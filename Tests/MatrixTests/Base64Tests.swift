import Testing

@testable import Matrix

@Suite struct Base64Tests {
    /// The examples of [the appendices](https://spec.matrix.org/v1.19/appendices/#unpadded-base64).
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func examples(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
        let padded = encoded + String(repeating: "=", count: (4 - encoded.count % 4) % 4)
        #expect(Base64.decode(padded) == Array(plain.utf8))
    }

    @Test func alphabetsDiffer() {
        let bytes: [UInt8] = [0xFB, 0xFF, 0xBF]
        #expect(Base64.encode(bytes) == "+/+/")
        #expect(Base64.encodeURLSafe(bytes) == "-_-_")
        #expect(Base64.decode("-_-_") == nil)
        #expect(Base64.decodeURLSafe("+/+/") == nil)
        #expect(Base64.decodeURLSafe("-_-_") == bytes)
    }

    @Test(arguments: [
        "A", "AAAAA", "Zg=", "Zg===", "Zm9v=", "Zm9v====", "Z=g=", "Zg ", "Zg\n", "=", "Zé", "Z\0", "Zg==Zg==",
    ])
    func rejects(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: SeededGenerator.seeds(50))
    func roundTrips(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bytes = (0..<Int.random(in: 0...100, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(Base64.decode(Base64.encode(bytes)) == bytes, "seed \(seed)")
        #expect(Base64.decodeURLSafe(Base64.encodeURLSafe(bytes)) == bytes, "seed \(seed)")
        #expect(Base64.encode(bytes).utf8.count == Base64.encodedLength(bytes.count), "seed \(seed)")
    }
}
