import Homeserver
import Web

extension Router {
    /// Adds the administration endpoints of federation.
    ///
    /// - Parameters:
    ///   - queue: What waits for other servers.
    ///   - probe: Finds out whether a server can be reached.
    public func addFederationAdministrationRoutes(
        queue: any FederationQueue, probe: any ServerProbe, in environment: EndpointEnvironment
    ) {
        add(ListDestinations(queue: queue), in: environment)
        add(RetryDestination(queue: queue), in: environment)
        add(ProbeServer(probe: probe), in: environment)
    }
}
