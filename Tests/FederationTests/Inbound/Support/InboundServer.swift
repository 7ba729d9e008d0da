import Adapters
import Database
import FederationInbound
import FederationWire
import Homeserver
import Logging
import Matrix
import Store
import Synchronization
import TestSupport
import Testing
import Web

/// This server as other servers see it: its rooms and users on one database engine, and the router that answers what others ask.
struct InboundServer: Sendable {
    static let name = ServerName(trusted: "here.example")

    let store: Store
    let clock: InboundClock
    let keys = FixedKeys()
    let outside: ScriptedOutside
    let rooms: RoomService
    let inbox: RoomInbox
    let typing: TypingService
    let receipts: ReceiptService
    let presence: PresenceService
    let remotePresence: RemotePresence
    let inboxes: ToDeviceInboxes
    let devices: RemoteDeviceLists
    let keyService: KeyService
    let deviceLists: DeviceListService
    let directory: DirectoryService
    let spaces: SpaceHierarchy
    let finder: EventFinder
    let profiles: ProfileService
    let openID: OpenIDService
    let media: MediaService
    private let mediaDirectory: String
    let router = Router()

    init(
        _ store: Store, clock: InboundClock = InboundClock(), outside: ScriptedOutside = ScriptedOutside(),
        listsPublicRooms: Bool = true
    ) throws {
        self.store = store
        self.clock = clock
        self.outside = outside
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let source = StoredRoomDirectory(store: store)
        let directory = DirectoryService(store: store, clock: clock, source: source, serverName: Self.name)
        self.directory = directory
        let federation = RoomFederation(remote: outside, keys: keys, scheduler: TaskScheduler())
        rooms = RoomService(
            store: store, clock: clock, randomness: SystemRandomness(), serverName: Self.name,
            signingKey: try FixedKeys.key(of: Self.name), defaultVersion: .v12,
            profiles: StoredProfiles(store: store), aliases: DirectoryAliases(store: store, directory: directory),
            activeUsers: ActiveUsers(store: store), federation: federation, logger: logger)
        let scheduler = TaskScheduler()
        inbox = RoomInbox(rooms: rooms, remote: outside, checker: federation.checker, scheduler: scheduler)
        typing = TypingService(store: store, clock: clock, scheduler: scheduler)
        receipts = ReceiptService(store: store, clock: clock)
        presence = PresenceService(store: store, clock: clock, scheduler: scheduler)
        remotePresence = RemotePresence(
            store: store, clock: clock, scheduler: scheduler, participation: rooms.participation)
        inboxes = ToDeviceInboxes(store: store)
        devices = RemoteDeviceLists(
            store: store, clock: clock, scheduler: scheduler, participation: rooms.participation, remote: outside,
            logger: logger)
        keyService = KeyService(
            store: store, serverName: Self.name, clock: clock, remote: outside, counts: KeyCounts(store: store),
            lists: devices)
        deviceLists = DeviceListService(store: store)
        let ephemera = EphemeralIntake(
            store: store, clock: clock, rooms: rooms, typing: typing, receipts: receipts, presence: remotePresence,
            toDevice: ToDeviceService(store: store, serverName: Self.name, clock: clock, outbox: nil),
            devices: devices, logger: logger)
        let servers = RoomServers(store: store, serverName: Self.name)
        let queries = RoomQueries(rooms: rooms, servers: servers)
        spaces = SpaceHierarchy(
            rooms: rooms, servers: servers, remote: outside, clock: clock, scheduler: scheduler,
            randomness: SystemRandomness(), logger: logger)
        finder = EventFinder(rooms: rooms, queries: queries, remote: outside, logger: logger)
        profiles = ProfileService(
            store: store, serverName: Self.name, propagation: rooms, remote: UnreachableServers())
        openID = OpenIDService(store: store, clock: clock, randomness: SystemRandomness(), serverName: Self.name)
        mediaDirectory = try makeTemporaryDirectory()
        media = MediaService(
            store: store, blobs: try DirectoryBlobStore(directory: mediaDirectory),
            thumbnailer: VipsThumbnailer(threads: 1), clock: clock, scheduler: scheduler,
            randomness: SystemRandomness(), serverName: Self.name)
        let environment = EndpointEnvironment(
            authenticator: NoUsers(), rateLimiter: RateLimiter(RateLimits(isEnabled: false)) { 0 },
            servers: RequestAuthenticator(
                serverName: Self.name, keys: keys, policy: FederationPolicy(mode: .open), clock: clock))
        let receiver = TransactionReceiver(
            store: store, clock: clock, rooms: rooms, inbox: inbox, checker: federation.checker, ephemera: ephemera,
            logger: logger)
        FederationEndpoints(
            receiver: receiver,
            services: FederationEndpoints.Services(
                rooms: rooms, queries: queries, finder: finder, spaces: spaces, directory: directory,
                publicRooms: PublicRoomsService(store: store, source: source, serverName: Self.name),
                listsPublicRooms: listsPublicRooms, profiles: profiles, keys: keyService, openID: openID, media: media),
            clock: clock, randomness: SystemRandomness(), logger: logger
        ).register(on: router, in: environment)
    }

