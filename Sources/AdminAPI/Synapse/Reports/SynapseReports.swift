import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/event_reports`: what users have reported of events, the latest first unless something else is asked.
///
/// Query: that of ``SynapsePage``, `user_id` (who reports), `room_id`, `event_sender_user_id`.
struct ListSynapseReports: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/event_reports")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let page: SynapsePage
        let selection: ReportSelection

        init(from input: RequestInput) throws {
            page = try SynapsePage(from: input)
            selection = ReportSelection(
                room: try input.query("room_id", as: .identifier),
                user: try input.query("event_sender_user_id", as: .identifier),
                reporter: try input.query("user_id", as: .identifier))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let page = request.page
        let (reports, total) = try await services.store.read { reader in
            (
                try reader.reports.page(
                    of: .event, request.selection, isAscending: page.isDescending == false, offset: page.offset,
                    limit: page.limit),
                try reader.reports.count(of: .event, request.selection)
            )
        }
        var list: [JSONValue] = []
        for report in reports { list.append(.object(try await services.json(report))) }
        var json: JSONValue = ["event_reports": .array(list), "total": .integer(Int64(total))]
        if let next = page.next(after: list.count, of: total) { json["next_token"] = .integer(Int64(next)) }
        return json
    }
}

/// A request about one report.
struct SynapseReportRequest: RequestDecodable {
    let number: Int64

    init(from input: RequestInput) throws { number = Int64(try input.path("reportId", as: .count)) }
}

/// `GET /_synapse/admin/v1/event_reports/{reportId}`: a report, and the event it is about.
struct GetSynapseReport: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/event_reports/{reportId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseReportRequest, caller: Operator) async throws -> JSONValue {
        let report = try await services.store.read { try $0.reports.report(request.number) }
        guard let report, case .event(let id, _, _) = report.subject else { throw SynapseServices.noReport }
        var json = try await services.json(report)
        let event = try await services.store.event(id)
        json["event_json"] = event.map { $0.event.json.value } ?? .null
        return .object(json)
    }
}

/// `DELETE /_synapse/admin/v1/event_reports/{reportId}`: deletes a report.
struct DeleteSynapseReport: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v1/event_reports/{reportId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseReportRequest, caller: Operator) async throws -> EmptyResponse {
        try await services.administration.close(request.number, by: caller) { report in
            if case .event = report.subject { true } else { false }
        }
        return EmptyResponse()
    }
}

extension SynapseServices {
    fileprivate static let noReport = MatrixError.notFound("There is no such report of an event")

    /// A report of an event; the room may be unknown by now.
    fileprivate func json(_ report: Report) async throws -> JSONObject {
        guard case .event(let event, let room, let sender) = report.subject else { throw Self.noReport }
        var overview: RoomOverview?
        do { overview = try await overviews.overview(of: room) } catch let error as MatrixError
            where error.status == 404
        {
            overview = nil
        }
        return [
            "id": .integer(report.number), "received_ts": .integer(report.received), "room_id": .string(room.string),
            "event_id": .string(event.string), "user_id": .string(report.reporter.string),
            "sender": .string(sender.string), "reason": .string(report.reason), "score": report.score.json,
            "name": (overview?.name).json, "canonical_alias": (overview?.canonicalAlias).json,
        ]
    }
}
