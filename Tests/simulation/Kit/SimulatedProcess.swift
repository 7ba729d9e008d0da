import Database
import FederationInbound
import FederationOutbound
import Homeserver
import Logging
import Matrix
import Store

/// A server's process from its start to its end: the real services over the real store, with simulated ports.
final class SimulatedProcess: @unchecked Sendable {
    /// Whether a process still lives. What is dead goes on in memory until it asks for something from outside, and then never hears
    /// of anything again.
    final class Life: @unchecked Sendable {
        let server: ServerName
        var isAlive = true

        init(_ server: ServerName) { self.server = server }
    }

    let life: Life
    let store: Store
    let rooms: RoomService
    let inbox: RoomInbox
    let sender: FederationSender
    let receiver: TransactionReceiver
    let queries: RoomQueries

    var serverName: ServerName { life.server }

    /// Starts a server as its program does.
    init(_ server: SimulatedServer, _ life: Life, database: Database, world: SimulatedWorld) async throws {
        self.life = life
        let clock = SimulatedClock(time: world.time, errorMilliseconds: server.clockErrorMilliseconds)
        let scheduler = SimulatedScheduler(time: world.time, process: life)
        let randomness = SimulatedRandomness(world.newGenerator())
        let remote = SimulatedRemote(network: world.network, origin: life)
        var logger = Logger(label: "\(server.name)")
        logger.logLevel = world.logLevel
        store = try await Store.open(database, cacheBytes: 8 << 20)
        let directory = DirectoryService(
            store: store, clock: clock, source: StoredRoomDirectory(store: store), serverName: server.name)
        rooms = RoomService(
            store: store, clock: clock, randomness: randomness, serverName: server.name, signingKey: server.key,
            defaultVersion: .v12, profiles: StoredProfiles(store: store),
            aliases: DirectoryAliases(store: store, directory: directory), activeUsers: ActiveUsers(store: store),
            federation: RoomFederation(remote: remote, keys: world.keys, scheduler: scheduler), logger: logger)
        let checker = EventChecker(keys: world.keys)
        inbox = RoomInbox(rooms: rooms, remote: remote, checker: checker, scheduler: scheduler)
        let ephemera = EphemeralIntake(
            store: store, clock: clock, rooms: rooms,
            typing: TypingService(store: store, clock: clock, scheduler: scheduler),
            receipts: ReceiptService(store: store, clock: clock),
            presence: RemotePresence(
                store: store, clock: clock, scheduler: scheduler, participation: rooms.participation, isEnabled: false),
            toDevice: ToDeviceService(store: store, serverName: server.name, clock: clock, outbox: nil),
            devices: RemoteDeviceLists(
                store: store, clock: clock, scheduler: scheduler, participation: rooms.participation,
                remote: NoDeviceQueries(), logger: logger),
            logger: logger)
        receiver = TransactionReceiver(
            store: store, clock: clock, rooms: rooms, inbox: inbox, checker: checker, ephemera: ephemera, logger: logger
        )
        let servers = RoomServers(store: store, serverName: server.name)
        queries = RoomQueries(rooms: rooms, servers: servers)
        sender = FederationSender(
            store: store, serverName: server.name, servers: servers,
            keys: KeyService(
                store: store, serverName: server.name, clock: clock, remote: NoDeviceQueries(),
                counts: KeyCounts(store: store)),
            presence: nil, typing: nil, queue: ToDeviceQueue(), transport: remote, clock: clock, scheduler: scheduler,
            randomness: randomness, logger: logger)
        rooms.resumePartialJoins()
        try await inbox.start()
        try await sender.start()
    }

    /// A user of this server as one who asks for something.
    func requester(_ user: UserID) async throws -> Requester {
        Requester(id: user, number: try await store.intern(user), device: DeviceID("DEVICE"))
    }
}
