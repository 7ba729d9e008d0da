import Matrix
import Store

/// A step of user-interactive authentication.
///
/// [Authentication types](https://spec.matrix.org/v1.19/client-server-api/#authentication-types).
public enum AuthenticationStage: String, Sendable, Hashable {
    /// Knows the password of the account.
    case password = "m.login.password"
    /// Nothing is asked.
    case dummy = "m.login.dummy"
    /// Was given a token by an administrator.
    case registrationToken = "m.login.registration_token"
    /// Accepts the terms of service.
    case terms = "m.login.terms"
    /// Has solved a task that programs find hard.
    case captcha = "m.login.recaptcha"
    /// Has signed in at a service outside.
    case singleSignOn = "m.login.sso"
    /// Has shown that they read the mail of an address.
    case email = "m.login.email.identity"
}

/// What is to be authorized, and how.
public struct AuthenticatedOperation: Sendable {
    /// What exactly: with the object it is about, so that authorization for one device does not do for another.
    public var name: String
    /// Whose account it is about, if there is one already.
    public var user: UserNumber?
    /// The ways to authenticate: any of them, each with all its stages.
    public var flows: [[AuthenticationStage]]
    /// What a mail address that is shown is for.
    public var addressPurpose: AddressService.Purpose
    /// Stages that may be completed although no flow asks for them.
    public var alsoAccepts: Set<AuthenticationStage>
    /// What clients need to know for some stages.
    public var parameters: JSONObject

    /// An operation.
    public init(
        name: String, user: UserNumber?, flows: [[AuthenticationStage]], alsoAccepts: Set<AuthenticationStage> = [],
        addressPurpose: AddressService.Purpose = .register, parameters: JSONObject = [:]
    ) {
        self.name = name
        self.user = user
        self.flows = flows
        self.alsoAccepts = alsoAccepts
        self.addressPurpose = addressPurpose
        self.parameters = parameters
    }
}

/// That an operation is authorized.
public struct InteractiveAuthorization: Sendable {
    fileprivate let session: TokenHash?
    fileprivate let completed: [String]
    /// What the first request of the session asked for, a JSON text.
    public let parameters: [UInt8]?
    /// The registration token that was shown.
    public let registrationToken: String?
    /// The proof that was given for a mail address. Whatever is done with it uses it up.
    public let addressProof: String?
    /// What came of the operation, if it was done before in this session.
    public let result: String?
}

/// User-interactive authentication: several requests that together prove that a user wants and may do something.
///
/// Sessions are in the database, so that any node can go on with them.
/// [User-interactive authentication](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api).
public final class InteractiveAuthentication: Sendable {
    let store: Store
    let clock: any Clock
    private let randomness: any Randomness
    let accounts: AccountService
    private let captcha: (any CaptchaVerifier)?
    private let addresses: AddressService?
    let offersSingleSignOn: Bool
    private let lifetimeMilliseconds: Int64

    /// - Parameters:
    ///   - store: Where sessions are.
    ///   - clock: Tells the time.
    ///   - randomness: What identifiers are made of.
    ///   - accounts: Knows passwords.
    ///   - captcha: Judges captchas; `nil` where there are none.
    ///   - addresses: Knows who has shown to read the mail of which address; `nil` where nobody can.
    ///   - offersSingleSignOn: Whether users may show who they are by signing in at a service outside.
    ///   - lifetimeMilliseconds: How long a session may take.
    public init(
        store: Store, clock: any Clock, randomness: any Randomness, accounts: AccountService,
        captcha: (any CaptchaVerifier)? = nil, addresses: AddressService? = nil, offersSingleSignOn: Bool = false,
        lifetimeMilliseconds: Int64 = 15 * 60_000
    ) {
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.accounts = accounts
        self.captcha = captcha
        self.addresses = addresses
        self.offersSingleSignOn = offersSingleSignOn
        self.lifetimeMilliseconds = lifetimeMilliseconds
    }

    /// A session that a request names, if it is one of that operation.
    ///
    /// - Throws: 403 `M_FORBIDDEN` for a session of another operation.
    func session(named auth: JSON?, of operation: AuthenticatedOperation) async throws -> InteractiveSessionRecord? {
        guard let id = auth?["session"]?.string else { return nil }
        let session = try await store.read { [now = clock.now] reader in
            try reader.interactiveSessions.session(TokenHash(of: id), now: now)
        }
        guard let session else { return nil }
        try Self.check(session, is: operation)
        return session
    }

