import FederationInbound
import FederationOutbound
import Homeserver
import Logging
import Matrix
import Store

/// What goes out to other servers, and what has come in from them and waits to be looked at.
struct FederationTraffic: Sendable {
    private let rooms: RoomService
    let sender: FederationSender
    let inbox: RoomInbox
    let devices: RemoteDeviceLists
    /// Takes in what other servers push.
    let receiver: TransactionReceiver

    init(
        _ federation: FederationServices, store: Store, rooms: RoomService, servers: RoomServers,
        users: Services.UserServices, keys: Services.KeyServices, devices: RemoteDeviceLists, keepsPresence: Bool,
        outbox: ToDeviceQueue, clock: any Clock, scheduler: any Scheduler, randomness: any Randomness
    ) {
        self.rooms = rooms
        let policy = federation.policy
        let checker = EventChecker(keys: federation.keys)
        sender = FederationSender(
            store: store, serverName: rooms.serverName, servers: servers, keys: keys.keys,
            presence: keepsPresence ? users.presence : nil, typing: users.typing, queue: outbox,
            transport: federation.client, clock: clock, scheduler: scheduler, randomness: randomness,
            logger: Logger(label: "chappe.federation.sender"), configuration: federation.sending,
            accepts: { policy.permits($0) }
        )
        self.devices = devices
        inbox = RoomInbox(rooms: rooms, remote: federation.client, checker: checker, scheduler: scheduler)
        let logger = Logger(label: "chappe.federation.receiver")
        let ephemera = EphemeralIntake(
            store: store, clock: clock, rooms: rooms, typing: users.typing, receipts: users.receipts,
            presence: RemotePresence(
                store: store, clock: clock, scheduler: scheduler, participation: rooms.participation,
                isEnabled: keepsPresence),
            toDevice: keys.toDevice, devices: devices, logger: logger
        )
        receiver = TransactionReceiver(
            store: store, clock: clock, rooms: rooms, inbox: inbox, checker: checker, ephemera: ephemera,
            logger: logger)
        federation.client.whenReachable { [weak sender, weak devices] server in
            sender?.reachable(server)
            devices?.reachable(server)
        }
    }

    /// Goes on with what was left when the server stopped.
    func start() async throws {
        rooms.resumePartialJoins()
        try await inbox.start()
        try await devices.start()
        try await sender.start()
    }

    func stop() async {
        inbox.stop()
        devices.stop()
        await sender.stop()
    }
}
