import Homeserver
import Web

extension Router {
    /// Serves pushers.
    ///
    /// - Parameters:
    ///   - pushers: Pushers.
    ///   - unsubscription: Ends mail about what has not been read.
    ///   - environment: What endpoints have in common.
    public func addPusherRoutes(
        pushers: PusherService, unsubscription: Unsubscription, in environment: EndpointEnvironment
    ) {
        add(GetPushers(pushers: pushers), in: environment)
        add(SetPusher(pushers: pushers), in: environment)
        add(Unsubscribe(unsubscription: unsubscription), in: environment)
    }
}
