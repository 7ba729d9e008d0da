import FederationWire
import Matrix
import Testing

@Suite struct MultipartTests {
    private static let file = "line\r\n--bound\r--boundar\n\r\n--boundaries".utf8

    private func body(_ content: [UInt8]) -> [UInt8] {
        let head = "Content-Type: image/png\r\nContent-Disposition: inline"
        return Array("--boundary\r\nContent-Type: application/json\r\n\r\n{}\r\n--boundary\r\n\(head)\r\n\r\n".utf8)
            + content + Array("\r\n--boundary--\r\n".utf8)
    }

    /// What comes out when the body arrives in pieces of that size.
    private func read(_ body: [UInt8], pieces: Int, type: String = "multipart/mixed; boundary=boundary") throws
        -> (fields: [MultipartReader.Field], file: [UInt8], isWhole: Bool)
    {
        var reader = try #require(MultipartReader(contentType: type))
        var fields: [MultipartReader.Field] = []
        var file: [UInt8] = []
        var isWhole = false
        for start in stride(from: 0, to: body.count, by: pieces) {
            for output in try reader.receive(body[start..<min(start + pieces, body.count)]) {
                switch output {
                case .head(let head): fields = head
                case .content(let bytes): file += bytes
                case .end: isWhole = true
                }
            }
        }
        if isWhole { try reader.finish() }
        return (fields, file, isWhole)
    }

    @Test func filesComeOutWholeHoweverTheyArrive() throws {
        for content in [[], [1], Array(Self.file), [UInt8](repeating: 13, count: 50)] {
            for pieces in [1, 2, 3, 7, 10_000] {
                let result = try read(body(content), pieces: pieces)
                #expect(result.file == content)
                #expect(result.isWhole)
                #expect(result.fields.map(\.name) == ["content-type", "content-disposition"])
                #expect(result.fields.first?.value == "image/png")
            }
        }
    }

    @Test func preamblesQuotesAndSpacesAreFine() throws {
        let bytes = Array("preamble\r\n".utf8) + body([5, 6])
        let result = try read(bytes, pieces: 4, type: #"Multipart/Mixed ; charset=x; Boundary="boundary""#)
        #expect(result.file == [5, 6])
    }

    @Test(arguments: [
        "text/plain", "multipart/mixed", "multipart/form-data; boundary=a", "multipart/mixed; boundary=",
    ])
    func otherTypesAreRefused(type: String) { #expect(MultipartReader(contentType: type) == nil) }

    @Test func hostileBodiesAreCutOff() throws {
        var reader = try #require(MultipartReader(contentType: "multipart/mixed; boundary=boundary"))
        #expect(throws: MalformedAnswer.self) {
            for _ in 0..<1_000 { _ = try reader.receive([UInt8](repeating: 0x78, count: 1_000)) }
        }
        var header = try #require(MultipartReader(contentType: "multipart/mixed; boundary=boundary"))
        #expect(throws: MalformedAnswer.self) {
            _ = try header.receive("--boundary\r\n".utf8)
            for _ in 0..<1_000 { _ = try header.receive("a: b\r\n".utf8 + [UInt8](repeating: 0x78, count: 1_000)) }
        }
        #expect(throws: MalformedAnswer.self) {
            _ = try read(Array("--boundary\r\n\r\n{}\r\n--boundary--\r\n".utf8), pieces: 5)
        }
        var cut = try #require(MultipartReader(contentType: "multipart/mixed; boundary=boundary"))
        _ = try cut.receive(body([1, 2, 3]).dropLast(20))
        #expect(throws: MalformedAnswer.self) { try cut.finish() }
    }

    @Test(
        arguments: [
            ("attachment", nil), ("inline; filename=a.png", "a.png"),
            (#"inline; filename="a \"b\".png""#, #"a "b".png"#),
            ("inline; filename*=utf-8''%C3%A9.png; filename=e.png", "é.png"),
            ("inline; filename=e.png; filename*=UTF-8'fr'%C3%A9.png", "é.png"),
            ("inline; filename=e.png; filename*=latin1''%E9.png", "e.png"),
            ("inline; filename=e.png; filename*=utf-8''%C3", "e.png"), ("inline; filename", nil), (";;;=", nil),
        ] as [(String, String?)])
    func namesAreFound(field: String, name: String?) { #expect(ContentDisposition.fileName(in: field) == name) }
}
