import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/user_reports`: what users have reported of users, the latest first unless something else is asked.
///
/// Query: that of ``SynapsePage``, `user_id` (who reports), `target_user_id`.
struct ListSynapseUserReports: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/user_reports")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let page: SynapsePage
        let selection: ReportSelection

        init(from input: RequestInput) throws {
            page = try SynapsePage(from: input)
            selection = ReportSelection(
                user: try input.query("target_user_id", as: .identifier),
                reporter: try input.query("user_id", as: .identifier))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let page = request.page
        let (reports, total) = try await services.store.read { reader in
            (
                try reader.reports.page(
                    of: .user, request.selection, isAscending: page.isDescending == false, offset: page.offset,
                    limit: page.limit),
                try reader.reports.count(of: .user, request.selection)
            )
        }
        var json: JSONValue = [
            "user_reports": .array(try reports.map { try $0.ofUser }), "total": .integer(Int64(total)),
        ]
        if let next = page.next(after: reports.count, of: total) { json["next_token"] = .integer(Int64(next)) }
        return json
    }
}

/// `GET /_synapse/admin/v1/user_reports/{reportId}`: a report of a user.
struct GetSynapseUserReport: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/user_reports/{reportId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseReportRequest, caller: Operator) async throws -> JSONValue {
        guard let report = try await services.store.read({ try $0.reports.report(request.number) }) else {
            throw Report.unknown
        }
        return try report.ofUser
    }
}

/// `DELETE /_synapse/admin/v1/user_reports/{reportId}`: deletes a report of a user.
struct DeleteSynapseUserReport: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/user_reports/{reportId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseReportRequest, caller: Operator) async throws -> EmptyResponse {
        try await services.administration.close(request.number, by: caller) { report in
            if case .user = report.subject { true } else { false }
        }
        return EmptyResponse()
    }
}

extension Report {
    fileprivate static let unknown = MatrixError.notFound("There is no such report of a user")

    fileprivate var ofUser: JSONValue {
        get throws {
            guard case .user(let user) = subject else { throw Self.unknown }
            return [
                "id": .integer(number), "received_ts": .integer(received), "target_user_id": .string(user.string),
                "user_id": .string(reporter.string), "reason": .string(reason),
            ]
        }
    }
}
