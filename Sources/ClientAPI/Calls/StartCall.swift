import Homeserver
import Matrix
import Web

/// POST /_matrix/client/unstable/fr.gouv.chappe/rooms/{roomId}/call: starts the room's call at a conference service, or finds the one under way.
///
/// The room is told by events of the family of [MSC3401](https://github.com/matrix-org/matrix-spec-proposals/pull/3401); see `Deploy/CALLS.md`.
/// Body, all of it optional: `service`, `ring`, `message`, `widget` (booleans), `intent` (`video` or `audio`).
struct StartCall: Endpoint {
    static let routes: [Route] = .client(.post, "/rooms/{roomId}/call", versions: ["unstable/fr.gouv.chappe"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .message

    let calls: CallService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let options: CallService.Options

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            options = try CallService.Options(input.bodyOrEmpty)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try caller.checkNotSuspended()
        let (call, isNew) = try await calls.start(request.roomID, by: Requester(caller), request.options)
        var answer = call.json
        answer["created"] = .bool(isNew)
        return answer
    }
}

/// GET …/rooms/{roomId}/call: the room's call that is under way, as ``StartCall`` answers it
/// ([MSC3401](https://github.com/matrix-org/matrix-spec-proposals/pull/3401)).
struct GetCall: Endpoint {
    static let routes: [Route] = .client(.get, "/rooms/{roomId}/call", versions: ["unstable/fr.gouv.chappe"])
    static let authentication: Authentication<Caller> = .required

    let calls: CallService

    struct Request: RequestDecodable {
        let roomID: RoomID
        let service: String?

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            service = try input.query("service", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try await calls.call(of: request.roomID, service: request.service, for: Requester(caller)).json
    }
}

/// DELETE …/rooms/{roomId}/call: ends the room's call
/// ([MSC3401](https://github.com/matrix-org/matrix-spec-proposals/pull/3401)). Who is at the conference service is not sent away.
struct EndCall: Endpoint {
    static let routes: [Route] = .client(.delete, "/rooms/{roomId}/call", versions: ["unstable/fr.gouv.chappe"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .message

    let calls: CallService

    typealias Request = GetCall.Request

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try caller.checkNotSuspended()
        try await calls.end(request.roomID, service: request.service, by: Requester(caller))
        return EmptyResponse()
    }
}

extension CallService.Options {
    /// What the body of a request asks for.
    init(_ body: JSONFields) throws {
        let intent = try body.optional("intent", as: .string) ?? "video"
        guard intent == "video" || intent == "audio" else {
            throw MatrixError.invalidParameter("intent must be video or audio")
        }
        self.init(
            service: try body.optional("service", as: .string), rings: try body.optional("ring", as: .bool),
            sendsMessage: try body.optional("message", as: .bool) ?? true,
            placesWidget: try body.optional("widget", as: .bool), isVideo: intent == "video")
    }
}

extension CurrentCall {
    /// As it is answered.
    public var json: JSONValue {
        var json: JSONValue = [
            "call_id": .string(callID), "service": .string(service), "url": .string(url),
            "meeting_id": .string(meetingID), "access_level": .string(accessLevel),
            "started_by": .string(startedBy.string), "started_ts": .integer(startedTS),
            "participants": .integer(Int64(participants)), "events": events.value,
        ]
        if let token { json["jwt"] = .string(token) }
        return json
    }
}
