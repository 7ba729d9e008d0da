import CCares
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Asks name servers through c-ares, on one thread of its own: no event loop ever waits for a name.
///
/// Names are absolute: no domain of the machine's own is appended. The file of hosts is looked at first, as the system does.
public final class AresResolver: NameResolver {
    private let loop: AresLoop

    /// How many questions may be open at once.
    private static let maximumQueries = 2_000

    /// A resolver.
    ///
    /// - Parameters:
    ///   - servers: Name servers as `address:port`; `nil` for those that the system uses.
    ///   - timeoutMilliseconds: How long each name server is waited for; each is asked twice.
    /// - Throws: ``NameFailure/unavailable(_:)`` if the library or the thread cannot be had.
    public init(servers: [String]? = nil, timeoutMilliseconds: Int = 3_000) throws(NameFailure) {
        loop = try AresLoop(servers: servers, timeoutMilliseconds: timeoutMilliseconds)
    }

    deinit { loop.stop() }

    /// The addresses of a host, sorted by which the system would rather connect to.
    public func addresses(of host: String) async throws(NameFailure) -> ResolvedAddresses {
        try Self.check(host)
        let answer = await ask { query, channel in
            var hints = ares_addrinfo_hints()
            hints.ai_family = AF_UNSPEC
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            ares_getaddrinfo(channel, host, nil, &hints, { AresQuery.finish($0, addresses: $3, status: $1) }, query)
        }
        guard case .addresses(let resolved) = try answer.get(), !resolved.addresses.isEmpty else { throw .nothing }
        return resolved
    }

    /// The SRV records of a name.
    public func services(_ name: String) async throws(NameFailure) -> [ServiceRecord] {
        try Self.check(name)
        let answer = await ask { query, channel in
            // Class IN, type SRV.
            ares_query(channel, name, 1, 33, { AresQuery.finish($0, reply: $3, length: $4, status: $1) }, query)
        }
        guard case .services(let records) = try answer.get(), !records.isEmpty else { throw .nothing }
        return records
    }

    private func ask(
        _ start: @escaping @Sendable (UnsafeMutableRawPointer, ares_channel) -> Void
    ) async -> Result<AresAnswer, NameFailure> {
        await withCheckedContinuation { continuation in
            let query = AresQuery(start: start) { continuation.resume(returning: $0) }
            if !loop.submit(query, atMost: Self.maximumQueries) {
                query.complete(.failure(.unavailable("too many questions are open")))
            }
        }
    }

    /// What no name server could know is not asked for.
    private static func check(_ name: String) throws(NameFailure) {
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let names = labels.last?.isEmpty == true ? labels.dropLast() : labels[...]
        guard !names.isEmpty, name.utf8.count <= 254, names.allSatisfy({ (1...63).contains($0.count) }),
            !name.utf8.contains(0)
        else { throw .malformed }
    }
}

enum AresAnswer: Sendable {
    case addresses(ResolvedAddresses)
    case services([ServiceRecord])
}

/// A question on its way through the library. Completed exactly once.
final class AresQuery: Sendable {
    let start: @Sendable (UnsafeMutableRawPointer, ares_channel) -> Void
    let complete: @Sendable (Result<AresAnswer, NameFailure>) -> Void

    init(
        start: @escaping @Sendable (UnsafeMutableRawPointer, ares_channel) -> Void,
        complete: @escaping @Sendable (Result<AresAnswer, NameFailure>) -> Void
    ) {
        self.start = start
        self.complete = complete
    }

    private static func take(_ pointer: UnsafeMutableRawPointer?) -> AresQuery? {
        pointer.map { Unmanaged<AresQuery>.fromOpaque($0).takeRetainedValue() }
    }

    static func finish(
        _ pointer: UnsafeMutableRawPointer?, addresses: UnsafeMutablePointer<ares_addrinfo>?, status: Int32
    ) {
        defer { if let addresses { ares_freeaddrinfo(addresses) } }
        guard let query = take(pointer) else { return }
        guard status == ARES_SUCCESS, let addresses else { return query.complete(.failure(failure(status))) }
        var found: [InternetAddress] = []
        var lifetime = Int32.max
        var node = addresses.pointee.nodes
        while let current = node {
            if let address = address(current.pointee), !found.contains(address) {
                found.append(address)
                lifetime = min(lifetime, current.pointee.ai_ttl)
            }
            node = current.pointee.ai_next
        }
        query.complete(
            .success(.addresses(ResolvedAddresses(addresses: found, lifetimeSeconds: Int(max(lifetime, 0))))))
    }

    private static func address(_ node: ares_addrinfo_node) -> InternetAddress? {
        guard let raw = UnsafeRawPointer(node.ai_addr) else { return nil }
        switch node.ai_family {
        case AF_INET:
            guard node.ai_addrlen >= MemoryLayout<sockaddr_in>.size else { return nil }
            var address = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
            return withUnsafeBytes(of: &address) { InternetAddress(bytes: $0) }
        case AF_INET6:
            guard node.ai_addrlen >= MemoryLayout<sockaddr_in6>.size else { return nil }
            var address = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            return withUnsafeBytes(of: &address) { InternetAddress(bytes: $0) }
        default: return nil
        }
    }

    static func finish(
        _ pointer: UnsafeMutableRawPointer?, reply: UnsafeMutablePointer<UInt8>?, length: Int32, status: Int32
    ) {
        guard let query = take(pointer) else { return }
        guard status == ARES_SUCCESS, let reply else { return query.complete(.failure(failure(status))) }
        var first: UnsafeMutablePointer<ares_srv_reply>?
        let parsed = ares_parse_srv_reply(reply, length, &first)
        defer { if let first { ares_free_data(first) } }
        guard parsed == ARES_SUCCESS else { return query.complete(.failure(failure(parsed))) }
        var records: [ServiceRecord] = []
        var next = first
        while let current = next?.pointee {
            records.append(
                ServiceRecord(
                    host: current.host.map { String(cString: $0) } ?? "", port: Int(current.port),
                    priority: Int(current.priority), weight: Int(current.weight)
                ))
            next = current.next
        }
        query.complete(.success(.services(records)))
    }

    private static func failure(_ status: Int32) -> NameFailure {
        switch status {
        case ARES_ENODATA, ARES_ENOTFOUND, ARES_ENONAME: .nothing
        case ARES_EBADNAME, ARES_EBADQUERY, ARES_EBADSTR: .malformed
        default: .unavailable(String(cString: ares_strerror(status)))
        }
    }
}
