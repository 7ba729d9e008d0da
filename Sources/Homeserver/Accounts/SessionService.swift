import Matrix
import Store

/// Sessions: logging in and out, refreshing tokens, and telling who a token belongs to.
public final class SessionService: Sendable {
    private let store: Store
    private let clock: any Clock
    private let randomness: any Randomness
    private let removal: DeviceRemoval
    private let activity: DeviceActivity
    private let validity: AccountValidityPolicy?
    /// Who knows whose tokens are; `nil` if this server gives them out itself.
    public let delegated: DelegatedAuthentication?
    private let recheckAfterMilliseconds: Int64?
    let issuer: SessionIssuer
    /// How long tokens live.
    public let lifetimes: TokenLifetimes

    private static let activityIntervalMilliseconds: Int64 = 60_000

    /// - Parameters:
    ///   - store: Where sessions are.
    ///   - clock: Tells the time.
    ///   - randomness: What tokens are made of.
    ///   - removal: Ends sessions.
    ///   - activity: Notes when devices were used.
    ///   - lifetimes: How long tokens live.
    ///   - audit: Hears of who signs in.
    ///   - validity: How long accounts are valid; `nil` for ever.
    ///   - delegated: Who knows whose tokens are; `nil` if this server gives them out itself.
    public init(
        store: Store, clock: any Clock, randomness: any Randomness, removal: DeviceRemoval, activity: DeviceActivity,
        lifetimes: TokenLifetimes = TokenLifetimes(), audit: AuditTrail? = nil,
        validity: AccountValidityPolicy? = nil, delegated: DelegatedAuthentication? = nil
    ) {
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.removal = removal
        self.activity = activity
        self.lifetimes = lifetimes
        self.validity = validity
        self.delegated = delegated
        issuer = SessionIssuer(
            clock: clock, randomness: randomness, lifetimes: lifetimes, removal: removal, audit: audit)
        // Other nodes end sessions, too: most of that is in the journal, the rest is found out by asking again.
        recheckAfterMilliseconds = store.database.engine == .postgres ? 30_000 : nil
        let cache = removal.cache
        store.journal.listen { entries in
            for entry in entries { if case .deviceList(let user) = entry.change { cache.invalidate(user) } }
        }
    }

    // MARK: Tokens

    /// Who an access token belongs to. A known one costs no look-up in the database.
    ///
    /// - Parameters:
    ///   - accessToken: The token as received.
    ///   - address: The client's address, for the list of devices.
    ///   - userAgent: The client's `User-Agent`, likewise.
    /// - Throws: 401 `M_UNKNOWN_TOKEN`, with `soft_logout` for one that has expired.
    public func session(
        accessToken: String, address: String, userAgent: String?
    ) async throws -> AuthenticatedSession {
        let hash = TokenHash(of: accessToken)
        let now = clock.now
        let cache = removal.cache
        if let (session, isToNote) = cache.session(hash, now: now, noteEvery: Self.activityIntervalMilliseconds) {
            // A token of another service is asked about again instead: it may have been given more time.
            if delegated == nil { try checkExpiry(session.expiresAt, now) }
            if isToNote { note(session, address, userAgent, now) }
            return session
        }
        let ticket = cache.ticket()
        let (session, lastSeenAt) =
            if let delegated {
                try await delegatedSession(accessToken, hash, delegated, now)
            } else {
                try await ownSession(hash, now)
            }
        let isToNote = now - (lastSeenAt ?? 0) >= Self.activityIntervalMilliseconds
        let entry = SessionCache.Entry(
            session: session, recheckAt: recheckAt(session, now), notedAt: isToNote ? now : lastSeenAt ?? now)
        cache.insert(hash, entry, ticket)
        if isToNote { note(session, address, userAgent, now) }
        return session
    }

    /// Whether a session's account has ended, and waits to be renewed.
    public func hasEnded(_ session: AuthenticatedSession) -> Bool {
        session.accountEnd.map { $0 <= clock.now } ?? false
    }

    /// When what is known of a token has to be asked anew.
    private func recheckAt(_ session: AuthenticatedSession, _ now: Int64) -> Int64 {
        var time = recheckAfterMilliseconds.map { now + $0 } ?? .max
        if delegated != nil {
            time = min(time, now + DelegatedAuthentication.rememberMilliseconds, session.expiresAt ?? .max)
        }
        // It may have been renewed meanwhile, or be exempt; and whoever asks with one that has ended reads the database each time.
        if let end = session.accountEnd { time = min(time, max(end, now)) }
        return time
    }

