import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/app_services`: the application services that the configuration names, and how much waits for each.
struct ListAppServices: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/app_services")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AppServices
    let store: Store

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let waiting = try await store.read { [services] reader in
            try services.all.map { try reader.appServices.waiting(for: $0.id) }
        }
        func patterns(_ namespaces: [AppService.Namespace]) -> JSONValue {
            .array(
                namespaces.map { ["regex": .string($0.pattern.text), "exclusive": .bool($0.isExclusive)] })
        }
        return [
            "app_services": .array(
                zip(services.all, waiting).map { service, waiting in
                    [
                        "id": .string(service.id), "url": service.url.json, "sender": .string(service.sender.string),
                        "rate_limited": .bool(service.isRateLimited),
                        "protocols": .array(service.protocols.map { .string($0) }),
                        "users": patterns(service.namespaces.users), "aliases": patterns(service.namespaces.aliases),
                        "rooms": patterns(service.namespaces.rooms), "waiting": .integer(waiting),
                    ]
                })
        ]
    }
}

/// `POST /_chappe/admin/v1/app_services/{id}/ping`: finds out whether an application service answers.
///
/// Answer: `duration_ms`.
struct PingAppServiceAsAdministrator: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/app_services/{id}/ping")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AppServices
    let queries: AppServiceQueries

    struct Request: RequestDecodable {
        let id: String

        init(from input: RequestInput) throws { id = try input.path("id") }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        guard let service = services.service(id: request.id) else {
            throw MatrixError.notFound("There is no application service \(request.id)")
        }
        return ["duration_ms": .integer(try await queries.ping(service, transactionID: nil))]
    }
}

extension Router {
    /// Adds the administration endpoints for application services.
    ///
    /// - Parameters:
    ///   - services: The services.
    ///   - queries: Asks them.
    ///   - store: Where what waits for them is.
    ///   - environment: What endpoints have in common.
    public func addAppServiceAdministrationRoutes(
        services: AppServices, queries: AppServiceQueries, store: Store, in environment: EndpointEnvironment
    ) {
        add(ListAppServices(services: services, store: store), in: environment)
        add(PingAppServiceAsAdministrator(services: services, queries: queries), in: environment)
    }
}
