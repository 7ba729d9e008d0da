import Homeserver
import Matrix
import Store
import Web

/// `POST /_chappe/admin/v1/signing-keys/reload`: reads the key file again, and signs with its active key from then on.
struct ReloadSigningKeys: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/signing-keys/reload")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let reload: @Sendable () throws -> SigningKeyID
    let services: AdministrationServices

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let key = try reload().string
        try await services.store.write { [audit = services.audit] writer in
            try audit.note(.signingKeysReload, by: caller.actor, on: key, in: writer)
        }
        return ["active_key": .string(key)]
    }
}

extension Router {
    /// Adds the endpoint by which the server is told that its key file has changed.
    ///
    /// - Parameters:
    ///   - reload: Reads the file, and returns the key that is active then. What it throws is told to whoever asked.
    ///   - services: What administration endpoints work with.
    ///   - environment: What endpoints have in common.
    public func addSigningKeyRoutes(
        reload: @escaping @Sendable () throws -> SigningKeyID, _ services: AdministrationServices,
        in environment: EndpointEnvironment
    ) {
        add(ReloadSigningKeys(reload: reload, services: services), in: environment)
    }
}