    /// Authorizes an operation, or says what is still missing.
    ///
    /// - Parameters:
    ///   - operation: What is to be authorized.
    ///   - auth: The request's `auth`.
    ///   - parameters: What the request asks for, a JSON text; kept for requests that do not repeat it.
    /// - Throws: 401 with flows, parameters and session when more is needed, with an `errcode` when a stage failed; 403
    ///   `M_FORBIDDEN` for another user's password or another operation's session; 429.
    public func authorize(
        _ operation: AuthenticatedOperation, auth: JSON?, parameters: [UInt8]? = nil
    ) async throws -> InteractiveAuthorization {
        let now = clock.now
        let operation = try await withSingleSignOn(operation)
        var id = auth?["session"]?.string
        var known = try await session(named: auth, of: operation)
        var failure: MatrixError?
        if id != nil, known == nil {
            failure = MatrixError(401, .unknown, "The session is unknown or has expired; this is a new one")
        }
        var session =
            known
            ?? InteractiveSessionRecord(
                operation: operation.name, user: operation.user, parameters: parameters,
                expiresAt: now + lifetimeMilliseconds
            )
        if session.isRefused {
            throw MatrixError.forbidden("Another user has signed in: this operation is not theirs to authorize")
        }
        if let type = auth?["type"]?.string, let auth {
            do { try await complete(type, auth, operation, &session) } catch let error as MatrixError
                where error.status == 401
            {
                failure = error
            }
        }
        let isDone = operation.flows.contains { $0.allSatisfy { session.completed.contains($0.rawValue) } }
        if isDone, failure == nil {
            return InteractiveAuthorization(
                session: known == nil ? nil : id.map { TokenHash(of: $0) }, completed: session.completed,
                parameters: session.parameters, registrationToken: session.registrationToken,
                addressProof: session.addressProof, result: session.result
            )
        }
        if known != nil, let id {
            try await store.write { [session] in try $0.interactiveSessions.update(session, TokenHash(of: id)) }
        } else {
            let new = randomness.text(32)
            try await store.write { [session] in
                try $0.interactiveSessions.insert(session, TokenHash(of: new), now: now)
            }
            id = new
            known = session
        }
        throw Self.challenge(operation, session, id: id ?? "", failure)
    }

    /// Ends a session in the transaction that does what it authorized, so that it authorizes nothing else.
    ///
    /// - Throws: 403 `M_FORBIDDEN` if the session has been used up meanwhile.
    public func finish(_ authorization: InteractiveAuthorization, in writer: StoreWriter) throws {
        guard let hash = authorization.session else { return }
        guard try writer.interactiveSessions.delete(hash) else {
            throw MatrixError.forbidden("This authentication has been used already")
        }
    }

    /// Notes in the transaction that does what a session authorized what came of it: it authorizes no second time, and a
    /// request that is repeated is told the same.
    ///
    /// - Returns: What had come of it already, if another request was faster.
    func finish(_ authorization: InteractiveAuthorization, result: String, in writer: StoreWriter) throws -> String? {
        guard let hash = authorization.session,
            var session = try writer.read.interactiveSessions.session(hash, now: clock.now)
        else { return nil }
        if let earlier = session.result { return earlier }
        session.result = result
        // The last stage was not stored yet.
        session.completed = authorization.completed
        session.registrationToken = authorization.registrationToken
        session.addressProof = authorization.addressProof
        try writer.interactiveSessions.update(session, hash)
        return nil
    }

    // MARK: Stages

    private func complete(
        _ type: String, _ auth: JSON, _ operation: AuthenticatedOperation, _ session: inout InteractiveSessionRecord
    ) async throws {
        guard let stage = AuthenticationStage(rawValue: type),
            operation.flows.joined().contains(stage) || operation.alsoAccepts.contains(stage)
        else { throw MatrixError(401, .unrecognized, "\(type) is no stage of this authentication") }
        // Needed where a request is repeated: its registration token may be used up by now.
        if session.completed.contains(type) { return }
        switch stage {
        case .password: try await checkPassword(auth, operation)
        case .registrationToken: session.registrationToken = try await checkRegistrationToken(auth)
        case .captcha: try await checkCaptcha(auth)
        case .email: session.addressProof = try await checkAddress(auth, operation)
        case .singleSignOn: throw MatrixError(401, .unauthorized, "Sign in with a browser first")
        case .dummy, .terms: break
        }
        session.completed.append(type)
    }

