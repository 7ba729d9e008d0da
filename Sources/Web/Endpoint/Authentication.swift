import Matrix

/// Who makes a request.
public struct Caller: Sendable, Hashable {
    /// The user; for an application service that masquerades, the user it acts as.
    public var userID: UserID
    /// The user's number in the store.
    public var userNumber: Int64
    /// The device that the token belongs to, if any.
    public var deviceID: DeviceID?
    /// The token's number in the store.
    public var tokenNumber: Int64?
    /// Whether the user is a guest.
    public var isGuest: Bool
    /// Whether the user administers this server.
    public var isAdministrator: Bool
    /// Whether the account is locked: then only endpoints that say so may be used.
    public var isLocked: Bool
    /// Whether the account is suspended: the user may read and leave, but not speak. See ``checkNotSuspended()``.
    public var isSuspended: Bool
    /// Whether the account has ended: then only endpoints that say so may be used.
    public var isExpired: Bool
    /// The application service that makes the request, if one does.
    public var appServiceID: String?
    /// Whether rate limits pass the caller by.
    public var isExemptFromRateLimits: Bool
    /// What takes the place of the limits of ``RateLimitClass/ofUsers``, if anything does.
    public var rateLimit: RateLimits.Limit?

    /// A caller.
    public init(
        userID: UserID, userNumber: Int64, deviceID: DeviceID? = nil, tokenNumber: Int64? = nil, isGuest: Bool = false,
        isAdministrator: Bool = false, isLocked: Bool = false, isSuspended: Bool = false, isExpired: Bool = false,
        appServiceID: String? = nil, isExemptFromRateLimits: Bool = false, rateLimit: RateLimits.Limit? = nil
    ) {
        self.userID = userID
        self.userNumber = userNumber
        self.deviceID = deviceID
        self.tokenNumber = tokenNumber
        self.isGuest = isGuest
        self.isAdministrator = isAdministrator
        self.isLocked = isLocked
        self.isSuspended = isSuspended
        self.isExpired = isExpired
        self.rateLimit = rateLimit
        self.appServiceID = appServiceID
        self.isExemptFromRateLimits = isExemptFromRateLimits
    }

    /// Refuses the suspended.
    ///
    /// [Account suspension](https://spec.matrix.org/v1.19/client-server-api/#account-suspension) lists what they may still do.
    ///
    /// - Throws: 403 `M_USER_SUSPENDED`.
    public func checkNotSuspended() throws(MatrixError) {
        if isSuspended { throw .userSuspended }
    }
}

/// The caller of an endpoint that asks for no token.
public struct Anonymous: Sendable, Hashable {
    /// Nobody in particular.
    public init() {}
}

/// Who administers the server: an administrator with a token or, on the socket, whoever can open it.
public struct Operator: Sendable {
    /// The administrator; `nil` on the socket.
    public let caller: Caller?
    /// The address they come from; empty on the socket.
    public let address: String
    /// Why they say that they do it.
    public let reason: String?

    /// The field of a request that says why something is done, percent-encoded.
    public static let reasonField = "x-chappe-reason"
}

/// Whom an application service says it acts as.
///
/// [Identity assertion](https://spec.matrix.org/v1.19/application-service-api/#identity-assertion).
public struct Masquerade: Sendable, Hashable {
    /// The `user_id` of the query, as received.
    public var userID: String?
    /// The `device_id` of the query, as received.
    public var deviceID: String?

    /// An assertion.
    public init(userID: String? = nil, deviceID: String? = nil) {
        self.userID = userID
        self.deviceID = deviceID
    }
}

/// Knows access tokens.
public protocol Authenticator: Sendable {
    /// The caller that a token stands for.
    ///
    /// - Parameters:
    ///   - accessToken: The token as received; never to be logged.
    ///   - masquerade: Whom the caller wants to act as. To be ignored unless the token is an application service's.
    ///   - request: The request, for what is noted of devices in use.
    /// - Throws: ``MatrixError`` 401 for a token that is unknown, 403 for a masquerade that is not allowed.
    func authenticate(
        accessToken: String, masquerade: Masquerade?, for request: HTTPRequest
    ) async throws -> Caller
    /// The application service that a token stands for, as the user that it is itself; `nil` if it is no service's token.
    func appService(accessToken: String) async throws -> Caller?
}

