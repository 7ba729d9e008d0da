import Foundation
import Matrix
import Web

/// Speaks HTTP to the running server over its Unix socket, one request a connection.
struct AdministrationSocket {
    let path: String

    /// The socket of the server that the configuration is of.
    init(_ configuration: Configuration) { path = configuration.socketPath }

    /// Whether a server answers.
    var isServed: Bool {
        guard let descriptor = try? connect() else { return false }
        close(descriptor)
        return true
    }

    /// Asks for something.
    ///
    /// - Returns: The response's body.
    /// - Throws: ``CommandFailure`` if the server does not run or refuses.
    func request(_ method: String, _ target: String, body: JSONValue? = nil, reason: String?) throws -> JSON {
        let descriptor = try connect()
        defer { close(descriptor) }
        let content = body?.serialized() ?? []
        var bytes = Array("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".utf8)
        if let reason {
            bytes += Array("\(Operator.reasonField): \(AdministrationServer.segment(reason))\r\n".utf8)
        }
        bytes += Array("Content-Type: application/json\r\nContent-Length: \(content.count)\r\n\r\n".utf8)
        bytes += content
        try send(bytes, descriptor)
        return try parse(try receive(descriptor))
    }

    private func connect() throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw CommandFailure("no socket: \(String(cString: strerror(errno)))") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            close(descriptor)
            throw CommandFailure("\(path) is too long a path for a socket")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw CommandFailure("the server does not answer at \(path) (\(reason)): is it running?")
        }
        return descriptor
    }

    private func send(_ bytes: [UInt8], _ descriptor: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { throw CommandFailure("the server closed the connection") }
            rest = rest.dropFirst(written)
        }
    }

    private func receive(_ descriptor: Int32) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { throw CommandFailure("the server's answer could not be read") }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// The connection is closed after the answer, whose length is always announced: all after the head is the body.
    private func parse(_ answer: [UInt8]) throws -> JSON {
        let separator = Array("\r\n\r\n".utf8)
        guard let split = answer.indices.first(where: { answer[$0...].starts(with: separator) }),
            let line = String(decoding: answer[..<split], as: UTF8.self).components(separatedBy: "\r\n").first,
            let status = line.components(separatedBy: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw CommandFailure("the server's answer is no HTTP") }
        return try AdministrationServer.answer(status, Array(answer[(split + 4)...]))
    }
}
