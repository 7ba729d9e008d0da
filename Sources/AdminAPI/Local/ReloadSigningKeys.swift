import Matrix
import Web

/// `POST /_chappe/admin/v1/signing-keys/reload`: reads the key file again, and signs with its active key from then on.
struct ReloadSigningKeys: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/signing-keys/reload")]
    static let authentication = Authentication<Anonymous>.none
    static let rateLimit = RateLimitClass.none

    let reload: @Sendable () throws -> SigningKeyID

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> JSONValue {
        ["active_key": .string(try reload().string)]
    }
}

extension Router {
    /// Adds the endpoint by which the server is told that its key file has changed. For the Unix socket only.
    ///
    /// - Parameters:
    ///   - reload: Reads the file, and returns the key that is active then. What it throws is told to whoever asked.
    ///   - environment: What endpoints have in common.
    public func addSigningKeyRoutes(
        reload: @escaping @Sendable () throws -> SigningKeyID, in environment: EndpointEnvironment
    ) {
        add(ReloadSigningKeys(reload: reload), in: environment)
    }
}
