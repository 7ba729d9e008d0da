import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/users/{name}/reads`: what a user has read between two times: rooms entered, pages of messages, files. Itself part of
/// the audit trail.
///
/// Query: `since` and `until` (milliseconds since 1970), `from` (the `next` of the page before), `limit` (1,000 at most). Answer: `reads`,
/// `omitted` (how much more there was on these days than is noted of one), `next`.
struct ListUserReads: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/users/{name}/reads")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let name: String
        let times: ClosedRange<Int64>
        let from: Int64
        let limit: Int

        init(from input: RequestInput) throws {
            name = try input.path("name")
            let since = try input.query("since", as: .milliseconds) ?? 0
            let until = try input.query("until", as: .milliseconds) ?? 1 << 53
            guard since <= until else { throw MatrixError.invalidParameter("since must not be after until") }
            times = since...until
            from = try input.query("from", as: .milliseconds) ?? 0
            limit = max(1, min(try input.query("limit", as: .count) ?? 1_000, 1_000))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.accounts.required(request.name)
        guard let reads = services.reads else {
            throw MatrixError(400, .unknown, "What users read is not noted here: audit.reads is off")
        }
        let (page, omitted) = try await reads.reads(
            of: account.user, in: request.times, after: request.from, limit: request.limit
        ) { [audit = services.audit] writer in
            guard request.from == 0 else { return }
            try audit.note(
                .userReads, by: caller.actor, on: account.userID.string,
                detail: [
                    "since": .integer(request.times.lowerBound), "until": .integer(request.times.upperBound),
                ], in: writer)
        }
        var answer: JSONValue = [
            "reads": .array(page.map { Self.json($0.record) }), "omitted": .integer(omitted),
        ]
        if page.count == request.limit, let last = page.last { answer["next"] = .integer(last.number) }
        return answer
    }

    private static func json(_ record: ReadRecord) -> JSONValue {
        var json: JSONValue = ["ts": .integer(record.time), "kind": .string(record.kind.rawValue)]
        json[record.kind == .media ? "uri" : "room_id"] = .string(record.subject)
        if let first = record.first { json["from"] = .string(first) }
        if let last = record.last { json["to"] = .string(last) }
        if let device = record.device { json["device_id"] = .string(device.string) }
        if let address = record.address { json["address"] = .string(address) }
        return json
    }
}
