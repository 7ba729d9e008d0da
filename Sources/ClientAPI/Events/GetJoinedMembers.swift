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
            Self.write("display_name", event.event.content["displayname"]?.string, into: &writer)
            Self.write("avatar_url", event.event.content["avatar_url"]?.string, into: &writer)
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        return RawResponse(writer.bytes)
    }

    /// Clients have come to expect both members, and null where there is nothing (or, of another server's user, no text).
    private static func write(_ name: String, _ text: String?, into writer: inout JSONWriter) {
        writer.key(name)
        if let text { writer.write(text) } else { writer.writeNull() }
    }
}
