import Homeserver
import Matrix
import Store
import Web

/// `POST /_chappe/admin/v1/rooms/{roomId}/call`: starts a room's call at a conference service as one of its members.
///
/// Body: `user` (a localpart or a user ID); `service`, `ring`, `message`, `widget`, `new_meeting` (whether the room gets another meeting),
/// which may be missing. Answer: the call; `created` says whether it is new.
struct StartRoomCall: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/rooms/{roomId}/call")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let calls: CallService?
    let services: AdministrationServices

    struct Request: RequestDecodable {
        let roomID: RoomID
        let user: String
        let options: CallService.Options

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            let body = try input.body
            user = try body.required("user", as: .string)
            options = CallService.Options(
                service: try body.optional("service", as: .string), rings: try body.optional("ring", as: .bool),
                sendsMessage: try body.optional("message", as: .bool) ?? true,
                placesWidget: try body.optional("widget", as: .bool),
                makesNewMeeting: try body.optional("new_meeting", as: .bool) ?? false)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        guard let calls else { throw RoomCall.noService }
        let account = try await services.accounts.required(request.user)
        try await services.store.write { [audit = services.audit] writer in
            let detail: JSONValue = ["user": .string(account.userID.string)]
            try audit.note(.callStart, by: caller.actor, on: request.roomID.string, detail: detail, in: writer)
        }
        let (call, isNew) = try await calls.start(
            request.roomID, by: Requester(id: account.userID, number: account.user), request.options)
        var json = RoomCall.json(call)
        json["created"] = .bool(isNew)
        return json
    }
}

/// `GET /_chappe/admin/v1/rooms/{roomId}/call`: a room's call that is under way. Query: `service`.
struct GetRoomCall: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/rooms/{roomId}/call")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let calls: CallService?

    struct Request: RequestDecodable {
        let roomID: RoomID
        let service: String?

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            service = try input.query("service", as: .string)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        guard let calls else { throw RoomCall.noService }
        guard let call = try await calls.call(of: request.roomID, service: request.service) else {
            throw MatrixError.notFound("There is no call in this room")
        }
        return RoomCall.json(call)
    }
}

/// `DELETE /_chappe/admin/v1/rooms/{roomId}/call`: ends a room's call, as whoever started it. Query: `service`.
struct EndRoomCall: Endpoint {
    static let routes = [Route.delete("/_chappe/admin/v1/rooms/{roomId}/call")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let calls: CallService?
    let services: AdministrationServices

    typealias Request = GetRoomCall.Request

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        guard let calls else { throw RoomCall.noService }
        try await services.store.write { [audit = services.audit] writer in
            try audit.note(.callEnd, by: caller.actor, on: request.roomID.string, in: writer)
        }
        try await calls.end(request.roomID, service: request.service, by: nil)
        return EmptyResponse()
    }
}

/// A room's call as the administration API describes it.
enum RoomCall {
    static let noService = MatrixError(
        400, .unknown, "There is no conference service: see calls.visio and calls.jitsi in the configuration")

    static func json(_ call: CurrentCall) -> JSONValue {
        [
            "call_id": .string(call.callID), "service": .string(call.service), "url": .string(call.url),
            "meeting_id": .string(call.meetingID), "access_level": .string(call.accessLevel),
            "started_by": .string(call.startedBy.string), "started_ts": .integer(call.startedTS),
            "participants": .integer(Int64(call.participants)), "events": call.events.value,
        ]
    }
}

extension Router {
    /// Serves calls to administrators.
    ///
    /// - Parameters:
    ///   - calls: `nil` without a conference service.
    ///   - services: What administration endpoints work with.
    ///   - environment: What endpoints have in common.
    public func addCallAdministrationRoutes(
        calls: CallService?, _ services: AdministrationServices, in environment: EndpointEnvironment
    ) {
        add(StartRoomCall(calls: calls, services: services), in: environment)
        add(GetRoomCall(calls: calls), in: environment)
        add(EndRoomCall(calls: calls, services: services), in: environment)
    }
}
