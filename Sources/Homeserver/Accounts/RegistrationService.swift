import Matrix
import Store

/// Who may register.
public enum RegistrationMode: String, Sendable {
    /// Nobody: administrators make the accounts.
    case closed
    /// Whoever has a registration token.
    case token
    /// Anybody.
    case open
}

/// What registration is like on this server.
public struct RegistrationPolicy: Sendable {
    /// Who may register.
    public var mode: RegistrationMode
    /// Whether there are guests.
    public var allowsGuests: Bool
    /// The parameters of `m.login.terms`, if users have to accept terms.
    public var terms: JSONValue?
    /// Whether users have to solve a captcha.
    public var needsCaptcha: Bool
    /// The key with which clients show captchas; `nil` where there are none.
    public var captchaKey: String?
    /// Whether users may show a mail address instead of nothing.
    public var offersMail: Bool

    /// A policy.
    public init(
        mode: RegistrationMode, allowsGuests: Bool = false, terms: JSONValue? = nil, needsCaptcha: Bool = false,
        captchaKey: String? = nil, offersMail: Bool = false
    ) {
        self.mode = mode
        self.allowsGuests = allowsGuests
        self.terms = terms
        self.needsCaptcha = needsCaptcha
        self.captchaKey = captchaKey
        self.offersMail = offersMail
    }

    private var flows: [[AuthenticationStage]] {
        var flow: [AuthenticationStage] = []
        if mode == .token { flow.append(.registrationToken) }
        if needsCaptcha { flow.append(.captcha) }
        if terms != nil { flow.append(.terms) }
        guard offersMail else { return [flow.isEmpty ? [.dummy] : flow] }
        // The dummy tells the flows apart: whoever means to show an address is not done before they have.
        return [flow + [.dummy], flow + [.email]]
    }

    var operation: AuthenticatedOperation {
        var parameters: JSONObject = [:]
        if let terms { parameters[AuthenticationStage.terms.rawValue] = terms }
        if let captchaKey {
            parameters[AuthenticationStage.captcha.rawValue] = ["public_key": .string(captchaKey)]
        }
        return AuthenticatedOperation(
            name: "register", user: nil, flows: flows, alsoAccepts: captchaKey == nil ? [] : [.captcha],
            parameters: parameters
        )
    }
}

/// What somebody who registers asks for.
public struct RegistrationRequest: Sendable {
    /// The name; `nil` to be given one.
    public var username: String?
    /// The password.
    public var password: String?
    /// On which device the first session starts.
    public var device: DeviceRequest
    /// Whether no session is wanted.
    public var inhibitsLogin: Bool
    /// The access token of a guest who becomes a user, and keeps name and rooms.
    public var guestAccessToken: String?

    /// A request.
    public init(
        username: String?, password: String?, device: DeviceRequest, inhibitsLogin: Bool,
        guestAccessToken: String? = nil
    ) {
        self.username = username
        self.password = password
        self.device = device
        self.inhibitsLogin = inhibitsLogin
        self.guestAccessToken = guestAccessToken
    }

    /// Whether it asks for nothing: then what the session's first request asked for counts.
    var isEmpty: Bool {
        username == nil && password == nil && device.id == nil && device.initialDisplayName == nil && !inhibitsLogin
            && !device.wantsRefreshToken && guestAccessToken == nil
    }
}

/// What came of a registration.
public struct Registration: Sendable {
    /// The new user.
    public let userID: UserID
    /// Their first session, unless they wanted none.
    public let session: NewSession?
}

/// Registration of users and guests by themselves.
public final class RegistrationService: Sendable {
    /// What registration is like here.
    public let policy: RegistrationPolicy
    private let store: Store
    private let clock: any Clock
    private let randomness: any Randomness
    private let accounts: AccountService
    private let sessions: SessionService
    private let authentication: InteractiveAuthentication

    /// - Parameters:
    ///   - store: Where registration tokens are.
    ///   - clock: Tells the time.
    ///   - randomness: What names are made of for those who bring none.
    ///   - policy: What registration is like.
    ///   - accounts: Makes accounts.
    ///   - sessions: Starts sessions.
    ///   - authentication: Authorizes registrations.
    public init(
        store: Store, clock: any Clock, randomness: any Randomness, policy: RegistrationPolicy,
        accounts: AccountService, sessions: SessionService, authentication: InteractiveAuthentication
    ) {
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.policy = policy
        self.accounts = accounts
        self.sessions = sessions
        self.authentication = authentication
    }

    /// Accepts a name as free to be registered.
    ///
    /// - Throws: 400 `M_INVALID_USERNAME`, `M_USER_IN_USE`; 403 where nobody may register.
    public func checkAvailable(_ username: String) async throws {
        try checkOpen()
        try await accounts.checkAvailable(try accounts.userID(forNewName: username))
    }

    /// Whether a registration token would do.
    public func isValid(registrationToken: String) async throws -> Bool {
        guard policy.mode == .token else { throw MatrixError.forbidden("Registration needs no tokens here") }
        let now = clock.now
        return try await store.read { try $0.registrationTokens.token(registrationToken) }?.isValid(at: now) ?? false
    }

