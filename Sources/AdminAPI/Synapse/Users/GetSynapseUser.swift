import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v2/users/{userId}`: an account.
struct GetSynapseUser: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v2/users/{userId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        return try await services.store.read { try SynapseUser.detailed(account, $0) }
    }
}

/// `GET /_synapse/admin/v1/username_available`: whether an account can be made under a name.
///
/// Query: `username`. Answer: `available: true`, or the error that making it would have.
struct GetUsernameAvailable: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/username_available")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let accounts: AccountService

    struct Request: RequestDecodable {
        let name: String

        init(from input: RequestInput) throws { name = try input.requiredQuery("username", as: .string) }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        try await accounts.checkAvailable(accounts.userID(forNewName: request.name))
        return ["available": true]
    }
}

/// `GET /_synapse/admin/v1/threepid/{medium}/users/{address}`: whose address it is.
struct FindUserByAddress: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/threepid/{medium}/users/{address}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let accounts: AccountService

    struct Request: RequestDecodable {
        let medium: String
        let address: String

        init(from input: RequestInput) throws {
            medium = try input.path("medium")
            address = try input.path("address")
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        // Accounts have no telephone numbers.
        guard ExactString(request.medium) == ExactString("email"),
            let account = try await accounts.account(address: request.address)
        else { throw MatrixError.notFound("This address belongs to nobody") }
        return ["user_id": .string(account.userID.string)]
    }
}

/// `GET /_synapse/admin/v1/whois/{userId}`: from where a user was last seen with each device.
struct WhoIsSynapseUser: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/whois/{userId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        let connections = try await services.administration.devices.devices(of: account.user)
            .filter { $0.lastSeenAt != nil }
            .map { device -> JSONValue in
                [
                    "ip": device.lastSeenAddress.json, "last_seen": device.lastSeenAt.json,
                    "user_agent": device.lastSeenUserAgent.json,
                ]
            }
        // The connections of all devices stand together, under no device's name.
        return [
            "user_id": .string(account.userID.string),
            "devices": ["": ["sessions": [["connections": .array(connections)]]]],
        ]
    }
}
