import Matrix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A response as a client sees it.
public struct TestHTTPResponse: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields in order, names in lower case.
    public var headers: [(name: String, value: String)]
    /// The body, with chunks put together; still compressed if the server compressed it.
    public var body: [UInt8]

    /// The first field of that name.
    public func header(_ name: String) -> String? { headers.first { $0.name == name.lowercased() }?.value }
    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
    /// The body as JSON; `{}` if it is none.
    public var json: JSON { (try? JSON(parsing: body)) ?? JSON.emptyObject }
    /// The body's `errcode`.
    public var errcode: String? { json["errcode"]?.string }
}

/// A plain HTTP/1.1 client for tests: a connection per request, over real sockets, on a thread of its own.
public struct TestHTTPClient: Sendable {
    /// The port on 127.0.0.1.
    public let port: Int
    /// The access token that requests carry, if any.
    public var accessToken: String?

    /// A client of the server on that port of 127.0.0.1.
    public init(port: Int, accessToken: String? = nil) {
        self.port = port
        self.accessToken = accessToken
    }

    /// Sends a request whose body is JSON and waits for the response.
    ///
    /// - Throws: ``TestSocketError`` if the server cannot be reached or closes in the middle of the response.
    public func request(
        _ method: String, _ target: String, headers: [(String, String)] = [], json: JSONValue? = nil
    ) async throws -> TestHTTPResponse {
        let body = json.map { $0.serialized() }
        let type = body == nil ? [] : [("Content-Type", "application/json")]
        return try await request(method, target, headers: type + headers, body: body)
    }

    /// Sends a request and waits for the response.
    ///
    /// - Throws: ``TestSocketError`` if the server cannot be reached or closes in the middle of the response.
    public func request(
        _ method: String, _ target: String, headers: [(String, String)] = [], body: [UInt8]?
    ) async throws -> TestHTTPResponse {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        if let accessToken { head += "Authorization: Bearer \(accessToken)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        let bytes = Array((head + "\r\n").utf8) + (body ?? [])
        return try await onThread { [port] in
            let socket = try TestSocket(port: port)
            try socket.send(bytes)
            return try socket.readResponse(toHead: method == "HEAD")
        }
    }
}

/// Runs blocking work on a thread of its own, so that tests never hold up Swift's pool of threads.
public func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let job = Job { continuation.resume(with: Result(catching: work)) }
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, Unmanaged.passRetained(job).toOpaque())
        if status == 0 {
            pthread_detach(thread)
        } else {
            continuation.resume(throwing: TestSocketError(what: "no thread"))
        }
    }
}

private final class Job: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// What went wrong on a test's socket.
public struct TestSocketError: Error, CustomStringConvertible {
    /// What went wrong.
    public let what: String
    /// What went wrong.
    public var description: String { what }

    /// An error.
    public init(what: String) { self.what = what }
}

/// A blocking socket that sends whatever bytes a test wants, HTTP or not. For use within ``onThread(_:)``.
public final class TestSocket: Sendable {
    private let descriptor: Int32
    private let buffer = Mutex<[UInt8]>([])

    /// Connects to that port of 127.0.0.1. Reading gives up after `timeoutSeconds`.
    public init(port: Int, timeoutSeconds: Int = 20, receiveBufferBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBufferBytes { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw TestSocketError(what: "connect: errno \(errno)") }
    }

    /// Connects to a Unix socket.
    public init(unixSocketPath path: String, timeoutSeconds: Int = 20) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix(100)) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw TestSocketError(what: "connect: errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sends all the bytes.
    public func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                systemSend(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw TestSocketError(what: "send: errno \(errno)") }
            sent += count
        }
    }

    /// Sends a text.
    public func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Some bytes, or none at the end of the connection.
    public func read() throws -> [UInt8] {
        let buffered = buffer.withLock { buffer in
            defer { buffer = [] }
            return buffer
        }
        if !buffered.isEmpty { return buffered }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw TestSocketError(what: "recv: errno \(errno)") }
        return Array(bytes[..<count])
    }

    /// Everything until the server closes.
    public func readToEnd() throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let some = try read()
            if some.isEmpty { return all }
            all += some
        }
    }

    /// A response, and not a byte more.
    ///
    /// - Parameter toHead: Whether the request was HEAD, whose response has no body whatever its head says.
    public func readResponse(toHead: Bool = false) throws -> TestHTTPResponse {
        let lines = String(decoding: try readThrough("\r\n\r\n"), as: UTF8.self).split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw TestSocketError(what: "no status line: \(lines)")
        }
        let headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (
                name: parts[0].lowercased(), value: parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
            )
        }
        var response = TestHTTPResponse(status: status, headers: Array(headers), body: [])
        if toHead || status < 200 || status == 204 || status == 304 { return response }
        if let length = response.header("content-length").flatMap({ Int($0) }) {
            response.body = try readExactly(length)
        } else if response.header("transfer-encoding") == "chunked" {
            while true {
                let line = String(decoding: try readThrough("\r\n"), as: UTF8.self)
                guard let size = Int(line.dropLast(1), radix: 16) else {
                    throw TestSocketError(what: "bad chunk: \(line)")
                }
                response.body += try readExactly(size)
                _ = try readExactly(2)
                if size == 0 { break }
            }
        } else {
            response.body = try readToEnd()
        }
        return response
    }

    private func readThrough(_ mark: String) throws -> [UInt8] {
        let mark = Array(mark.utf8)
        var bytes: [UInt8] = []
        while true {
            let some = try read()
            if some.isEmpty { throw TestSocketError(what: "closed before the end of a response's head") }
            bytes += some
            guard bytes.count >= mark.count else { continue }
            for end in mark.count...bytes.count where bytes[(end - mark.count)..<end].elementsEqual(mark) {
                let rest = Array(bytes[end...])
                buffer.withLock { $0 = rest }
                return Array(bytes[..<end])
            }
        }
    }

    private func readExactly(_ count: Int) throws -> [UInt8] {
        guard count > 0 else { return [] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let some = try read()
            if some.isEmpty { throw TestSocketError(what: "closed in the middle of a body") }
            bytes += some
        }
        let rest = Array(bytes[count...])
        buffer.withLock { $0 = rest }
        return Array(bytes[..<count])
    }
}

/// The system's `send`, which the method of that name hides.
private func systemSend(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32) -> Int {
    send(descriptor, bytes, count, flags)
}
