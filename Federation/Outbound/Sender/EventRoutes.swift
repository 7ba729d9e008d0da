import Homeserver
import Matrix
import Store

/// Says which servers an event of this server's goes to.
///
/// To those that are in the room after it; and to the server of who is removed by it, who must hear of it. An invite
/// travels by another way, unless the invited user's server is in the room already.
struct EventRoutes: Sendable {
    let servers: RoomServers
    let serverName: ServerName
    /// Whether this server federates with another.
    let accepts: @Sendable (ServerName) -> Bool

    /// The servers that an event goes to.
    func destinations(of event: StoredEvent) async throws -> Set<ServerName> {
        var destinations = try await servers.servers(at: event)
        if let removed = removedServer(event.event) { destinations.insert(removed) }
        return destinations.filter(accepts)
    }

    /// Whether an event goes to a server.
    func concerns(_ server: ServerName, _ event: StoredEvent) async throws -> Bool {
        if removedServer(event.event) == server { return true }
        return try await servers.contains(server, at: event)
    }

    /// The other server whose user leaves the room by this event, however unwillingly.
    private func removedServer(_ event: Event) -> ServerName? {
        guard event.type == .member, let membership = Membership(of: event), membership == .leave || membership == .ban,
            let user = event.stateKey.flatMap({ UserID($0.string) }), !user.isLocal(to: serverName)
        else { return nil }
        return user.server
    }
}