    /// Runs a test on every engine, each time on an empty store.
    static func onEachEngine(
        listsPublicRooms: Bool = true, _ body: (InboundServer) async throws -> Void
    ) async throws {
        try await withEachEngine { database in
            let server = try InboundServer(
                try await Store.open(database, cacheBytes: 4 << 20), listsPublicRooms: listsPublicRooms)
            defer { server.stop() }
            try await body(server)
        }
    }

    /// Begins nothing new, and clears away its files.
    func stop() {
        inbox.stop()
        devices.stop()
        removeTree(mediaDirectory)
    }

    /// A server with nothing in memory, on the same database.
    func restarted() throws -> InboundServer { try InboundServer(store, clock: clock, outside: outside) }

    /// A user of this server, with a device.
    func user(_ name: String) async throws -> Requester {
        let id = try #require(UserID("@\(name):\(Self.name)"))
        let device = try #require(DeviceID("DEVICE"))
        let number = try await store.write { writer in
            guard
                let number = try writer.accounts.insert(
                    id, passwordHash: nil, flags: [], appService: nil, createdAt: 0)
            else { return try writer.identifiers.intern(id) }
            _ = try writer.devices.insert(device, of: number, displayName: nil, createdAt: 0)
            return number
        }
        return Requester(id: id, number: number, device: device)
    }

    /// Waits until everything that has been taken over is looked at, and whoever follows the journal has heard of it.
    func settle() async throws {
        try await wait(for: "an empty inbox") {
            let (isEmpty, end) = try await store.read { reader in
                let end = try reader.sql.first("SELECT value FROM counters WHERE name = 'journal'") { try $0.int(0) }
                return (try reader.inbox.rooms().isEmpty, end)
            }
            return isEmpty && store.journal.end.rawValue == end
        }
        // What is committed is in memory a moment later. Of history no journal entry tells; what is written after it does.
        try await store.write { _ in }
    }

    /// Waits until something is so.
    func wait(for what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<2_000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("never came about: \(what)")
    }

    /// The event, if this server shows it to its users.
    func timelineEvent(_ id: EventID) async throws -> StoredEvent? {
        guard let event = try await store.event(id), event.status == .accepted, event.position != nil else {
            return nil
        }
        return event
    }

    /// The messages that wait for a user's device.
    func messages(_ user: Requester) async throws -> [JSONValue] {
        guard let device = user.device else { return [] }
        let batch = try await inboxes.pending(
            for: device, of: user.number, after: StreamPosition(0), through: store.journal.end)
        return try batch.messages.map { try JSON(parsing: $0.content).value }
    }

    /// Nobody has an account's token here.
    private struct NoUsers: Authenticator {
        func authenticate(
            accessToken: String, masquerade: Masquerade?, for request: HTTPRequest
        ) async throws -> Caller {
            throw MatrixError.unknownToken()
        }
    }
}

/// A clock that moves when it is told to.
final class InboundClock: Homeserver.Clock {
    private let time = Mutex<Int64>(1_700_000_000_000)
    var now: Int64 { time.withLock { $0 } }
    func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}

/// The keys of servers whose names the tests make up: each server's own is derived from its name.
struct FixedKeys: ServerKeys {
    /// Servers whose keys nobody can get at.
    static let unreachable = ServerName(trusted: "unreachable.example")

    static func key(of server: ServerName) throws -> SigningKey {
        var seed = [UInt8](repeating: 1, count: 32)
        for (index, byte) in server.string.utf8.enumerated() { seed[index % 32] ^= byte &+ UInt8(index % 7) }
        return try #require(SigningKey(seed: seed, version: "1"))
    }

    func keys(_ wanted: [ServerName: [SigningKeyID: Int64?]]) async -> [ServerName: [SigningKeyID: VerifyKey]] {
        var found: [ServerName: [SigningKeyID: VerifyKey]] = [:]
        for (server, ids) in wanted where server != Self.unreachable {
            guard let key = try? Self.key(of: server) else { continue }
            for id in ids.keys where id == key.keyID { found[server, default: [:]][id] = key.publicKey }
        }
        return found
    }
}
