import FederationWire
import Matrix
import NameLookup
import Testing

@testable import FederationOutbound

/// What comes from outside, damaged at random: read or refused, never a crash. A failing run prints its seed.
@Suite struct RandomInputTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private func damaged(_ text: String, _ generator: inout Generator) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let at = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
            case 1 where at < bytes.count: bytes.remove(at: at)
            case 2 where at < bytes.count: bytes[at] = bytes.randomElement(using: &generator) ?? 0
            default: bytes = Array(bytes[..<at] + bytes[(at / 2)...])
            }
        }
        return bytes
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func nothingCrashes(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let key = try #require(SigningKey(seed: [UInt8](repeating: 1, count: 32), version: "k"))
        let document = String(
            decoding: try KeyDocument.make(
                serverName: ServerName(trusted: "a.example"), keys: [key],
                oldKeys: [key.keyID: KeyDocument.OldKey(key: key.publicKey, expiredTS: 1)], validUntilTS: 5),
            as: UTF8.self)
        let multipart = "--x\r\nA: b\r\n\r\n{}\r\n--x\r\nContent-Type: c\r\n\r\nfile\r\n--x--\r\n"
        let good = try KeyDocument(verifying: JSON(parsing: document))
        for _ in 0..<400 {
            let bytes = damaged(document, &generator)
            if let json = try? JSON(parsing: bytes), let read = try? KeyDocument(verifying: json) {
                // What is still believed says the same.
                #expect(read.verifyKeys == good.verifyKeys && read.validUntilTS == good.validUntilTS)
            }
            if var reader = MultipartReader(contentType: "multipart/mixed; boundary=x") {
                let body = damaged(multipart, &generator)
                let cut = Int.random(in: 0...body.count, using: &generator)
                _ = try? reader.receive(body[..<cut])
                _ = try? reader.receive(body[cut...])
            }
            func text(_ text: String) -> String { String(decoding: damaged(text, &generator), as: UTF8.self) }
            _ = MultipartReader(contentType: text("multipart/mixed; charset=utf-8; boundary=\"abc\""))
            _ = ContentDisposition.fileName(in: text("inline; filename*=utf-8''%C3%A9; filename=\"a\\\"b\""))
            _ = HTTPSAddress(text("https://[2001:db8::1]:8448/path?query#fragment"))?.following(text("//host/x"))
            _ = HTTPTime.seconds(text("Sun, 06 Nov 1994 08:49:37 GMT"))
            _ = OutboundProxy(text("http://user:password@proxy.example:3128/"))
            _ = InternetAddress(text("64:ff9b::192.168.1.1"))?.isPublic
            if let name = ServerName(text("matrix.example.org:8448")) {
                var discovery = Discovery(name)
                _ = discovery.start()
                _ = discovery.receivedWellKnown(ServerName(text("b.example:1")))
            }
            let answer = WellKnownFetch.Answer(
                status: 200, location: nil, cacheControl: [text("public, max-age=3600, s-maxage=5")],
                expiresInSeconds: nil, body: nil)
            #expect((300_000...172_800_000).contains(WellKnownLifetime.of(answer)))
        }
    }
}