    private func checkPassword(_ auth: JSON, _ operation: AuthenticatedOperation) async throws {
        guard let password = auth["password"]?.string else {
            throw MatrixError(401, .missingParameter, "password is missing")
        }
        guard let user = operation.user, let account = try await accounts.account(user) else {
            throw MatrixError.forbidden("There is no account to authenticate for")
        }
        guard try await names(auth, user) else {
            throw MatrixError.forbidden("This operation needs the password of another account")
        }
        do {
            _ = try await accounts.account(named: account.userID.string, password: password)
        } catch let error as MatrixError where error.status == 403 {
            throw MatrixError(401, .forbidden, error.message)
        }
    }

    /// Whether it is this user whose password a request says that it shows, if it says whose.
    private func names(_ auth: JSON, _ user: UserNumber) async throws -> Bool {
        let identifier = auth["identifier"]
        switch identifier?["type"]?.string {
        case "m.id.user":
            guard let name = identifier?["user"]?.string else { return true }
            return try await accounts.account(named: name)?.user == user
        case "m.id.thirdparty":
            guard identifier?["medium"]?.string == "email", let address = identifier?["address"]?.string else {
                return false
            }
            return try await accounts.account(address: address)?.user == user
        default:
            guard let name = auth["user"]?.string else { return true }
            return try await accounts.account(named: name)?.user == user
        }
    }

    /// The name of the proof that was given.
    private func checkAddress(_ auth: JSON, _ operation: AuthenticatedOperation) async throws -> String {
        guard let proof = auth["threepid_creds"] ?? auth["threepidCreds"], let sid = proof["sid"]?.string,
            let secret = proof["client_secret"]?.string
        else { throw MatrixError(401, .missingParameter, "threepid_creds is missing") }
        guard let addresses else { throw MatrixError(401, .forbidden, "Addresses cannot be shown here") }
        do {
            try await addresses.check(sid, clientSecret: secret, for: operation.addressPurpose)
        } catch let error as MatrixError where error.status < 500 {
            throw MatrixError(401, error.code, error.message)
        }
        return sid
    }

    private func checkCaptcha(_ auth: JSON) async throws {
        guard let response = auth["response"]?.string, !response.isEmpty, response.utf8.count <= 16_384 else {
            throw MatrixError(401, .missingParameter, "response is missing")
        }
        guard let captcha, try await captcha.accepts(response) else {
            throw MatrixError(401, "M_CAPTCHA_INVALID", "The captcha has not been solved")
        }
    }

    private func checkRegistrationToken(_ auth: JSON) async throws -> String {
        guard let token = auth["token"]?.string else {
            throw MatrixError(401, .missingParameter, "token is missing")
        }
        let now = clock.now
        let known = try await store.read { try $0.registrationTokens.token(token) }
        guard known?.isValid(at: now) == true else {
            throw MatrixError(401, .unauthorized, "The registration token is not valid")
        }
        return token
    }

    private static func check(_ session: InteractiveSessionRecord, is operation: AuthenticatedOperation) throws {
        guard session.operation.utf8.elementsEqual(operation.name.utf8), session.user == operation.user else {
            throw MatrixError.forbidden("This authentication was begun for something else")
        }
    }

    /// [The response](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api) that says what is missing.
    private static func challenge(
        _ operation: AuthenticatedOperation, _ session: InteractiveSessionRecord, id: String, _ failure: MatrixError?
    ) -> MatrixError {
        let flows = operation.flows.map { flow -> JSONValue in
            ["stages": .array(flow.map { .string($0.rawValue) })]
        }
        var body: JSONObject = [
            "session": .string(id), "flows": .array(flows), "params": .object(operation.parameters),
            "completed": .array(session.completed.map { .string($0) }),
        ]
        for member in failure?.extra.members ?? [] { body[member.name.string] = member.value }
        return MatrixError(
            401, failure?.code ?? .none, failure?.message ?? "", extra: body
        )
    }
}