    /// Registers a user, once they have authenticated.
    ///
    /// [Registration](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register). A request that is repeated in
    /// the same session starts another session of the user that was registered before. A guest who shows their token
    /// [becomes a user](https://spec.matrix.org/v1.19/client-server-api/#guest-access) of the same name.
    ///
    /// - Throws: 401 when more authentication is needed; 400 `M_USER_IN_USE`, `M_INVALID_USERNAME`, `M_WEAK_PASSWORD`; 403
    ///   where nobody may register, for a token that is not that guest's, or an address that is not shown any more.
    public func register(_ request: RegistrationRequest, auth: JSON?) async throws -> Registration {
        try checkOpen()
        let operation = policy.operation
        let known = try await authentication.session(named: auth, of: operation)
        var wanted = try await Wanted(request, known?.parameters, accounts)
        if known?.result == nil {
            if let token = request.guestAccessToken {
                try await check(token, isOf: wanted.userID)
                wanted.isGuest = true
            } else if let user = wanted.userID, !wanted.isGuest {
                try await accounts.checkAvailable(user)
            }
        }
        let authorization = try await authentication.authorize(
            operation, auth: auth, parameters: known == nil ? wanted.serialized : nil
        )
        if let earlier = authorization.result { return try await again(earlier, wanted) }
        guard wanted.passwordHash != nil else { throw MatrixError.missingParameter("password is missing") }
        let user = try wanted.userID ?? randomUser(prefix: "u")
        wanted.userID = user
        let new = NewAccount(userID: user, passwordHash: wanted.passwordHash, takesOverGuest: wanted.isGuest)
        let needsToken = policy.mode == .token
        let now = clock.now
        do {
            let session = try await accounts.create(
                new, addressProof: authorization.addressProof, device: wanted.inhibitsLogin ? nil : wanted.device
            ) {
                [authentication] writer in
                if let earlier = try authentication.finish(authorization, result: user.string, in: writer) {
                    throw DoneBefore(result: earlier)
                }
                guard needsToken else { return }
                guard let token = authorization.registrationToken, try writer.registrationTokens.use(token, now: now)
                else { throw MatrixError.forbidden("The registration token has been used up") }
            }
            return Registration(userID: user, session: session)
        } catch let done as DoneBefore {
            return try await again(done.result, wanted)
        }
    }

    /// Accepts the token of the guest who wants to become a user.
    private func check(_ token: String, isOf guest: UserID?) async throws {
        guard let guest else { throw MatrixError.missingParameter("username is missing") }
        let session = try await store.read { try $0.sessions.accessToken(TokenHash(of: token)) }
        guard let session, session.userID == guest, session.flags.contains(.guest),
            session.expiresAt.map({ $0 > clock.now }) ?? true
        else { throw MatrixError.forbidden("The token is not that of a guest of this name") }
        try AccountState.checkMayLogIn(session.flags)
    }

    /// Registers a guest.
    ///
    /// - Parameter displayName: What the guest's device is called.
    /// - Throws: 403 `M_FORBIDDEN` where there are no guests.
    public func registerGuest(deviceName: String?) async throws -> Registration {
        guard policy.allowsGuests else {
            throw MatrixError(403, .guestAccessForbidden, "This server has no guests")
        }
        let user = try randomUser(prefix: "guest-")
        let session = try await accounts.create(
            NewAccount(userID: user, passwordHash: nil, flags: .guest),
            device: DeviceRequest(initialDisplayName: deviceName)
        )
        return Registration(userID: user, session: session)
    }

    private func again(_ result: String, _ wanted: Wanted) async throws -> Registration {
        guard let user = UserID(result) else { throw MatrixError.internalError }
        if wanted.inhibitsLogin { return Registration(userID: user, session: nil) }
        return Registration(userID: user, session: try await sessions.start(for: user, wanted.device))
    }

    private func checkOpen() throws(MatrixError) {
        guard policy.mode != .closed else { throw .forbidden("Registration is disabled on this server") }
    }

    private func randomUser(prefix: String) throws -> UserID {
        let name = prefix + Username.lowercased(randomness.text(16))
        guard let user = UserID(localpart: name, server: accounts.serverName) else { throw MatrixError.internalError }
        return user
    }

    private struct DoneBefore: Error {
        let result: String
    }
}

/// What somebody who registers wants, checked, and fit to be kept between requests: of the password only its hash.
private struct Wanted: Sendable {
    var userID: UserID?
    var passwordHash: String?
    var device: DeviceRequest
    var inhibitsLogin: Bool
    /// Whether it is a guest's own name that is asked for.
    var isGuest = false

    init(_ request: RegistrationRequest, _ stored: [UInt8]?, _ accounts: AccountService) async throws {
        if request.isEmpty, let stored, let json = try? JSON(parsing: stored) {
            userID = json["user_id"]?.string.flatMap { UserID($0) }
            passwordHash = json["password_hash"]?.string
            device = DeviceRequest(
                id: json["device_id"]?.string.flatMap { DeviceID($0) },
                initialDisplayName: json["device_name"]?.string, wantsRefreshToken: json["refresh"]?.bool == true,
                address: request.device.address
            )
            inhibitsLogin = json["inhibit_login"]?.bool == true
            isGuest = json["guest"]?.bool == true
            return
        }
        userID = try request.username.map(accounts.userID(forNewName:))
        // Whoever asks for a name that is taken should not cost a hash.
        if let password = request.password { passwordHash = try await accounts.hash(newPassword: password) }
        device = request.device
        inhibitsLogin = request.inhibitsLogin
    }

    var serialized: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("user_id", userID)
        writer.member("password_hash", passwordHash)
        writer.member("device_id", device.id)
        writer.member("device_name", device.initialDisplayName)
        writer.member("refresh", device.wantsRefreshToken)
        writer.member("inhibit_login", inhibitsLogin)
        writer.member("guest", isGuest)
        writer.endObject()
        return writer.bytes
    }
}
