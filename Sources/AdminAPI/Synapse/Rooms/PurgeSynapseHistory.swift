import Homeserver
import Matrix
import Store
import Web

/// `POST /_synapse/admin/v1/purge_history/{roomId}[/{eventId}]`: removes the history of a room before a moment. Its state stays, and its
/// last event. Answers at once.
///
/// Body: `purge_up_to_event_id`, where the path names no event, or `purge_up_to_ts`; `delete_local_events`: whether messages of users of this
/// server go too. Answer: `purge_id`.
struct PurgeSynapseHistory: Endpoint {
    static let routes = [
        Route.post("/_synapse/admin/v1/purge_history/{roomId}"),
        Route.post("/_synapse/admin/v1/purge_history/{roomId}/{eventId}"),
    ]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let room: RoomID
        let moment: HistoryPurges.Moment
        let includesLocal: Bool

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            let body = try input.bodyOrEmpty
            includesLocal = try body.optional("delete_local_events", as: .bool, default: false)
            if input.request.pathParameters["eventId"] != nil {
                moment = .event(try input.path("eventId"))
            } else if let event: EventID = try body.optional("purge_up_to_event_id", as: .identifier) {
                moment = .event(event)
            } else if let time = try body.optional("purge_up_to_ts", as: .int) {
                guard time >= 0 else { throw MatrixError.invalidParameter("purge_up_to_ts is negative") }
                moment = .time(time)
            } else {
                throw MatrixError(400, .badJSON, "Up to where history is purged is missing")
            }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let input = try await services.historyPurges.input(
            request.room, upTo: request.moment, includesLocal: request.includesLocal)
        var detail: JSONValue = ["delete_local_events": .bool(request.includesLocal)]
        switch request.moment {
        case .event(let event): detail["purge_up_to_event_id"] = .string(event.string)
        case .time(let time): detail["purge_up_to_ts"] = .integer(time)
        }
        let id = try await services.jobs.ask(
            .historyPurge, about: request.room.string, input: input, result: ["removed_events": 0],
            alongside: services.noting(.roomHistoryPurge, on: request.room.string, by: caller, detail: detail))
        return ["purge_id": .string(id)]
    }
}

/// `GET /_synapse/admin/v1/purge_history_status/{purgeId}`: how far that is.
struct GetSynapseHistoryPurge: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/purge_history_status/{purgeId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let id: String

        init(from input: RequestInput) throws { id = try input.path("purgeId") }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let job = try await services.job(request.id, .historyPurge)
        // Synapse knows nothing of work that waits for its turn.
        var json: JSONValue = ["status": .string(job.status == .scheduled ? "active" : job.status.name)]
        json["removed_events"] = job.result["removed_events"]?.value ?? 0
        if job.status == .failed { json["error"] = .string(job.error ?? "") }
        return json
    }
}
