import Matrix
import Web

/// [GET /versions](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions): the versions of the specification that
/// are served.
struct GetVersions: Endpoint {
    static let routes: [Route] = [.get("/_matrix/client/versions")]
    // A token that has expired must not keep a client from finding out how to get a new one.
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    let features: ServerFeatures

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        let unstable = features.unstableFeatures.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.bool($0.value)) }
        return [
            "versions": .array(features.versions.map { .string($0) }),
            "unstable_features": .object(JSONObject(unstable)),
        ]
    }
}
