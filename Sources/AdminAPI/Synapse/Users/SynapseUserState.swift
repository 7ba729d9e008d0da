import Homeserver
import Matrix
import Store
import Web

/// `POST /_synapse/admin/v1/deactivate/{userId}`: ends an account.
///
/// Body: `erase`.
struct DeactivateSynapseUser: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/deactivate/{userId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let erases: Bool

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            erases = try input.bodyOrEmpty.optional("erase", as: .bool, default: false)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        try await services.accounts.deactivate(
            account.user, erase: request.erases,
            alongside: services.noting(
                .userDeactivate, on: account.userID.string, by: caller, detail: ["erase": .bool(request.erases)]))
        // No identity server was ever told of this user.
        return ["id_server_unbind_result": "success"]
    }
}

/// `POST /_synapse/admin/v1/reset_password/{userId}`: replaces a password.
///
/// Body: `new_password`, `logout_devices` (true unless given).
struct ResetSynapsePassword: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/reset_password/{userId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let password: String
        let endsSessions: Bool

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            password = try input.body.required("new_password", as: .string)
            endsSessions = try input.body.optional("logout_devices", as: .bool, default: true)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.account(of: request.user)
        let hash = try await services.accounts.hash(newPassword: request.password)
        try await AccountEditor(services: services, caller: caller)
            .setPassword(of: account, to: hash, endingSessions: request.endsSessions)
        return EmptyResponse()
    }
}

/// `GET /_synapse/admin/v1/users/{userId}/admin`: whether somebody is an administrator.
struct GetSynapseAdmin: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/users/{userId}/admin")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        ["admin": .bool(try await services.account(of: request.user).flags.contains(.admin))]
    }
}

/// `PUT /_synapse/admin/v1/users/{userId}/admin`: makes somebody an administrator, or ends that.
///
/// Body: `admin`.
struct SetSynapseAdmin: Endpoint {
    static let routes = [Route.put("/_synapse/admin/v1/users/{userId}/admin")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let isAdmin: Bool

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            isAdmin = try input.body.required("admin", as: .bool)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.account(of: request.user)
        let editor = AccountEditor(services: services, caller: caller)
        try editor.checkMaySet(request.isAdmin, of: account)
        try await editor.setAdmin(request.isAdmin, of: account)
        return EmptyResponse()
    }
}

/// `PUT /_synapse/admin/v1/suspend/{userId}`: suspends an account, or ends that.
///
/// Body: `suspend`. Answer: `user_{userId}_suspended`.
struct SuspendSynapseUser: Endpoint {
    static let routes = [Route.put("/_synapse/admin/v1/suspend/{userId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let isSuspended: Bool

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            isSuspended = try input.body.required("suspend", as: .bool)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        try await AccountEditor(services: services, caller: caller)
            .setFlag(
                .suspended, request.isSuspended, of: account,
                as: request.isSuspended ? .userSuspend : .userUnsuspend)
        return .object(["user_\(account.userID.string)_suspended": .bool(request.isSuspended)])
    }
}

/// `POST /_synapse/admin/v1/users/{userId}/login`: a token with which an administrator acts as a user. It is that of a device of its own,
/// which the user sees.
///
/// Body: `valid_until_ms` (milliseconds since 1970). Answer: `access_token`.
struct LoginAsSynapseUser: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/users/{userId}/login")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let expiresAt: Int64?

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            expiresAt = try input.bodyOrEmpty.optional("valid_until_ms", as: .int)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        if caller.caller?.userID == account.userID {
            throw MatrixError(400, .unknown, "You are logged in as yourself already")
        }
        let session = try await services.administration.sessions.start(
            as: account.user, DeviceRequest(initialDisplayName: "Administrator", address: caller.address),
            by: caller.actor, expiresAt: request.expiresAt)
        return ["access_token": .string(session.accessToken)]
    }
}
