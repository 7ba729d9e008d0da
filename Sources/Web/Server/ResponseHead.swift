import NIOCore
import NIOHTTP1

/// How the end of a response's body is marked.
enum BodyFraming {
    case length(Int)
    case chunked
    /// The connection's end is the body's: only for HTTP/1.0.
    case untilClose
    /// The status has no body at all.
    case none
}

/// Writes a response's head.
struct ResponseHead {
    var status: Int
    var headers: HTTPHeaders
    var framing: BodyFraming
    var keepAlive: Bool
    /// HTTP/1.0 clients must be told when the connection stays open.
    var isHTTP10 = false
    var isGzipped = false
    var variesByEncoding = false

    func write(to buffer: inout ByteBuffer, loop: LoopContext) {
        if status == 200 {
            buffer.writeBytes(Self.okLine)
        } else {
            buffer.writeString("HTTP/1.1 \(status) \(HTTPResponseStatus(statusCode: status).reasonPhrase)\r\n")
        }
        loop.withDate { _ = buffer.writeBytes($0) }
        buffer.writeBytes(Self.corsLines)
        headers.forEach { name, value in
            Self.writeSafely(name, to: &buffer)
            buffer.writeBytes(Self.colon)
            Self.writeSafely(value, to: &buffer)
            buffer.writeBytes(Self.lineEnd)
        }
        if isGzipped { buffer.writeString("Content-Encoding: gzip\r\n") }
        if variesByEncoding { buffer.writeString("Vary: Accept-Encoding\r\n") }
        switch framing {
        case .length(let length):
            buffer.writeBytes(Self.lengthName)
            buffer.writeString(String(length))
            buffer.writeBytes(Self.lineEnd)
        case .chunked: buffer.writeString("Transfer-Encoding: chunked\r\n")
        case .untilClose, .none: break
        }
        if !keepAlive {
            buffer.writeString("Connection: close\r\n")
        } else if isHTTP10 {
            buffer.writeString("Connection: keep-alive\r\n")
        }
        buffer.writeBytes(Self.lineEnd)
    }

    /// Values may hold what users chose, a file name say. A line break in one must not begin another field.
    private static func writeSafely(_ text: String, to buffer: inout ByteBuffer) {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) {
            buffer.writeString(text)
        } else {
            buffer.writeBytes(text.utf8.map { $0 >= 0x20 && $0 != 0x7F ? $0 : UInt8(ascii: " ") })
        }
    }

    private static let okLine = Array("HTTP/1.1 200 OK\r\n".utf8)
    private static let colon = Array(": ".utf8)
    private static let lineEnd = Array("\r\n".utf8)
    private static let lengthName = Array("Content-Length: ".utf8)
    /// [Web browser clients](https://spec.matrix.org/v1.19/client-server-api/#web-browser-clients).
    private static let corsLines = Array(
        """
        Access-Control-Allow-Origin: *\r
        Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r
        Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization\r\n
        """.utf8)
}
