import FederationInbound
import Web

extension Routing {
    /// Serves what other servers ask.
    func addFederation(_ federation: FederationServices, to router: Router) {
        router.addServerKeyRoutes(
            publication: federation.keys, clock: services.clock, version: Chappe.configuration.version, in: environment)
        router.addFederatedMembershipRoutes(rooms: services.rooms.rooms, in: environment)
        services.traffic?.endpoints.register(on: router, in: environment)
    }
}
