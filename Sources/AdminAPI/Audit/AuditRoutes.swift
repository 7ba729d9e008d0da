import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/audit`: entries of the audit trail, the latest first, a page at a time.
///
/// Query: `from` (the `next` of the page before), `limit` (100, at most 1,000), `actor`, `subject`, `action` (or how it begins), `since`
/// (milliseconds since 1970).
struct ListAudit: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/audit")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let audit: AuditTrail

    struct Request: RequestDecodable {
        let from: Int64?
        let limit: Int
        let selection: AuditSelection

        init(from input: RequestInput) throws {
            from = try input.query("from", as: .milliseconds)
            limit = min(try input.query("limit", as: .count) ?? 100, 1_000)
            selection = AuditSelection(
                actor: try input.query("actor", as: .string), subject: try input.query("subject", as: .string),
                action: try input.query("action", as: .string), since: try input.query("since", as: .milliseconds))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let records = try await audit.latest(request.selection, before: request.from, limit: request.limit)
        return records.page(limit: request.limit)
    }
}

/// `GET /_chappe/admin/v1/audit/export`: the audit trail in its order, with what proves it.
///
/// Query: `from` (the `next` of the page before), `limit` (100, at most 1,000).
struct ExportAudit: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/audit/export")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let audit: AuditTrail

    struct Request: RequestDecodable {
        let from: Int64
        let limit: Int

        init(from input: RequestInput) throws {
            from = try input.query("from", as: .milliseconds) ?? 0
            limit = min(try input.query("limit", as: .count) ?? 100, 1_000)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        try await audit.entries(after: request.from, limit: request.limit).page(limit: request.limit)
    }
}

/// `POST /_chappe/admin/v1/audit/verify`: goes through all of the audit trail.
///
/// Answer: `valid`, `entries` (how many are in order), `hash` (of the last of these), `flaw`.
struct VerifyAudit: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/audit/verify")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let audit: AuditTrail
    let keys: any VerifyKeySource

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let verification = try await audit.verify(keys.verifyKeys)
        var answer: JSONValue = [
            "valid": .bool(verification.flaw == nil), "entries": .integer(verification.entries),
            "hash": .string(Base64.encode(verification.hash)),
        ]
        if let flaw = verification.flaw { answer["flaw"] = .string(flaw) }
        return answer
    }
}

extension [AuditRecord] {
    /// A page of them, with what proves each.
    fileprivate func page(limit: Int) -> JSONValue {
        var page: JSONValue = [
            "entries": .array(
                map { record in
                    [
                        "num": .integer(record.number), "ts": .integer(record.time), "action": .string(record.action),
                        "actor": .string(record.actor), "subject": record.subject.map { .string($0) } ?? .null,
                        "entry": .string(String(decoding: record.entry, as: UTF8.self)),
                        "hash": .string(Base64.encode(record.hash)), "key_id": .string(record.keyID),
                        "signature": .string(Base64.encode(record.signature)),
                    ]
                })
        ]
        if count == limit, let last { page["next"] = .integer(last.number) }
        return page
    }
}
