import Homeserver
import Matrix
import Web

/// [GET /hierarchy/{roomId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid): a space and what is
/// in it.
struct GetHierarchy: Endpoint {
    static let routes: [Route] = [.get("/_matrix/federation/v1/hierarchy/{roomId}")]
    static let authentication: Authentication<RemoteServer> = .server
    static let rateLimit: RateLimitClass = .federation

    let spaces: SpaceHierarchy
    let gates: ServerGates

    struct Request: RequestDecodable {
        let room: RoomID
        let suggestedOnly: Bool

        init(from input: RequestInput) throws {
            room = try input.path("roomId")
            suggestedOnly = try input.query("suggested_only", as: .bool) ?? false
        }
    }

    func handle(_ request: Request, caller: RemoteServer) async throws -> HTTPResponse {
        let answer = try await gates.pass(caller.name) {
            try await spaces.answer(to: caller.name, about: request.room, suggestedOnly: request.suggestedOnly)
        }
        var writer = JSONWriter(capacity: 4096)
        writer.beginObject()
        writer.key("room")
        answer.room.write(into: &writer, suggestedOnly: request.suggestedOnly)
        writer.key("children")
        writer.beginArray()
        for child in answer.children { child.write(into: &writer, suggestedOnly: request.suggestedOnly) }
        writer.endArray()
        writer.key("inaccessible_children")
        writer.beginArray()
        for room in answer.inaccessible { writer.write(room) }
        writer.endArray()
        writer.endObject()
        return .json(200, writer.bytes)
    }
}
