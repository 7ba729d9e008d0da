import Homeserver
import Matrix
import Web

/// [GET /keys/changes](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3keyschanges): whose devices changed since.
struct GetKeyChanges: Endpoint {
    static let routes: [Route] = .client(.get, "/keys/changes")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let deviceLists: DeviceListService

    struct Request: RequestDecodable {
        let from: SyncToken

        init(from input: RequestInput) throws {
            from = try SyncToken(parsing: try input.requiredQuery("from", as: .string))
            // A hint by which servers that answer from caches may wait for them; only checked here.
            _ = try SyncToken(parsing: try input.requiredQuery("to", as: .string))
        }
    }

    struct Response: ResponseEncodable {
        let changed: [UserID]
        let left: [UserID]

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            for (name, users) in [("changed", changed), ("left", left)] {
                encoder.json.key(name)
                encoder.json.beginArray()
                for user in users { encoder.json.write(user) }
                encoder.json.endArray()
            }
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        let delta = try await deviceLists.delta(for: caller.user, after: request.from.position)
        return Response(changed: delta.changed, left: delta.left)
    }
}
