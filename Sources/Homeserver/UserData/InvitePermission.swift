import Matrix

/// Whose invitations a user takes, as their account data say.
///
/// [Invite permission](https://spec.matrix.org/v1.19/client-server-api/#invite-permission), and the lists of
/// [MSC4155](https://github.com/matrix-org/matrix-spec-proposals/pull/4155).
public struct InvitePermission: Sendable {
    /// What becomes of an invitation.
    public enum Verdict: Sendable, Hashable {
        /// The user is told of it.
        case allow
        /// It stands, but the user is not told of it, and neither is who invites.
        case ignore
        /// It is refused, with an `errcode`.
        case block(ErrorCode)
    }

    /// The names of the account data: of the specification, and of the two proposals before it.
    public static let types: [ExactString] = [stableType, blockingType, filteringType]
    static let stableType: ExactString = "m.invite_permission_config"
    static let blockingType: ExactString = "org.matrix.msc4380.invite_permission_config"
    static let filteringType: ExactString = "org.matrix.msc4155.invite_permission_config"

    /// How many entries a list may have; what is beyond them does not count.
    static let maximumEntries = 1_000

    private let configurations: [Configuration]

    /// One item of account data.
    private struct Configuration: Sendable {
        let errorCode: ErrorCode
        var blocksAll = false
        /// What is looked at one after the other; the first that matches decides.
        var rules: [(matches: [ServerGlob], ofServers: Bool, verdict: Verdict)] = []

        func verdict(on sender: UserID) -> Verdict {
            if blocksAll { return .block(errorCode) }
            guard !rules.isEmpty else { return .allow }
            let user = ServerGlob.folded(sender.string)
            // As in access control lists, the port does not matter.
            let server = ServerGlob.folded(sender.server.host)
            for rule in rules where rule.matches.contains(where: { $0.matches(rule.ofServers ? server : user) }) {
                return rule.verdict
            }
            return .allow
        }
    }

    /// What the contents of a user's account data say, by type. What is malformed in them says nothing.
    public init(_ items: [ExactString: JSON]) {
        configurations = Self.types.compactMap { type in items[type].map { Self.read($0, type) } }
    }

    /// Whether every invitation is taken.
    public var allowsAll: Bool { configurations.allSatisfy { !$0.blocksAll && $0.rules.isEmpty } }

    /// What becomes of an invitation by a user: what one item blocks no other lets in.
    public func verdict(on sender: UserID) -> Verdict {
        var isIgnored = false
        for configuration in configurations {
            switch configuration.verdict(on: sender) {
            case .block(let code): return .block(code)
            case .ignore: isIgnored = true
            case .allow: break
            }
        }
        return isIgnored ? .ignore : .allow
    }

    private static func read(_ content: JSON, _ type: ExactString) -> Configuration {
        let code: ErrorCode = type == stableType ? .inviteBlocked : .inviteBlockedUnstable
        var configuration = Configuration(errorCode: code)
        configuration.blocksAll =
            content["default_action"]?.string.map { ExactString($0) } == "block"
            || (type == blockingType && content["block_all"]?.bool == true)
        // Lists can be put out of force without being given up.
        guard type != blockingType, content["enabled"]?.bool ?? true else { return configuration }
        for (scope, ofServers) in [("users", false), ("servers", true)] {
            for (name, verdict) in [("allowed", Verdict.allow), ("ignored", .ignore), ("blocked", .block(code))] {
                guard let list = content["\(name)_\(scope)"], list.isArray else { continue }
                let globs = list.elements.prefix(maximumEntries).compactMap { $0.string.map { ServerGlob($0) } }
                if !globs.isEmpty { configuration.rules.append((globs, ofServers, verdict)) }
            }
        }
        return configuration
    }
}