extension Authenticator {
    /// There are no application services.
    public func appService(accessToken: String) async throws -> Caller? { nil }
}

/// Whether an endpoint asks for a token, and what it is told of the caller.
///
/// `Identity` is ``Caller``, `Caller?`, ``Anonymous`` or ``RemoteServer``: the type of the handler's `caller`.
public struct Authentication<Identity: Sendable>: Sendable {
    let identify: @Sendable (HTTPRequest, EndpointEnvironment) async throws -> Identified<Identity>
}

/// What is known of who makes a request.
struct Identified<Identity: Sendable>: Sendable {
    /// What the handler is told.
    var identity: Identity
    /// The user, if one makes the request.
    var caller: Caller?
    /// The server, if one makes the request.
    var server: RemoteServer?
}

extension Authentication where Identity == Anonymous {
    /// No token is asked for, and one that is sent is not looked at.
    public static var none: Self { Self { _, _ in Identified(identity: Anonymous()) } }
}

extension Authentication where Identity == Anonymous {
    /// What the service that users sign in at and this server know each other by is needed as a token.
    public static var authenticationService: Self {
        Self { request, environment in
            guard let token = try AccessToken.find(in: request) else { throw MatrixError.missingToken }
            guard environment.isAuthenticationService?(token) == true else {
                throw MatrixError.forbidden("Only the service that users sign in at can do this")
            }
            return Identified(identity: Anonymous())
        }
    }
}

extension Authentication where Identity == Caller? {
    /// A token may be sent; one that is sent must be good.
    public static var optional: Self {
        Self { request, environment in
            guard let token = try AccessToken.find(in: request) else { return Identified(identity: nil) }
            let caller = try await AccessToken.caller(of: token, request, environment.authenticator)
            return Identified(identity: caller, caller: caller)
        }
    }

    /// A token may be sent; one that is not good is passed over, and that of an account that has ended is good enough.
    public static var optionalEvenIfExpired: Self {
        Self { request, environment in
            guard let token = AccessToken.sent(in: request) else { return Identified(identity: nil) }
            do {
                let caller = try await AccessToken.anyCaller(of: token, request, environment.authenticator)
                if caller.isLocked { throw MatrixError.userLocked }
                return Identified(identity: caller, caller: caller)
            } catch let error as MatrixError where error.status == 401 {
                return Identified(identity: nil)
            }
        }
    }

    /// An application service's token may be sent; any other is not looked at.
    ///
    /// [Server admin style permissions](https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions)
    public static var appService: Self {
        Self { request, environment in
            guard let token = AccessToken.sent(in: request),
                let caller = try await environment.authenticator.appService(accessToken: token)
            else { return Identified(identity: nil) }
            return Identified(identity: caller, caller: caller)
        }
    }
}

extension RequestInput {
    /// Whether the request carries an access token, whatever its worth.
    public var hasAccessToken: Bool { AccessToken.sent(in: request) != nil }
}

extension Authentication where Identity == Caller {
    /// A token is needed, and not a guest's.
    public static var required: Self {
        Self { request, environment in
            let caller = try await AccessToken.required(in: request, environment.authenticator)
            if caller.isGuest {
                throw MatrixError(403, .guestAccessForbidden, "Guests cannot do this")
            }
            return Identified(identity: caller, caller: caller)
        }
    }

    /// A token is needed; a guest's will do.
    public static var allowingGuests: Self {
        Self { request, environment in
            let caller = try await AccessToken.required(in: request, environment.authenticator)
            return Identified(identity: caller, caller: caller)
        }
    }

