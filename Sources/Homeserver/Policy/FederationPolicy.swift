import Matrix
import Synchronization

/// With which servers this one speaks: asked before every request to another server and for every request from one.
///
/// Copies are one and the same: what replaces its lists holds for all who have it.
public struct FederationPolicy: Sendable {
    /// What holds for servers that no list names.
    public enum Mode: String, Sendable, CaseIterable {
        /// Only the servers in `allow`.
        case closed
        /// All.
        case open
        /// Nobody at all.
        case off
    }

    private struct Lists: Sendable {
        let mode: Mode
        let allowed: [ServerPattern]
        let denied: [ServerPattern]
    }

    private final class Current: Sendable {
        let lists: Mutex<Lists>

        init(_ lists: Lists) { self.lists = Mutex(lists) }
    }

    private let current: Current
    private var lists: Lists { current.lists.withLock { $0 } }
    /// What administrators say while the server runs.
    public let rules: FederationRules

    /// A policy.
    ///
    /// - Parameters:
    ///   - mode: What holds for servers that no list names.
    ///   - allowed: In closed mode, the servers that are spoken with. A pattern means exactly the servers of its port, or of none.
    ///   - denied: The servers that are not spoken with, whatever else holds. A pattern without a port means every port.
    ///   - rules: What administrators say while the server runs, beside both lists.
    public init(
        mode: Mode, allowed: [ServerPattern] = [], denied: [ServerPattern] = [],
        rules: FederationRules = FederationRules()
    ) {
        current = Current(Lists(mode: mode, allowed: allowed, denied: denied))
        self.rules = rules
    }

    /// Has other lists hold from now on.
    ///
    /// - Parameters:
    ///   - mode: What holds for servers that no list names. Whether there is federation at all cannot change: then nothing does.
    ///   - allowed: As for a new policy.
    ///   - denied: As for a new policy.
    /// - Returns: Whether they hold.
    @discardableResult
    public func replace(mode: Mode, allowed: [ServerPattern], denied: [ServerPattern]) -> Bool {
        current.lists.withLock { lists in
            guard (mode == .off) == (lists.mode == .off) else { return false }
            lists = Lists(mode: mode, allowed: allowed, denied: denied)
            return true
        }
    }

    /// What holds for servers that no list names.
    public var modeName: String { lists.mode.rawValue }
    /// The patterns of the configuration: allowed servers.
    public var allowedPatterns: [ServerPattern] { lists.allowed }
    /// The patterns of the configuration: denied servers.
    public var deniedPatterns: [ServerPattern] { lists.denied }

    /// Whether there is federation at all.
    public var isOff: Bool { lists.mode == .off }

    /// Whether this server speaks with another.
    public func permits(_ server: ServerName) -> Bool {
        let lists = lists
        guard lists.mode != .off, !lists.denied.contains(where: { $0.covers(server) }) else { return false }
        let isListed = lists.mode == .open || lists.allowed.contains { $0.isExactly(server) }
        return rules.permits(server, isListed: isListed)
    }

    /// Refuses a server.
    ///
    /// - Throws: 403 `M_FORBIDDEN`.
    public func check(_ server: ServerName) throws(MatrixError) {
        guard permits(server) else { throw .forbidden("This server does not federate with \(server)") }
    }
}

/// A server name, or `*.` and a domain, which stands for every name below that domain but not for the domain itself.
public struct ServerPattern: Sendable, Hashable, CustomStringConvertible {
    private let name: ServerName
    private let isWildcard: Bool

    /// The pattern.
    public var description: String { isWildcard ? "*.\(name)" : name.string }

    /// Reads a pattern; `nil` if it is none.
    public init?(_ text: String) {
        isWildcard = text.utf8.starts(with: "*.".utf8)
        guard let name = ServerName(isWildcard ? String(text.dropFirst(2)) : text) else { return nil }
        if isWildcard, name.isAddressLiteral { return nil }
        self.name = name
    }

    /// Whether the server is meant by its very name: an identity that somebody else could have must not match.
    func isExactly(_ server: ServerName) -> Bool {
        guard name.port == server.port else { return false }
        guard isWildcard else { return name == server }
        return server.host.utf8.reversed().starts(with: ".\(name.host)".utf8.reversed()) && isBelow(server)
    }

    /// Whether the server is on a host that is meant, however its name is written.
    func covers(_ server: ServerName) -> Bool {
        guard name.port == nil || name.port == server.port else { return false }
        guard isWildcard else { return Self.folded(name.host) == Self.folded(server.host) }
        let suffix = [UInt8(ascii: ".")] + Self.folded(name.host)
        return Self.folded(server.host).reversed().starts(with: suffix.reversed()) && isBelow(server)
    }

    private func isBelow(_ server: ServerName) -> Bool { server.host.utf8.count > name.host.utf8.count + 1 }

    /// As DNS compares names: without regard to case and to a dot at the end.
    private static func folded(_ host: String) -> [UInt8] {
        let bytes = host.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes
    }
}
