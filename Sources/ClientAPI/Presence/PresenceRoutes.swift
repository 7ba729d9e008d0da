import Homeserver
import Web

extension Router {
    /// Serves presence.
    public func addPresenceRoutes(presence: PresenceService, in environment: EndpointEnvironment) {
        add(GetPresence(presence: presence), in: environment)
        add(SetPresence(presence: presence), in: environment)
    }
}
