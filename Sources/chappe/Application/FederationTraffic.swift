import FederationOutbound
import Homeserver
import Logging
import Matrix
import Store

/// What goes out to other servers, and what has come in from them and waits to be looked at.
struct FederationTraffic: Sendable {
    let sender: FederationSender
    let inbox: RoomInbox

    init(
        _ federation: FederationServices, store: Store, serverName: ServerName, rooms: RoomService,
        keys: KeyService, presence: PresenceService?, typing: TypingService, outbox: ToDeviceQueue, clock: any Clock,
        scheduler: any Scheduler, randomness: any Randomness
    ) {
        let policy = federation.policy
        sender = FederationSender(
            store: store, serverName: serverName, servers: RoomServers(store: store, serverName: serverName),
            keys: keys,
            presence: presence, typing: typing, queue: outbox, transport: federation.client, clock: clock,
            scheduler: scheduler, randomness: randomness, logger: Logger(label: "chappe.federation.sender"),
            accepts: { policy.permits($0) }
        )
        inbox = RoomInbox(
            rooms: rooms, remote: federation.client, checker: EventChecker(keys: federation.keys))
        federation.client.whenReachable { [weak sender] server in sender?.reachable(server) }
    }

    /// Goes on with what was left when the server stopped.
    func start() async throws {
        try await inbox.start()
        try await sender.start()
    }

    func stop() async {
        inbox.stop()
        await sender.stop()
    }
}
