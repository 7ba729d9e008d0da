import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/users/{name}/validity`: until when an account is valid.
///
/// Answer: `expires_ts` (`null`: for ever), `expired`, `exempt` (it does not end, whatever is noted), `renewal_mails`.
struct GetUserValidity: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/users/{name}/validity")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    func handle(_ request: NameRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.accounts.required(request.name)
        let validity = try await services.requiredValidity().validity(of: account)
        return .object([
            "user_id": .string(account.userID.string),
            "expires_ts": (validity?.record.expiresAt).json,
            "expired": .bool(validity.map { !$0.isExempt && $0.record.expiresAt <= services.clock.now } ?? false),
            "exempt": .bool(validity?.isExempt ?? false),
            "renewal_mails": .bool(validity?.record.sendsMail ?? false),
        ])
    }
}

/// `POST /_chappe/admin/v1/users/{name}/validity`: renews an account, or sets when it ends.
///
/// Body: `expires_ts` (milliseconds since 1970, a period from now unless given; `null`: never), `renewal_mails` (true unless given). Answer:
/// `expires_ts`.
struct SetUserValidity: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/users/{name}/validity")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let name: String
        let isForever: Bool
        let expiresAt: Int64?
        let sendsMail: Bool

        init(from input: RequestInput) throws {
            name = try input.path("name")
            let body = try input.bodyOrEmpty
            isForever = body.json["expires_ts"]?.isNull ?? false
            expiresAt = isForever ? nil : try body.optional("expires_ts", as: .int)
            sendsMail = try body.optional("renewal_mails", as: .bool, default: true)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.accounts.required(request.name)
        guard request.isForever else {
            let end = try await services.setValidity(
                of: account, until: request.expiresAt, sendsMail: request.sendsMail, by: caller)
            return ["expires_ts": .integer(end)]
        }
        try await services.requiredValidity().end(of: account.user) { [audit = services.audit] writer in
            try audit.note(
                .userValidity, by: caller.actor, on: account.userID.string, detail: ["expires_ts": .null], in: writer)
        }
        return ["expires_ts": .null]
    }
}

/// `POST /_synapse/client/email_account_validity/admin`: renews an account, or sets when it ends, as
/// [Synapse's module](https://github.com/matrix-org/synapse-email-account-validity) has it.
///
/// Body: `user_id`, `expiration_ts` (a period from now unless given), `enable_renewal_emails` (true unless given). Answer: `expiration_ts`.
struct SetSynapseValidity: Endpoint {
    static let routes = [Route.post("/_synapse/client/email_account_validity/admin")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let user: UserID
        let expiresAt: Int64?
        let sendsMail: Bool

        init(from input: RequestInput) throws {
            let body = try input.body
            user = try body.required("user_id", as: .identifier)
            expiresAt = try body.optional("expiration_ts", as: .int)
            sendsMail = try body.optional("enable_renewal_emails", as: .bool, default: true)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        guard let account = try await services.store.read({ try $0.accounts.account(request.user) }) else {
            throw MatrixError.notFound("There is no such account")
        }
        let end = try await services.setValidity(
            of: account, until: request.expiresAt, sendsMail: request.sendsMail, by: caller)
        return ["expiration_ts": .integer(end)]
    }
}

extension AdministrationServices {
    /// What ends accounts.
    ///
    /// - Throws: 400 if none end here.
    fileprivate func requiredValidity() throws -> AccountValidity {
        guard let validity else {
            throw MatrixError(400, .unknown, "Accounts do not end here: accounts.validity is not set")
        }
        return validity
    }

    fileprivate func setValidity(
        of account: AccountRecord, until end: Int64?, sendsMail: Bool, by caller: Operator
    ) async throws -> Int64 {
        try await requiredValidity().set(account.user, until: end, sendsMail: sendsMail) { [audit] writer, end in
            try audit.note(
                .userValidity, by: caller.actor, on: account.userID.string, detail: ["expires_ts": .integer(end)],
                in: writer)
        }
    }
}
