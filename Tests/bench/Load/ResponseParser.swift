/// Reads HTTP/1.1 responses from a byte stream: those with a length and those in chunks.
///
/// Just what measuring servers on the loopback needs: bodies are kept whole, header names other than the three that
/// frame a body are skipped.
struct ResponseParser {
    struct Response {
        var status: Int
        var body: ArraySlice<UInt8>
        /// The server will close the connection after this response.
        var closes: Bool
    }

    private var bytes: [UInt8] = []

    mutating func append(_ chunk: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: chunk)
    }

    /// The next whole response, once all of it is there.
    mutating func next() -> Response? {
        guard let head = headEnd() else { return nil }
        var length: Int?
        var chunked = false
        var closes = false
        var line = lineEnd(from: 0) + 2
        while line < head {
            let end = lineEnd(from: line)
            let header = bytes[line..<end]
            if let value = Self.value(of: "content-length:", in: header) {
                length = Self.number(value, radix: 10)
            } else if let value = Self.value(of: "transfer-encoding:", in: header) {
                chunked = Self.equal(value, "chunked")
            } else if let value = Self.value(of: "connection:", in: header) {
                closes = Self.equal(value, "close")
            }
            line = end + 2
        }
        let status = bytes.count >= 12 ? Self.number(bytes[9..<12], radix: 10) ?? 0 : 0
        let start = head + 2
        if chunked {
            guard let (body, end) = chunks(from: start) else { return nil }
            bytes.removeSubrange(0..<end)
            return Response(status: status, body: body[...], closes: closes)
        }
        let end = start + (length ?? 0)
        guard bytes.count >= end else { return nil }
        let body = Array(bytes[start..<end])
        bytes.removeSubrange(0..<end)
        return Response(status: status, body: body[...], closes: closes)
    }

    /// Where the blank line after the headers begins.
    private func headEnd() -> Int? {
        var index = 0
        while index + 3 < bytes.count {
            if bytes[index + 3] == UInt8(ascii: "\n"), bytes[index + 2] == UInt8(ascii: "\r"),
                bytes[index + 1] == UInt8(ascii: "\n"), bytes[index] == UInt8(ascii: "\r")
            {
                return index + 2
            }
            index += 1
        }
        return nil
    }

    private func lineEnd(from start: Int) -> Int {
        var index = start
        while index < bytes.count, bytes[index] != UInt8(ascii: "\r") { index += 1 }
        return index
    }

    /// A chunked body and where it ends, if all of it is there.
    private func chunks(from start: Int) -> ([UInt8], Int)? {
        var body: [UInt8] = []
        var index = start
        while true {
            let end = lineEnd(from: index)
            guard end + 1 < bytes.count, let size = Self.number(bytes[index..<end], radix: 16) else { return nil }
            index = end + 2
            guard bytes.count >= index + size + 2 else { return nil }
            if size == 0 { return (body, index + 2) }
            body.append(contentsOf: bytes[index..<index + size])
            index += size + 2
        }
    }

    private static func value(of name: StaticString, in header: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard header.count >= name.utf8CodeUnitCount else { return nil }
        for offset in 0..<name.utf8CodeUnitCount
        where header[header.startIndex + offset] | 0x20 != name.utf8Start[offset] | 0x20 {
            return nil
        }
        return header.dropFirst(name.utf8CodeUnitCount).drop { $0 == UInt8(ascii: " ") }
    }

    private static func equal(_ bytes: ArraySlice<UInt8>, _ text: String) -> Bool {
        bytes.map { $0 | 0x20 }.elementsEqual(text.utf8)
    }

    private static func number(_ bytes: ArraySlice<UInt8>, radix: Int) -> Int? {
        Int(String(decoding: bytes, as: UTF8.self), radix: radix)
    }
}