    private func ownSession(
        _ hash: TokenHash, _ now: Int64
    ) async throws -> (session: AuthenticatedSession, lastSeenAt: Int64?) {
        let found = try await store.read { [validity] reader -> (AccessTokenRecord, Int64?)? in
            guard let token = try reader.sessions.accessToken(hash) else { return nil }
            return (token, try validity?.end(of: token.user, token.userID, in: reader))
        }
        guard let (token, end) = found else { throw MatrixError.unknownToken() }
        try checkExpiry(token.expiresAt, now)
        if !token.isUsed { try await confirm(hash) }
        let session = AuthenticatedSession(
            user: token.user, userID: token.userID, device: token.device, flags: token.flags,
            expiresAt: token.expiresAt, rateLimit: token.rateLimit, accountEnd: end)
        return (session, token.lastSeenAt)
    }

    /// The session of a token that another service gave out. Its user and device must be known here; that they are removed ends it.
    private func delegatedSession(
        _ accessToken: String, _ hash: TokenHash, _ delegated: DelegatedAuthentication, _ now: Int64
    ) async throws -> (session: AuthenticatedSession, lastSeenAt: Int64?) {
        guard let token = try await delegated.token(accessToken, hash),
            let userID = UserID(localpart: token.username, server: delegated.serverName)
        else { throw MatrixError.unknownToken() }
        let found = try await store.read { [validity] reader -> (AuthenticatedSession, Int64?)? in
            guard let account = try reader.accounts.account(userID), !account.flags.contains(.deactivated) else {
                return nil
            }
            var lastSeenAt: Int64?
            if let device = token.device {
                guard let known = try reader.devices.device(device, of: account.user) else { return nil }
                lastSeenAt = known.lastSeenAt
            }
            // Who administers is said by the service alone.
            let flags = token.isAdministrator ? account.flags.union(.admin) : account.flags.subtracting(.admin)
            let session = AuthenticatedSession(
                user: account.user, userID: userID, device: token.device, flags: flags,
                expiresAt: token.lifetimeMilliseconds.map { now + $0 },
                rateLimit: try reader.accounts.rateLimit(of: account.user),
                accountEnd: try validity?.end(of: account.user, userID, in: reader))
            return (session, lastSeenAt)
        }
        guard let found else { throw MatrixError.unknownToken() }
        return found
    }

    /// Exchanges a refresh token. The old tokens stay good until one of the new ones is used, so that a client that never
    /// receives the answer can ask again.
    ///
    /// [Refreshing access tokens](https://spec.matrix.org/v1.19/client-server-api/#refreshing-access-tokens).
    ///
    /// - Throws: 401 `M_UNKNOWN_TOKEN`, with `soft_logout` for one that has expired.
    public func refresh(_ refreshToken: String) async throws -> NewSession {
        let hash = TokenHash(of: refreshToken)
        guard let known = try await store.read({ try $0.sessions.refreshToken(hash) }) else {
            throw MatrixError.unknownToken()
        }
        let prepared = issuer.prepareRenewal(of: known.device)
        return try await store.write { [removal] writer in
            guard let current = try writer.read.sessions.refreshToken(hash),
                let account = try writer.read.accounts.account(current.user)
            else { throw MatrixError.unknownToken() }
            try Self.checkExpiry(current.expiresAt, prepared.now)
            try AccountState.checkNotLocked(account.flags)
            try writer.sessions.renew(current, with: prepared.tokens)
            removal.forget(current.user, in: writer)
            return prepared.session(of: account.userID)
        }
    }

    /// The first use of a refreshed token ends the tokens before it.
    private func confirm(_ hash: TokenHash) async throws {
        try await store.write { [removal] writer in
            guard let token = try writer.read.sessions.accessToken(hash) else { throw MatrixError.unknownToken() }
            guard !token.isUsed else { return }
            try writer.sessions.confirm(generation: token.generation, of: token.device, token.user)
            removal.forget(token.user, in: writer)
        }
    }

    // MARK: Logging in and out

    /// Starts a session for a user whose identity has been established.
    ///
    /// - Throws: 403 `M_USER_DEACTIVATED`, 401 `M_USER_LOCKED`, 400 for a device name that is too long.
    public func start(for user: UserID, _ device: DeviceRequest) async throws -> NewSession {
        let prepared = try issuer.prepare(device)
        return try await store.write { [issuer] writer in
            // The account may have changed since the password was checked.
            guard let account = try writer.read.accounts.account(user) else {
                throw MatrixError.forbidden("There is no such account")
            }
            try AccountState.checkMayLogIn(account.flags)
            try issuer.start(prepared, for: account.user, in: writer)
            return prepared.session(of: user)
        }
    }

