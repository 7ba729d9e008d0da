import Homeserver
import Matrix
import Web

/// [POST /appservice/{appserviceId}/ping](https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping):
/// an application service finds out whether it can be reached.
struct PingAppService: Endpoint {
    static let routes: [Route] = .client(.post, "/appservice/{appserviceId}/ping", versions: ["v1"])
    static let authentication: Authentication<Caller> = .required

    let services: AppServices
    let queries: AppServiceQueries
    let sender: AppServiceSender

    struct Request: RequestDecodable {
        let service: String
        let transactionID: String?

        init(from input: RequestInput) throws {
            service = try input.path("appserviceId")
            transactionID = try input.bodyOrEmpty.optional("transaction_id", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        guard let service = services.service(id: try caller.requireAppService()),
            service.id.utf8.elementsEqual(request.service.utf8)
        else { throw MatrixError.forbidden("An application service can have only itself asked") }
        let duration = try await queries.ping(service, transactionID: request.transactionID)
        sender.isThere(service.id)
        return ["duration_ms": .integer(duration)]
    }
}

extension Router {
    /// Serves what only application services ask.
    public func addAppServiceRoutes(
        services: AppServices, queries: AppServiceQueries, sender: AppServiceSender,
        in environment: EndpointEnvironment
    ) {
        add(PingAppService(services: services, queries: queries, sender: sender), in: environment)
    }
}
