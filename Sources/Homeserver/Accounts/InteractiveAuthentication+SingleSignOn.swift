import Matrix
import Store

extension InteractiveAuthentication {
    /// Wherever a password would do, so does signing in outside; and only that, where the account has no password.
    func withSingleSignOn(_ operation: AuthenticatedOperation) async throws -> AuthenticatedOperation {
        guard offersSingleSignOn, let user = operation.user, operation.flows.joined().contains(.password) else {
            return operation
        }
        let hasPassword = try await accounts.account(user)?.passwordHash != nil
        var changed = operation
        changed.flows = operation.flows.flatMap { flow -> [[AuthenticationStage]] in
            guard flow.contains(.password) else { return [flow] }
            let signedOn = flow.map { $0 == .password ? .singleSignOn : $0 }
            return hasPassword ? [flow, signedOn] : [signedOn]
        }
        return changed
    }

    /// Whether there is such a session that waits for its user to sign in.
    public func expectsSingleSignOn(session id: String) async throws -> Bool {
        guard offersSingleSignOn else { return false }
        let now = clock.now
        let session = try await store.read { try $0.interactiveSessions.session(TokenHash(of: id), now: now) }
        return session?.user != nil
    }

    /// Notes that somebody has signed in outside for a session.
    ///
    /// - Parameters:
    ///   - user: Who it was. If that is not the user whom the session is about, the session can authorize nothing any more.
    ///   - id: The session's identifier.
    /// - Returns: Whether it was the user whom the session is about.
    /// - Throws: 404 if there is no such session.
    public func signedOn(_ user: UserID, session id: String) async throws -> Bool {
        let hash = TokenHash(of: id)
        let now = clock.now
        return try await store.write { writer in
            guard var session = try writer.read.interactiveSessions.session(hash, now: now), let expected = session.user
            else { throw MatrixError.notFound("The session is unknown or has expired") }
            let isExpected = try writer.read.identifiers.user(expected) == user
            let stage = AuthenticationStage.singleSignOn.rawValue
            if !isExpected {
                session.isRefused = true
            } else if !session.completed.contains(stage) {
                session.completed.append(stage)
            }
            try writer.interactiveSessions.update(session, hash)
            return isExpected
        }
    }
}
