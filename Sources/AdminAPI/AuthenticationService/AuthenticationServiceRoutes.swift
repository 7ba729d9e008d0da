import Homeserver
import Matrix
import Store
import Web

/// What the [Matrix Authentication Service](https://element-hq.github.io/matrix-authentication-service/) asks of a homeserver whose users sign
/// in there.
extension Router {
    /// Adds the endpoints below `/_synapse/mas`.
    ///
    /// - Parameters:
    ///   - administration: What our own endpoints work with.
    ///   - environment: What endpoints have in common; it knows the service's token.
    public func addAuthenticationServiceRoutes(
        _ administration: AdministrationServices, in environment: EndpointEnvironment
    ) {
        let users = ServiceUsers(administration: administration)
        add(QueryServiceUser(users: users), in: environment)
        add(CheckServiceLocalpart(users: users), in: environment)
        add(ProvisionServiceUser(users: users), in: environment)
        add(DeleteServiceUser(users: users), in: environment)
        add(ReactivateServiceUser(users: users), in: environment)
        add(SetServiceDisplayName(users: users), in: environment)
        add(UnsetServiceDisplayName(users: users), in: environment)
        add(AllowServiceKeyReset(users: users), in: environment)
        add(UpsertServiceDevice(users: users), in: environment)
        add(DeleteServiceDevice(users: users), in: environment)
        add(RenameServiceDevice(users: users), in: environment)
        add(SyncServiceDevices(users: users), in: environment)
    }
}

extension [Route] {
    /// An endpoint that the service asks.
    static func service(_ method: HTTPMethod, _ name: String) -> [Route] {
        [Route(method, "/_synapse/mas/\(name)")]
    }
}

/// The users that the service means.
struct ServiceUsers: Sendable {
    let administration: AdministrationServices

    var accounts: AccountService { administration.accounts }
    var store: Store { administration.store }

    /// The account of a localpart.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    func account(_ localpart: String) async throws -> AccountRecord {
        guard let user = UserID(localpart: localpart, server: accounts.serverName),
            let account = try await store.read({ try $0.accounts.account(user) })
        else { throw MatrixError.notFound("User not found") }
        return account
    }

    /// Notes an act of the service in the transaction that does it.
    func noting(
        _ act: AuditedAct, _ user: UserID, _ request: ServiceRequest, _ detail: JSONValue = [:]
    ) -> @Sendable (StoreWriter) throws -> Void {
        let actor = AuditActor(name: AuditActor.authenticationService, address: request.address)
        return { [audit = administration.audit] writer in
            try audit.note(act, by: actor, on: user.string, detail: detail, in: writer)
        }
    }

    /// Gives a user a name; none if `nil`.
    func setDisplayName(_ name: String?, of account: AccountRecord, _ request: ServiceRequest) async throws {
        try await administration.profiles.set(
            ProfileService.displayNameField, to: JSONValue.string(name ?? "").json, of: account.userID,
            alongside: noting(.userDisplayName, account.userID, request))
    }
}

/// A request that says which user is meant.
struct ServiceRequest: RequestDecodable {
    let localpart: String
    let body: JSONFields
    /// Where the service is, for the audit trail.
    let address: String

    init(from input: RequestInput) throws {
        body = try input.body
        localpart = try body.required("localpart", as: .string)
        address = input.request.remoteAddress
    }
}

/// A request that says in its query which user is meant.
struct ServiceQuery: RequestDecodable {
    let localpart: String

    init(from input: RequestInput) throws { localpart = try input.requiredQuery("localpart", as: .string) }
}
