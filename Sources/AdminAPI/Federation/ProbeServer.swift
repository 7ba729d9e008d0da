import Homeserver
import Matrix
import Web

/// `POST /_chappe/admin/v1/federation/destinations/{serverName}/probe`: goes through the steps of reaching a server
/// until one fails.
struct ProbeServer: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/federation/destinations/{serverName}/probe")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let probe: any ServerProbe

    func handle(_ request: ServerNameRequest, caller: Operator) async throws -> JSONValue {
        let steps = await probe.probe(request.server)
        return [
            "server_name": .string(request.server.string),
            "reachable": .bool(!steps.isEmpty && steps.allSatisfy(\.isPassed)),
            "steps": .array(
                steps.map { step in
                    ["name": .string(step.name), "passed": .bool(step.isPassed), "detail": .string(step.detail)]
                }
            ),
        ]
    }
}
