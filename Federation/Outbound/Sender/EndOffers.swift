import Homeserver
import Matrix
import Store

/// Says which ends of a room a server has not been sent that turns out to be in the room.
///
/// Who comes in through another server, which is cut off from this one, is not known here when this server's users speak. As soon as it
/// is, it is offered what nothing has followed yet: what follows it would bring it along anyway, but in a room in which nobody speaks
/// any more the servers would stay apart.
struct EndOffers: Sendable {
    let routes: EventRoutes
    let ends: RoomEnds

    /// What each of some servers is offered of a room.
    func offers(in room: RoomNumber, to servers: Set<ServerName>) async throws -> [ServerName: [EventNumber]] {
        var offers: [ServerName: [EventNumber]] = [:]
        let servers = servers.filter(routes.accepts)
        guard !servers.isEmpty else { return offers }
        // What sticks is for all who are there, however long ago they came.
        for event in try await ends.sticky(in: room) {
            for server in servers { offers[server, default: []].append(event.number) }
        }
        for end in try await ends.ends(of: room) where !(offers.values.first?.contains(end.event.number) ?? false) {
            let told = try await routes.destinations(of: end.event)
            for server in servers where server != end.origin && !told.contains(server) {
                offers[server, default: []].append(end.event.number)
            }
        }
        return offers
    }

    /// What the servers are offered that turn out to be in a room by an event.
    func offers(after event: StoredEvent) async throws -> [ServerName: [EventNumber]] {
        guard event.status == .accepted, event.event.type == .member, Membership(of: event.event) == .join,
            let user = event.event.stateKey.flatMap({ UserID($0.string) }), !user.isLocal(to: routes.serverName),
            try await routes.servers.contains(user.server, in: event.room)
        else { return [:] }
        return try await offers(in: event.room, to: [user.server])
    }

    /// What the servers are offered that turn out to be in a room because memberships are not what they were.
    ///
    /// - Parameter users: Whose; `nil`: perhaps everybody's.
    func offers(in room: RoomNumber, users: [UserNumber]?, _ store: Store) async throws -> [ServerName: [EventNumber]] {
        var servers = try await routes.servers.servers(in: room)
        if let users {
            let theirs = try await store.read { reader in
                try Set(users.map { try reader.identifiers.user($0).server })
            }
            servers.formIntersection(theirs)
        }
        return try await offers(in: room, to: servers)
    }
}
