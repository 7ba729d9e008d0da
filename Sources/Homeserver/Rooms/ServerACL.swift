import Matrix
import Store

/// Which servers may take part in a room: the content of `m.room.server_acl`.
///
/// [Server access control lists](https://spec.matrix.org/v1.19/client-server-api/#server-access-control-lists-acls-for-rooms)
public struct ServerACL: Sendable {
    private let allowsAddressLiterals: Bool
    private let allowed: [ServerGlob]
    private let denied: [ServerGlob]

    /// The list that an event's content is. What is malformed in it counts as missing: without `allow`, nobody is let in.
    public init(_ content: JSON) {
        allowsAddressLiterals = content["allow_ip_literals"]?.bool ?? true
        allowed = Self.globs(content["allow"])
        denied = Self.globs(content["deny"])
    }

    private static func globs(_ list: JSON?) -> [ServerGlob] {
        guard let list, list.isArray else { return [] }
        return list.elements.compactMap { $0.string.map { ServerGlob($0) } }
    }

    /// Whether a server may take part. Its port does not matter.
    public func permits(_ server: ServerName) -> Bool {
        if !allowsAddressLiterals, server.isAddressLiteral { return false }
        let host = ServerGlob.folded(server.host)
        if denied.contains(where: { $0.matches(host) }) { return false }
        return allowed.contains { $0.matches(host) }
    }
}

/// A glob-style pattern of hosts: `*` stands for any text, `?` for one character; case does not matter.
///
/// [Glob-style matching](https://spec.matrix.org/v1.19/appendices/#glob-style-matching)
struct ServerGlob: Sendable {
    private let pattern: [UInt8]
    private let isLiteral: Bool

    init(_ text: String) {
        var pattern: [UInt8] = []
        for byte in Self.folded(text) {
            // Two asterisks in a row say no more than one.
            if byte == Self.asterisk, pattern.last == Self.asterisk { continue }
            pattern.append(byte)
        }
        self.pattern = pattern
        isLiteral = !pattern.contains { $0 == Self.asterisk || $0 == Self.questionMark }
    }

    private static let asterisk = UInt8(ascii: "*")
    private static let questionMark = UInt8(ascii: "?")

    /// A text in lower case; hosts have no other letters than those of ASCII.
    static func folded(_ text: String) -> [UInt8] {
        text.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    }

    /// Whether the pattern matches a whole host, which is in lower case.
    ///
    /// What an asterisk stands for only grows, and only the last one is ever tried again: the time is at most the product of both
    /// lengths, however the pattern is made.
    func matches(_ host: [UInt8]) -> Bool {
        if isLiteral { return pattern == host }
        var at = 0
        var place = 0
        var retry: (place: Int, at: Int)?
        while at < host.count {
            if place < pattern.count, pattern[place] == Self.asterisk {
                retry = (place, at)
                place += 1
            } else if place < pattern.count, pattern[place] == Self.questionMark || pattern[place] == host[at] {
                place += 1
                at += 1
            } else if let last = retry {
                retry = (last.place, last.at + 1)
                place = last.place + 1
                at = last.at + 1
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == Self.asterisk }
    }
}

/// Remembers what lists say of servers: a long list is gone through once for each server, not for each of its requests.
final class ServerACLDecisions: Sendable {
    private struct Key: Hashable {
        let list: EventNumber
        let server: ServerName
    }

    private let known = GenerationalCache<Key, Bool>(budget: 20_000)

    /// What a list says of a server.
    func permits(_ server: ServerName, by list: StoredEvent) -> Bool {
        let key = Key(list: list.number, server: server)
        // The content of a list that has been redacted is another.
        if list.redactedBy == nil, let known = known[key] { return known }
        let permits = ServerACL(list.event.content).permits(server)
        if list.redactedBy == nil { known.insert(key, permits) }
        return permits
    }
}

extension RoomService {
    /// Whether the access control list of a room's current state lets a server take part. Everybody may in a room without one.
    public func permits(_ server: ServerName, in room: RoomNumber) async throws -> Bool {
        // A server that shuts itself out must still be able to mend that.
        guard server != serverName, let head = try await lane(room).head() else { return true }
        guard let list = try await RoomView(head: head, store: store).event(StateKey(.serverACL)) else { return true }
        return accessDecisions.permits(server, by: list)
    }

    /// Refuses a server that the access control list of a room's current state does not let take part.
    ///
    /// [Server access control lists](https://spec.matrix.org/v1.19/server-server-api/#server-access-control-lists-acls)
    ///
    /// - Throws: 403 `M_FORBIDDEN`.
    public func checkACL(_ server: ServerName, in room: RoomNumber) async throws {
        guard try await permits(server, in: room) else {
            throw MatrixError.forbidden("\(server) may not take part in this room")
        }
    }
}
