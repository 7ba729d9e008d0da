import Matrix
import Store

/// The users of application services: their accounts, and who acts as whom.
public final class AppServiceAccounts: Sendable {
    /// Whom a service acts as.
    public struct Actor: Sendable {
        /// The service.
        public let service: AppService
        /// The account.
        public let account: AccountRecord
        /// The device, if it says one.
        public let device: DeviceID?
        /// Whether rate limits pass it by.
        public var isExemptFromRateLimits: Bool { !service.isRateLimited || account.userID == service.sender }
    }

    /// The services.
    public let services: AppServices
    private let store: Store
    private let accounts: AccountService
    private let sessions: SessionService

    /// - Parameters:
    ///   - services: The services.
    ///   - store: Where accounts are.
    ///   - accounts: Makes accounts.
    ///   - sessions: Starts sessions.
    public init(services: AppServices, store: Store, accounts: AccountService, sessions: SessionService) {
        self.services = services
        self.store = store
        self.accounts = accounts
        self.sessions = sessions
    }

    /// Makes the accounts of the services themselves, where they are not there yet.
    public func start() async throws {
        for service in services.all {
            if try await store.read({ try $0.accounts.account(service.sender) }) != nil { continue }
            _ = try await accounts.create(
                NewAccount(userID: service.sender, passwordHash: nil, appService: service.id), device: nil)
        }
    }

    /// Whom a request's token lets its sender act as; `nil` if it is no service's token.
    ///
    /// [Identity assertion](https://spec.matrix.org/v1.19/application-service-api/#identity-assertion)
    ///
    /// - Parameters:
    ///   - user: Whom the service says it acts as; `nil` for itself.
    ///   - device: That user's device with which it does.
    /// - Throws: 403 `M_FORBIDDEN` for a user who is not the service's, or has no account; 400 `M_INVALID_PARAM`,
    ///   `M_UNKNOWN_DEVICE`.
    public func actor(token: String, as user: String?, device: String?) async throws -> Actor? {
        guard let service = services.service(token: token) else { return nil }
        let userID = try user.map { text in
            guard let id = UserID(text) else { throw MatrixError.invalidParameter("user_id is no user ID") }
            guard service.owns(id) else {
                throw MatrixError.forbidden("The application service cannot act as \(id)")
            }
            return id
        }
        let wanted = try device.map { text in
            guard let id = DeviceID(text) else { throw Self.unknownDevice }
            return id
        }
        let account = try await store.read { reader -> AccountRecord? in
            guard let account = try reader.accounts.account(userID ?? service.sender) else { return nil }
            if let wanted, try reader.devices.device(wanted, of: account.user) == nil { throw Self.unknownDevice }
            return account
        }
        guard let account else { throw MatrixError.forbidden("The application service has not registered this user") }
        if account.flags.contains(.deactivated) {
            throw MatrixError(403, .userDeactivated, "This account has been deactivated")
        }
        return Actor(service: service, account: account, device: wanted)
    }

    /// Makes a user of a service.
    ///
    /// [Server admin style permissions](https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions)
    ///
    /// - Parameter device: On which device the first session starts; `nil` for no session.
    /// - Throws: 400 `M_MISSING_PARAM`, `M_INVALID_USERNAME`, `M_EXCLUSIVE`, `M_USER_IN_USE`.
    public func register(
        _ username: String?, by service: AppService, device: DeviceRequest?
    ) async throws -> Registration {
        guard let username else { throw MatrixError.missingParameter("username is missing") }
        guard let user = UserID(localpart: username, server: accounts.serverName) else {
            throw MatrixError(400, .invalidUsername, "\(username) cannot be a user's name")
        }
        try services.checkMayMake(user, by: service)
        let session = try await accounts.create(
            NewAccount(userID: user, passwordHash: nil, appService: service.id), device: device)
        return Registration(userID: user, session: session)
    }

    /// Starts a session of a service's user.
    ///
    /// - Parameter name: A user identifier or its localpart.
    /// - Throws: 400 `M_EXCLUSIVE` for a user that is not the service's; 403 for one without an account, or whose account has ended.
    public func logIn(_ name: String, by service: AppService, device: DeviceRequest) async throws -> NewSession {
        let user =
            name.utf8.first == UInt8(ascii: "@")
            ? UserID(name) : UserID(localpart: name, server: accounts.serverName)
        guard let user, service.owns(user) else {
            throw MatrixError(400, .exclusive, "\(name) is not of the application service's namespace")
        }
        return try await sessions.start(for: user, device)
    }

    private static let unknownDevice = MatrixError(400, "M_UNKNOWN_DEVICE", "The user has no such device")
}