    /// Starts a session for somebody else who acts as the user: the audit trail tells who, and the user sees the device.
    ///
    /// - Parameters:
    ///   - user: Whom they act as.
    ///   - device: On which device.
    ///   - actor: Who acts.
    ///   - expiresAt: When the token expires, in milliseconds since 1970; `nil` for when every token does.
    /// - Throws: 403 `M_USER_DEACTIVATED`, 401 `M_USER_LOCKED`, 404 if there is no such account.
    public func start(
        as user: UserNumber, _ device: DeviceRequest, by actor: AuditActor, expiresAt: Int64?
    ) async throws -> NewSession {
        var prepared = try issuer.prepare(device)
        if let expiresAt {
            prepared.tokens = SessionTokens(
                access: prepared.tokens.access, accessExpiresAt: expiresAt, refresh: nil, refreshExpiresAt: nil)
        }
        return try await store.write { [issuer, prepared] writer in
            guard let account = try writer.read.accounts.account(user) else {
                throw MatrixError.notFound("There is no such account")
            }
            try AccountState.checkMayLogIn(account.flags)
            try issuer.start(prepared, for: user, by: actor, in: writer)
            return prepared.session(of: account.userID)
        }
    }

    /// A token with which another device of the user can log in, once.
    ///
    /// - Parameters:
    ///   - user: The user.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Returns: The token, and how long it lives, in milliseconds.
    public func loginToken(
        for user: UserNumber, alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws -> (token: String, expiresInMilliseconds: Int64) {
        let token = "chl_\(randomness.text(40))"
        let now = clock.now
        let expiresAt = now + lifetimes.loginMilliseconds
        try await store.write { writer in
            try alongside(writer)
            try writer.loginTokens.insert(TokenHash(of: token), for: user, expiresAt: expiresAt, now: now)
        }
        return (token, lifetimes.loginMilliseconds)
    }

    /// Starts a session for the bearer of a login token.
    ///
    /// - Throws: 403 `M_FORBIDDEN` for a token that is not good, 403 `M_USER_DEACTIVATED`, 401 `M_USER_LOCKED`.
    public func start(loginToken: String, _ device: DeviceRequest) async throws -> NewSession {
        let prepared = try issuer.prepare(device)
        let outcome = try await store.write { [issuer] writer -> Result<NewSession, MatrixError> in
            // A token is used up even where the account may not log in: hence no throwing before the commit.
            guard let user = try writer.loginTokens.take(TokenHash(of: loginToken), now: prepared.now),
                let account = try writer.read.accounts.account(user)
            else { return .failure(.forbidden("The login token is not valid")) }
            do throws(MatrixError) {
                try AccountState.checkMayLogIn(account.flags)
            } catch {
                return .failure(error)
            }
            try issuer.start(prepared, for: user, in: writer)
            return .success(prepared.session(of: account.userID))
        }
        return try outcome.get()
    }

    /// Ends the session of a device, which is removed.
    public func end(_ device: DeviceID, of user: UserNumber) async throws {
        try await store.write { [removal] in try removal.remove([device], of: user, in: $0) }
    }

    /// Ends all sessions of a user.
    ///
    /// - Parameters:
    ///   - user: Whose.
    ///   - alongside: What else is done in the same transaction, before.
    public func endAll(
        of user: UserNumber, alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { [removal] writer in
            try alongside(writer)
            try removal.removeAll(of: user, in: writer)
        }
    }

    private func note(_ session: AuthenticatedSession, _ address: String, _ userAgent: String?, _ now: Int64) {
        guard let device = session.device else { return }
        activity.note(
            DeviceSighting(
                user: session.user, device: device, seenAt: now, address: address,
                // NUL cannot be stored; what comes after 512 bytes tells nobody anything.
                userAgent: userAgent.map { String(decoding: $0.utf8.prefix(512).filter { $0 != 0 }, as: UTF8.self) }
            )
        )
    }

    private func checkExpiry(_ expiresAt: Int64?, _ now: Int64) throws(MatrixError) {
        try Self.checkExpiry(expiresAt, now)
    }

    private static func checkExpiry(_ expiresAt: Int64?, _ now: Int64) throws(MatrixError) {
        if let expiresAt, expiresAt <= now { throw .unknownToken(softLogout: true) }
    }
}

/// What the state of an account forbids.
enum AccountState {
    /// Refuses the locked, who may come back.
    ///
    /// [Account locking](https://spec.matrix.org/v1.19/client-server-api/#account-locking).
    ///
    /// - Throws: 401 `M_USER_LOCKED` with `soft_logout`.
    static func checkNotLocked(_ flags: AccountFlags) throws(MatrixError) {
        if flags.contains(.locked) { throw .userLocked }
    }

    /// Refuses those who may not log in.
    static func checkMayLogIn(_ flags: AccountFlags) throws(MatrixError) {
        if flags.contains(.deactivated) {
            throw MatrixError(403, .userDeactivated, "This account has been deactivated")
        }
        try checkNotLocked(flags)
    }
}
