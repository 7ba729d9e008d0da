import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/members](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmembers)
struct GetMembers: Endpoint {
    static let routes = [Route].client(.get, "/rooms/{roomId}/members")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService
    let rendering: EventWriting

    struct Request: RequestDecodable {
        let roomID: RoomID
        let at: SyncToken?
        let included: Membership?
        let excluded: Membership?

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            at = try input.query("at", as: .string).map { try SyncToken(parsing: $0) }
            included = try input.query("membership", as: .choice)
            excluded = try input.query("not_membership", as: .choice)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        let events = try await rooms.members(
            of: request.roomID, at: request.at, included: request.included, excluded: request.excluded,
            by: Requester(caller)
        )
        return RawResponse(try await rendering.object("chunk", events, for: caller))
    }
}
