import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/tokens`: the registration tokens, oldest first.
struct ListTokens: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/tokens")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store
    let clock: any Clock

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let now = clock.now
        return ["tokens": .array(try await store.read { try $0.registrationTokens.all() }.map { $0.json(at: now) })]
    }
}

/// `POST /_chappe/admin/v1/tokens`: makes a registration token.
///
/// Body: optionally `token` (else one is made), `uses_allowed`, `expiry_time` (milliseconds since 1970).
struct CreateToken: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/tokens")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let token: String?
        let usesAllowed: Int64?
        let expiresAt: Int64?

        init(from input: RequestInput) throws {
            let body = try input.bodyOrEmpty
            token = try body.optional("token", as: .string)
            usesAllowed = try body.optional("uses_allowed", as: .int)
            expiresAt = try body.optional("expiry_time", as: .int)
            try token.map(RegistrationTokenRecord.checkGrammar)
            if let usesAllowed, usesAllowed < 0 { throw MatrixError.invalidParameter("uses_allowed is negative") }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let now = services.clock.now
        if let expiresAt = request.expiresAt, expiresAt <= now {
            throw MatrixError.invalidParameter("expiry_time is in the past")
        }
        let record = RegistrationTokenRecord(
            token: request.token ?? services.randomness.text(16), usesAllowed: request.usesAllowed,
            expiresAt: request.expiresAt)
        try await services.store.write { [audit = services.audit] writer in
            guard try writer.registrationTokens.insert(record, createdAt: now) else {
                throw MatrixError.invalidParameter("There is such a token already")
            }
            // A token is a secret until it is used up: the trail names it by its beginning.
            try audit.note(.tokenCreate, by: caller.actor, on: record.name, in: writer)
        }
        return record.json(at: now)
    }
}

/// `DELETE /_chappe/admin/v1/tokens/{token}`: revokes a registration token.
struct RevokeToken: Endpoint {
    static let routes = [Route.delete("/_chappe/admin/v1/tokens/{token}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let token: String

        init(from input: RequestInput) throws { token = try input.path("token") }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let record = RegistrationTokenRecord(token: request.token, usesAllowed: nil, expiresAt: nil)
        try await services.store.write { [audit = services.audit] writer in
            guard try writer.registrationTokens.delete(record.token) else {
                throw MatrixError.notFound("There is no such token")
            }
            try audit.note(.tokenRevoke, by: caller.actor, on: record.name, in: writer)
        }
        return EmptyResponse()
    }
}

extension RegistrationTokenRecord {
    /// Accepts a text as a token.
    ///
    /// [Token-authenticated registration](https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration)
    ///
    /// - Throws: 400 `M_INVALID_PARAM`.
    static func checkGrammar(_ token: String) throws {
        let isOfGrammar = token.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "-")].contains(byte)
        }
        guard (1...64).contains(token.utf8.count), isOfGrammar else {
            throw MatrixError.invalidParameter("A token has 1 to 64 of the characters A-Z a-z 0-9 . _ ~ -")
        }
    }

    /// As the audit trail names it.
    var name: String { token.count > 4 ? "\(token.prefix(4))…" : "…" }

    fileprivate func json(at now: Int64) -> JSONValue {
        [
            "token": .string(token), "uses_allowed": usesAllowed.map { .integer($0) } ?? .null,
            "completed": .integer(uses),
            "expiry_time": expiresAt.map { .integer($0) } ?? .null, "valid": .bool(isValid(at: now)),
        ]
    }
}
