import Matrix
import Web

/// [GET /.well-known/matrix/client](https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixclient): where clients find the
/// server.
struct GetClientWellKnown: Endpoint {
    static let routes: [Route] = [.get("/.well-known/matrix/client")]
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    let features: ServerFeatures

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        guard let url = features.publicBaseURL else { throw MatrixError.notFound("No address has been configured") }
        var body: JSONObject = ["m.homeserver": ["base_url": .string(url)]]
        for member in features.wellKnownExtra.members { body[member.name.string] = member.value }
        return .object(body)
    }
}
