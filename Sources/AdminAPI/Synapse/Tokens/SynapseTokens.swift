import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/registration_tokens`: the registration tokens, oldest first.
///
/// Query: `valid`.
struct ListSynapseTokens: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/registration_tokens")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let isValid: Bool?

        init(from input: RequestInput) throws { isValid = try input.query("valid", as: .bool) }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let now = services.administration.clock.now
        let tokens = try await services.store.read { reader in
            try reader.registrationTokens.all()
                .filter { request.isValid == nil || $0.isValid(at: now) == request.isValid }
                .map { try $0.synapseJSON(reader, at: now) }
        }
        return ["registration_tokens": .array(tokens)]
    }
}

/// A request about one token.
struct SynapseTokenRequest: RequestDecodable {
    let token: String

    init(from input: RequestInput) throws { token = try input.path("token") }
}

/// `GET /_synapse/admin/v1/registration_tokens/{token}`: a registration token.
struct GetSynapseToken: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/registration_tokens/{token}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseTokenRequest, caller: Operator) async throws -> JSONValue {
        let now = services.administration.clock.now
        return try await services.store.read { reader in
            guard let token = try reader.registrationTokens.token(request.token) else {
                throw RegistrationTokenRecord.unknown
            }
            return try token.synapseJSON(reader, at: now)
        }
    }
}

/// `POST /_synapse/admin/v1/registration_tokens/new`: makes a registration token.
///
/// Body: `token` (else one is made, of `length` characters, 16 unless given), `uses_allowed`, `expiry_time` (milliseconds since 1970).
struct MakeSynapseToken: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/registration_tokens/new")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let token: String?
        let length: Int
        let limits: SynapseTokenLimits

        init(from input: RequestInput) throws {
            let body = try input.bodyOrEmpty
            token = try body.optional("token", as: .string)
            try token.map(RegistrationTokenRecord.checkGrammar)
            let length = try body.optional("length", as: .int, default: 16)
            guard (1...64).contains(length) else { throw MatrixError.invalidParameter("length must be 1 to 64") }
            self.length = Int(length)
            limits = try SynapseTokenLimits(body)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let now = services.administration.clock.now
        try request.limits.check(at: now)
        let record = RegistrationTokenRecord(
            token: request.token ?? services.administration.randomness.text(request.length),
            usesAllowed: request.limits.usesAllowed ?? nil, expiresAt: request.limits.expiresAt ?? nil)
        let note = services.noting(.tokenCreate, on: record.name, by: caller)
        return try await services.store.write { writer in
            guard try writer.registrationTokens.insert(record, createdAt: now) else {
                throw MatrixError.invalidParameter("There is such a token already")
            }
            try note(writer)
            return try record.synapseJSON(writer.read, at: now)
        }
    }
}

/// `PUT /_synapse/admin/v1/registration_tokens/{token}`: changes the limits of a registration token.
///
/// Body: `uses_allowed`, `expiry_time` (milliseconds since 1970); each `null` for no limit. What is not named stays as it is.
struct PutSynapseToken: Endpoint {
    static let routes = [Route.put("/_synapse/admin/v1/registration_tokens/{token}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let token: String
        let limits: SynapseTokenLimits

        init(from input: RequestInput) throws {
            token = try input.path("token")
            limits = try SynapseTokenLimits(input.bodyOrEmpty)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let now = services.administration.clock.now
        try request.limits.check(at: now)
        return try await services.store.write { [services] writer in
            guard let known = try writer.read.registrationTokens.token(request.token) else {
                throw RegistrationTokenRecord.unknown
            }
            let changed = RegistrationTokenRecord(
                token: known.token, usesAllowed: request.limits.usesAllowed ?? known.usesAllowed, uses: known.uses,
                expiresAt: request.limits.expiresAt ?? known.expiresAt)
            if request.limits.areGiven {
                _ = try writer.registrationTokens.setLimits(
                    usesAllowed: changed.usesAllowed, expiresAt: changed.expiresAt, of: known.token)
                try services.noting(.tokenUpdate, on: known.name, by: caller)(writer)
            }
            return try changed.synapseJSON(writer.read, at: now)
        }
    }
}

/// `DELETE /_synapse/admin/v1/registration_tokens/{token}`: revokes a registration token.
struct DeleteSynapseToken: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/registration_tokens/{token}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseTokenRequest, caller: Operator) async throws -> EmptyResponse {
        let record = RegistrationTokenRecord(token: request.token, usesAllowed: nil, expiresAt: nil)
        let note = services.noting(.tokenRevoke, on: record.name, by: caller)
        try await services.store.write { writer in
            guard try writer.registrationTokens.delete(record.token) else { throw RegistrationTokenRecord.unknown }
            try note(writer)
        }
        return EmptyResponse()
    }
}

/// Limits of a token that were given: `nil` for those that were not, `.some(nil)` for none.
struct SynapseTokenLimits: Sendable {
    let usesAllowed: Int64??
    let expiresAt: Int64??

    /// Whether any was.
    var areGiven: Bool { usesAllowed != nil || expiresAt != nil }

    init(_ body: JSONFields) throws {
        usesAllowed = body.contains("uses_allowed") ? .some(try body.optional("uses_allowed", as: .int)) : nil
        expiresAt = body.contains("expiry_time") ? .some(try body.optional("expiry_time", as: .int)) : nil
    }

    func check(at now: Int64) throws {
        if let uses = usesAllowed ?? nil, uses < 0 { throw MatrixError.invalidParameter("uses_allowed is negative") }
        if let time = expiresAt ?? nil, time < now {
            throw MatrixError.invalidParameter("expiry_time is in the past")
        }
    }
}

extension RegistrationTokenRecord {
    fileprivate static let unknown = MatrixError.notFound("There is no such token")

    fileprivate func synapseJSON(_ reader: StoreReader, at now: Int64) throws -> JSONValue {
        [
            "token": .string(token), "uses_allowed": usesAllowed.json,
            "pending": .integer(try reader.registrationTokens.pendingUses(of: token, now: now)),
            "completed": .integer(uses), "expiry_time": expiresAt.json,
        ]
    }
}
