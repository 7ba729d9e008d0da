import Homeserver
import Web

extension Router {
    /// Serves what administrators say to users for the server.
    ///
    /// - Parameters:
    ///   - notices: `nil` where the server does not speak to its users.
    ///   - services: What administration endpoints work with.
    ///   - environment: What endpoints have in common.
    public func addNoticeRoutes(
        notices: ServerNotices?, _ services: AdministrationServices, in environment: EndpointEnvironment
    ) {
        add(SendServerNotice(notices: notices, services: services), in: environment)
        add(SendNotices(notices: notices, services: services), in: environment)
    }
}
