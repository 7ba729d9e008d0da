import Adapters
import FederationInbound
import Homeserver
import Logging
import Web

extension Routing {
    /// Serves what other servers ask.
    func addFederation(_ federation: FederationServices, to router: Router) {
        router.addServerKeyRoutes(
            publication: federation.keys, clock: services.clock, version: Chappe.configuration.version, in: environment)
        let rooms = services.rooms
        router.addFederatedMembershipRoutes(rooms: rooms.rooms, in: environment)
        guard let traffic = services.traffic, let queries = rooms.queries else { return }
        FederationEndpoints(
            receiver: traffic.receiver,
            services: FederationEndpoints.Services(
                rooms: rooms.rooms, queries: queries, finder: rooms.finder, spaces: rooms.spaces,
                directory: rooms.directory, publicRooms: rooms.publicRooms,
                listsPublicRooms: configuration.federation.publicRooms, profiles: services.accounts.profiles,
                keys: services.keys.keys, openID: services.accounts.openID, media: services.media),
            clock: services.clock, randomness: SystemRandomness(), logger: Logger(label: "chappe.federation.receiver")
        ).register(on: router, in: environment)
    }
}
