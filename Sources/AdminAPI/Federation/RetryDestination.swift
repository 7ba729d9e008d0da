import Homeserver
import Matrix
import Web

/// `POST /_chappe/admin/v1/federation/destinations/{serverName}/retry`: tries a server now, whenever its next attempt
/// was due.
struct RetryDestination: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/federation/destinations/{serverName}/retry")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let queue: any FederationQueue

    func handle(_ request: ServerNameRequest, caller: Operator) async throws -> EmptyResponse {
        guard try await queue.retry(request.server) else {
            throw MatrixError.notFound("Nothing was ever sent to \(request.server)")
        }
        return EmptyResponse()
    }
}

/// A request that says nothing but which server it is about.
struct ServerNameRequest: RequestDecodable {
    let server: ServerName

    init(from input: RequestInput) throws { server = try input.path("serverName") }
}
