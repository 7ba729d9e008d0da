import Matrix
import Store

/// Where a connection of sliding sync stands, as its client has it: a ``SyncToken``, and which of the connection's answers it came with.
///
/// The text begins with the token's, so that pages of history can begin there.
struct SlidingPosition: Sendable, Hashable {
    /// How the server finds again what it had sent by then.
    enum Answer: Sendable, Hashable {
        /// An answer of a connection that is remembered.
        case remembered(serial: Int64)
        /// An answer after which there is nothing to remember: no room was sent. Such a position outlives a restart. The seal says
        /// whose it is.
        case bare(seal: UInt64)
    }

    let token: SyncToken
    let answer: Answer

    init(_ token: SyncToken, _ answer: Answer) {
        self.token = token
        self.answer = answer
    }

    /// The position of that text, or `nil` if it is none of ours.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let token = try? SyncToken(parsing: String(parts[0])) else { return nil }
        if parts[1].utf8.first == UInt8(ascii: "x") {
            guard let seal = UInt64(parts[1].dropFirst(), radix: 16) else { return nil }
            self.init(token, .bare(seal: seal))
        } else {
            guard let serial = Int64(parts[1]) else { return nil }
            self.init(token, .remembered(serial: serial))
        }
    }

    /// The position's text.
    var text: String {
        switch answer {
        case .remembered(let serial): "\(token.text).\(serial)"
        case .bare(let seal): "\(token.text).x\(String(seal, radix: 16))"
        }
    }

    /// What tells a position of one connection from those of others (FNV-1a). It is no secret: whoever makes one up gains nothing that
    /// they could not ask for without it.
    static func seal(_ key: SlidingConnections.Key) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(key.user) \(key.device?.string ?? "") \(key.name)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return hash
    }
}

extension MatrixError {
    /// 400: the server has forgotten that position, or never gave it out; the client has to begin anew.
    static let unknownPosition = MatrixError(
        400, .unknownPosition, "This position is not known any more: begin anew, without one")
}
