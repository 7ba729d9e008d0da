import Homeserver
import Matrix
import Store
import Web

/// What administrators may put an account under.
///
/// [Account moderation](https://spec.matrix.org/v1.19/client-server-api/#server-administration)
enum AccountRestriction: String, Sendable {
    /// The user's sessions are of no use until the lock is taken off.
    case locked
    /// The user may read and leave, but not speak.
    case suspended

    var flag: AccountFlags {
        switch self {
        case .locked: .locked
        case .suspended: .suspended
        }
    }

    /// The last part of the path but one.
    private var verb: String {
        switch self {
        case .locked: "lock"
        case .suspended: "suspend"
        }
    }

    func routes(_ method: HTTPMethod) -> [Route] {
        // The path it had before it was in the specification: MSC4323.
        .client(method, "/admin/\(verb)/{userId}", versions: ["v1", "unstable/uk.timedout.msc4323"])
    }

    /// As the audit trail calls it.
    func act(_ applies: Bool) -> AuditedAct {
        switch self {
        case .locked: applies ? .userLock : .userUnlock
        case .suspended: applies ? .userSuspend : .userUnsuspend
        }
    }

    func response(_ flags: AccountFlags) -> JSONValue { .object([rawValue: .bool(flags.contains(flag))]) }
}

extension AccountService {
    /// The account of a user of this server, for administrators.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` for a user of another server, 404 `M_NOT_FOUND` for one that has no account, or none any more.
    func moderated(_ user: UserID) async throws -> AccountRecord {
        guard user.isLocal(to: serverName) else {
            throw MatrixError(400, .invalidParameter, "This is not a user of this server")
        }
        guard let account = try await account(named: user.string), account.userID == user,
            !account.flags.contains(.deactivated)
        else { throw MatrixError.notFound("There is no such account") }
        return account
    }
}

extension AccountService {
    /// Puts an account under a restriction, or takes it off.
    ///
    /// - Throws: As ``moderated(_:)``; 403 for administrators: one who has lost a token must not lock the others out.
    func restrict(
        _ user: UserID, _ restriction: AccountRestriction, applies: Bool, by actor: AuditActor, _ audit: AuditTrail
    ) async throws -> JSONValue {
        let account = try await moderated(user)
        guard !account.flags.contains(.admin) else {
            throw MatrixError.forbidden("Administrators cannot be \(restriction.rawValue)")
        }
        try await setFlags(
            of: account.user, adding: applies ? restriction.flag : [], removing: applies ? [] : restriction.flag
        ) { writer in
            try audit.note(restriction.act(applies), by: actor, on: account.userID.string, in: writer)
        }
        return restriction.response(applies ? restriction.flag : [])
    }
}

extension Operator {
    /// As the audit trail names them.
    var actor: AuditActor {
        AuditActor(name: caller?.userID.string ?? AuditActor.socket, address: address, reason: reason)
    }
}
