import Matrix
import Web

/// `GET /_synapse/admin/v1/background_updates/status`: what is done to the database in the background. The schema is changed before the
/// server answers anybody, so that whoever gets an answer is told of nothing.
struct GetSynapseUpdates: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/background_updates/status")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        ["enabled": true, "current_updates": [:]]
    }
}

/// `GET /_synapse/admin/v1/background_updates/enabled`: whether that is done; it cannot be paused.
struct GetSynapseUpdatesEnabled: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/background_updates/enabled")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue { ["enabled": true] }
}
