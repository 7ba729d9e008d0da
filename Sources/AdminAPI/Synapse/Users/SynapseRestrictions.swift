import Homeserver
import Matrix
import Store
import Web

/// `POST /_synapse/admin/v1/users/{userId}/shadow_ban`: has a user speak to nobody, without telling them.
///
/// What they send, and whom they invite, is answered as if it had been done; nobody hears of it. They may leave.
struct ShadowBanSynapseUser: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/users/{userId}/shadow_ban")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.account(of: request.user)
        try await AccountEditor(services: services, caller: caller)
            .setFlag(.shadowBanned, true, of: account, as: .userShadowBan)
        return EmptyResponse()
    }
}

/// `DELETE /_synapse/admin/v1/users/{userId}/shadow_ban`: has a user be heard again.
struct UnshadowBanSynapseUser: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/users/{userId}/shadow_ban")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.account(of: request.user)
        try await AccountEditor(services: services, caller: caller)
            .setFlag(.shadowBanned, false, of: account, as: .userUnshadowBan)
        return EmptyResponse()
    }
}

/// `GET /_synapse/admin/v1/users/{userId}/override_ratelimit`: what takes the place of the configured limits for what a user does.
///
/// Answer: `messages_per_second` (0: no limit) and `burst_count`, or nothing.
struct GetSynapseRateLimit: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/users/{userId}/override_ratelimit")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        let limit = try await services.store.read { try $0.accounts.rateLimit(of: account.user) }
        return limit.map(SynapseRateLimit.json) ?? [:]
    }
}

/// `POST /_synapse/admin/v1/users/{userId}/override_ratelimit`: has something take the place of the configured limits for what a user does.
///
/// Body: `messages_per_second` (0 unless given: no limit), `burst_count` (0 unless given). Answer: both.
struct SetSynapseRateLimit: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/users/{userId}/override_ratelimit")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let limit: UserRateLimit

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            let body = try input.bodyOrEmpty
            limit = try UserRateLimit(
                checking: try body.optional("messages_per_second", as: .int, default: 0),
                burst: try body.optional("burst_count", as: .int, default: 0))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        try await services.administration.setRateLimit(request.limit, of: account, by: caller)
        return SynapseRateLimit.json(request.limit)
    }
}

/// `DELETE /_synapse/admin/v1/users/{userId}/override_ratelimit`: has the configured limits hold for a user again.
struct DeleteSynapseRateLimit: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/users/{userId}/override_ratelimit")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.account(of: request.user)
        try await services.administration.setRateLimit(nil, of: account, by: caller)
        return EmptyResponse()
    }
}

private enum SynapseRateLimit {
    static func json(_ limit: UserRateLimit) -> JSONValue {
        ["messages_per_second": .integer(limit.perSecond), "burst_count": .integer(limit.burst)]
    }
}

/// `GET /_synapse/admin/v1/auth_providers/{provider}/users/{externalId}`: whom a service where users sign in means.
///
/// Answer: `user_id`.
struct FindUserByExternalID: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/auth_providers/{provider}/users/{externalId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    struct Request: RequestDecodable {
        let external: ExternalID

        init(from input: RequestInput) throws {
            external = ExternalID(provider: try input.path("provider"), id: try input.path("externalId"))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let user = try await store.read { reader in
            try reader.externalIDs.user(request.external).map { try reader.identifiers.user($0) }
        }
        guard let user else { throw MatrixError.notFound("Nobody is known by this identifier") }
        return ["user_id": .string(user.string)]
    }
}
