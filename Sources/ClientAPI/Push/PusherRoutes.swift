import Homeserver
import Web

extension Router {
    /// Serves pushers.
    ///
    /// - Parameters:
    ///   - pushers: Pushers.
    ///   - environment: What endpoints have in common.
    public func addPusherRoutes(pushers: PusherService, in environment: EndpointEnvironment) {
        add(GetPushers(pushers: pushers), in: environment)
        add(SetPusher(pushers: pushers), in: environment)
    }
}
