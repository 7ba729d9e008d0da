import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/reports`: what users have reported of rooms, events and users, the latest first.
///
/// Query: `room`, `user` (reported, or who sent the event), `reporter`, `from` (the `next` of the page before), `limit` (100, at most 1,000).
struct ListReports: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/reports")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    struct Request: RequestDecodable {
        let selection: ReportSelection
        let from: Int64?
        let limit: Int

        init(from input: RequestInput) throws {
            selection = ReportSelection(
                room: try input.query("room", as: .identifier), user: try input.query("user", as: .identifier),
                reporter: try input.query("reporter", as: .identifier))
            from = try input.query("from", as: .milliseconds)
            limit = min(try input.query("limit", as: .count) ?? 100, 1_000)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let reports = try await store.read {
            try $0.reports.reports(request.selection, before: request.from, limit: request.limit)
        }
        var json: JSONValue = ["reports": .array(reports.map(\.json))]
        if reports.count == request.limit, let last = reports.last { json["next"] = .integer(last.number) }
        return json
    }
}

/// A request about one report.
struct ReportRequest: RequestDecodable {
    let number: Int64

    init(from input: RequestInput) throws { number = Int64(try input.path("number", as: .count)) }
}

/// `GET /_chappe/admin/v1/reports/{number}`: a report, with the event it is about if that is still here.
struct GetReport: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/reports/{number}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    func handle(_ request: ReportRequest, caller: Operator) async throws -> JSONValue {
        guard let report = try await services.store.read({ try $0.reports.report(request.number) }) else {
            throw MatrixError.notFound("There is no such report")
        }
        var json = report.json
        if case .event(let id, let room, _) = report.subject, let event = try await services.store.event(id) {
            try await services.store.write { [audit = services.audit] writer in
                try audit.note(
                    .roomRead, by: caller.actor, on: room.string, detail: ["event_id": .string(id.string)], in: writer)
            }
            json["event"] = event.event.json.value
        }
        return json
    }
}

/// `DELETE /_chappe/admin/v1/reports/{number}`: closes a report: it has been dealt with.
struct CloseReport: Endpoint {
    static let routes = [Route.delete("/_chappe/admin/v1/reports/{number}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    func handle(_ request: ReportRequest, caller: Operator) async throws -> EmptyResponse {
        try await services.close(request.number, by: caller)
        return EmptyResponse()
    }
}

extension AdministrationServices {
    /// Removes a report that has been dealt with, and notes that.
    ///
    /// - Parameters:
    ///   - number: Its number.
    ///   - caller: Who does it.
    ///   - isMeant: Whether it is of the kind that is meant.
    /// - Throws: 404 `M_NOT_FOUND` if there is none.
    func close(
        _ number: Int64, by caller: Operator, where isMeant: @escaping @Sendable (Report) -> Bool = { _ in true }
    ) async throws {
        try await store.write { [audit] writer in
            guard let report = try writer.read.reports.report(number), isMeant(report),
                try writer.reports.remove(number)
            else { throw MatrixError.notFound("There is no such report") }
            var detail: JSONValue = ["reporter": .string(report.reporter.string)]
            let subject: String
            switch report.subject {
            case .room(let room): subject = room.string
            case .user(let user): subject = user.string
            case .event(let event, let room, let sender):
                subject = sender.string
                detail["event_id"] = .string(event.string)
                detail["room_id"] = .string(room.string)
            }
            try audit.note(.reportDelete, by: caller.actor, on: subject, detail: detail, in: writer)
        }
    }
}

extension Report {
    fileprivate var json: JSONValue {
        var json: JSONValue = [
            "number": .integer(number), "received_ts": .integer(received), "reporter": .string(reporter.string),
            "reason": .string(reason),
        ]
        switch subject {
        case .room(let room):
            json["kind"] = "room"
            json["room_id"] = .string(room.string)
        case .user(let user):
            json["kind"] = "user"
            json["user_id"] = .string(user.string)
        case .event(let event, let room, let sender):
            json["kind"] = "event"
            json["event_id"] = .string(event.string)
            json["room_id"] = .string(room.string)
            json["user_id"] = .string(sender.string)
        }
        if let score { json["score"] = .integer(score) }
        return json
    }
}
