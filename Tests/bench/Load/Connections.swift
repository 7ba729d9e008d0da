import Glibc

/// Many HTTP/1.1 keep-alive connections on one thread: the server under test needs the other core.
final class Connections {
    /// What to do with a response: the connection's index, the response, and the milliseconds since its request.
    typealias Handler = (Int, ResponseParser.Response, Double) -> Void

    private struct Connection {
        var descriptor: Int32
        var parser = ResponseParser()
        var pending: [UInt8] = []
        var written = 0
        var sentAtNanoseconds: UInt64 = 0
        var waiting = false
    }

    private let port: UInt16
    private var connections: [Connection] = []
    /// What `poll` watches, at the connections' indices.
    private var watched: [pollfd] = []
    /// Requests without an answer yet.
    private(set) var underWay = 0
    /// Connections that the server closed while a request was under way.
    private(set) var broken: [Int] = []

    init(port: UInt16) {
        self.port = port
    }

    var count: Int { connections.count }

    /// Opens one more connection; returns its index. A server that is behind with accepting is asked again for a while.
    func open() throws -> Int {
        var attempts = 1
        while true {
            do { return try openOnce() } catch {
                guard attempts < 100 else { throw error }
                attempts += 1
                usleep(50_000)
            }
        }
    }

    /// The connections that broke since this was asked last, whose requests have to be sent again.
    func takeBroken() -> [Int] {
        defer { broken = [] }
        return broken
    }

    private func openOnce() throws -> Int {
        let descriptor = try Self.connected(to: port)
        connections.append(Connection(descriptor: descriptor))
        watched.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        return connections.count - 1
    }

    /// Sends a request on an idle connection.
    func send(_ request: [UInt8], on index: Int) {
        connections[index].pending = request
        connections[index].written = 0
        connections[index].sentAtNanoseconds = nanoseconds()
        connections[index].waiting = true
        underWay += 1
        flush(index)
    }

    /// Handles what arrives until `done` says so, or nothing has happened for so long.
    func run(until done: () -> Bool, patienceMilliseconds: Int32 = 120_000, handler: Handler) {
        while !done() {
            let ready = poll(&watched, nfds_t(watched.count), patienceMilliseconds)
            if ready == 0 { return }
            for index in watched.indices where watched[index].revents != 0 {
                let events = Int32(watched[index].revents)
                if events & POLLOUT != 0 { flush(index) }
                if events & ~POLLOUT != 0 { receive(index, handler) }
            }
        }
    }

    private func flush(_ index: Int) {
        let descriptor = connections[index].descriptor
        while connections[index].written < connections[index].pending.count {
            let written = connections[index].pending.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[connections[index].written...])
                return Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            if written < 0 { break }  // the socket is full, or broken: poll tells which
            connections[index].written += written
        }
        let unfinished = connections[index].written < connections[index].pending.count
        watched[index].events = Int16(unfinished ? POLLIN | POLLOUT : POLLIN)
    }

    private func receive(_ index: Int, _ handler: Handler) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(connections[index].descriptor, &chunk, chunk.count, 0)
            if count < 0 { return }
            if count == 0 { return reopen(index) }
            chunk.withUnsafeBytes { connections[index].parser.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            while connections[index].waiting, let response = connections[index].parser.next() {
                let milliseconds = Double(nanoseconds() - connections[index].sentAtNanoseconds) / 1e6
                connections[index].waiting = false
                underWay -= 1
                if response.closes { reopen(index) }
                handler(index, response, milliseconds)
            }
            if count < chunk.count { return }
        }
    }

    private func reopen(_ index: Int) {
        close(connections[index].descriptor)
        if connections[index].waiting {
            broken.append(index)
            underWay -= 1
        }
        guard let descriptor = try? Self.connected(to: port) else {
            watched[index].fd = -1
            return
        }
        connections[index] = Connection(descriptor: descriptor)
        watched[index] = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    }

    private static func connected(to port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw LoadError.connect(errno) }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        return descriptor
    }
}

enum LoadError: Error {
    case connect(Int32)
    case plan(String)
}

/// Nanoseconds of a clock that only goes forward.
func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