    /// A token is needed; that of a guest, of a locked account or of one that has ended will do: for logging out.
    ///
    /// [Account locking](https://spec.matrix.org/v1.19/client-server-api/#account-locking).
    public static var evenIfLocked: Self {
        Self { request, environment in
            guard let token = try AccessToken.find(in: request) else { throw MatrixError.missingToken }
            let caller = try await AccessToken.anyCaller(of: token, request, environment.authenticator)
            return Identified(identity: caller, caller: caller)
        }
    }

    /// A token is needed; that of an account that has ended will do: for renewing it.
    public static var evenIfExpired: Self {
        Self { request, environment in
            guard let token = try AccessToken.find(in: request) else { throw MatrixError.missingToken }
            let caller = try await AccessToken.anyCaller(of: token, request, environment.authenticator)
            if caller.isLocked { throw MatrixError.userLocked }
            return Identified(identity: caller, caller: caller)
        }
    }

    /// An administrator's token is needed.
    public static var administrator: Self {
        Self { request, environment in
            let caller = try await AccessToken.required(in: request, environment.authenticator)
            guard caller.isAdministrator else { throw MatrixError.forbidden("Only administrators can do this") }
            return Identified(identity: caller, caller: caller)
        }
    }
}

extension Authentication where Identity == Operator {
    /// An administrator's token is needed, but on the socket.
    public static var administering: Self {
        Self { request, environment in
            let reason = request.headers[Operator.reasonField].flatMap { PercentEncoding.decode($0.utf8) }
            if environment.trustsEverybody {
                return Identified(identity: Operator(caller: nil, address: "", reason: reason))
            }
            let caller = try await AccessToken.required(in: request, environment.authenticator)
            guard caller.isAdministrator, caller.appServiceID == nil else {
                throw MatrixError.forbidden("Only administrators can do this")
            }
            return Identified(
                identity: Operator(caller: caller, address: request.remoteAddress, reason: reason), caller: caller)
        }
    }
}

/// Where requests carry their token.
///
/// [Using access tokens](https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens).
enum AccessToken {
    /// The token in the `Authorization` field or, as old clients do it, in the query.
    static func find(in request: HTTPRequest) throws -> String? {
        if let field = request.headers["authorization"] {
            let space = field.utf8.firstIndex(of: UInt8(ascii: " ")) ?? field.endIndex
            let scheme = field[..<space]
            let token = field[space...].drop { $0 == " " }
            guard scheme.utf8.count == 6, scheme.lowercased() == "bearer", !token.isEmpty else {
                throw MatrixError(401, .missingToken, "The Authorization field holds no bearer token")
            }
            return String(token)
        }
        return request.query["access_token"]
    }

    /// The token, or `nil` if there is none, also where something is there that is no token.
    static func sent(in request: HTTPRequest) -> String? { (try? find(in: request)) ?? nil }

    static func required(in request: HTTPRequest, _ authenticator: any Authenticator) async throws -> Caller {
        guard let token = try find(in: request) else { throw MatrixError.missingToken }
        return try await caller(of: token, request, authenticator)
    }

    static func caller(
        of token: String, _ request: HTTPRequest, _ authenticator: any Authenticator
    ) async throws -> Caller {
        let caller = try await anyCaller(of: token, request, authenticator)
        if caller.isLocked { throw MatrixError.userLocked }
        if caller.isExpired { throw MatrixError(403, "ORG_MATRIX_EXPIRED_ACCOUNT", "This account has ended") }
        return caller
    }

    static func anyCaller(
        of token: String, _ request: HTTPRequest, _ authenticator: any Authenticator
    ) async throws -> Caller {
        let user = request.query["user_id"]
        let device = request.query["device_id"] ?? request.query["org.matrix.msc3202.device_id"]
        let masquerade = user == nil && device == nil ? nil : Masquerade(userID: user, deviceID: device)
        return try await authenticator.authenticate(accessToken: token, masquerade: masquerade, for: request)
    }
}
