import Homeserver
import Matrix
import Web

/// [GET /rooms/{roomId}/joined_members](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidjoined_members)
struct GetJoinedMembers: Endpoint {
    static let routes = [Route].client(.get, "/rooms/{roomId}/joined_members")
    static let authentication = Authentication<Caller>.allowingGuests

    let rooms: RoomService

    func handle(_ request: RoomRequest, caller: Caller) async throws -> RawResponse {
        let events = try await rooms.joinedMembers(of: request.roomID, by: Requester(caller))
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("joined")
        writer.beginObject()
        for event in events {
            writer.key(event.event.stateKey?.string ?? "")
            writer.beginObject()
            // What an older server let in need not be a string.
            writer.member("display_name", event.event.content["displayname"]?.string)
            writer.member("avatar_url", event.event.content["avatar_url"]?.string)
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        return RawResponse(writer.bytes)
    }
}
