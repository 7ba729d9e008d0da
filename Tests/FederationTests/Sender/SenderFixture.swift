import Adapters
import Database
import Homeserver
import Logging
import Matrix
import Store
import Synchronization
import TestSupport
import Testing

@testable import FederationOutbound

/// A server that sends, over a database that outlives it: make another over the same one, and the server has been
/// restarted.
struct SenderFixture: Sendable {
    static let serverName = ServerName(trusted: "here.example")

    let store: Store
    let servers: RoomServers
    let keys: KeyService
    let typing: TypingService
    let presence: PresenceService
    let receipts: ReceiptService
    let toDevice: ToDeviceService
    let sender: FederationSender
    let network: FaultyNetwork

    init(
        _ database: Database, _ network: FaultyNetwork, seed: UInt64 = 1,
        _ configuration: SenderConfiguration = .quick
    ) async throws {
        store = try await Store.open(database, cacheBytes: 4 << 20)
        let clock = SystemClock()
        let scheduler = TaskScheduler()
        servers = RoomServers(store: store, serverName: Self.serverName)
        keys = KeyService(
            store: store, serverName: Self.serverName, clock: clock, remote: UnreachableServers(),
            counts: KeyCounts(store: store))
        typing = TypingService(store: store, clock: clock, scheduler: scheduler)
        presence = PresenceService(store: store, clock: clock, scheduler: scheduler)
        receipts = ReceiptService(store: store, clock: clock)
        let queue = ToDeviceQueue()
        toDevice = ToDeviceService(store: store, serverName: Self.serverName, clock: clock, outbox: queue)
        self.network = network
        sender = FederationSender(
            store: store, serverName: Self.serverName, servers: servers, keys: keys, presence: presence, typing: typing,
            queue: queue, transport: network, clock: clock, scheduler: scheduler,
            randomness: SeededRandomness(seed: seed),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, configuration: configuration)
    }

    /// Runs a test on every engine, with a sender that runs.
    static func onEachEngine(
        _ configuration: SenderConfiguration = .quick, _ body: (SenderFixture) async throws -> Void
    ) async throws {
        try await withEachEngine { database in
            let fixture = try await SenderFixture(database, FaultyNetwork(), configuration)
            try await fixture.sender.start()
            do { try await body(fixture) } catch {
                await fixture.sender.stop()
                throw error
            }
            await fixture.sender.stop()
            #expect(fixture.network.violations == [])
        }
    }

    /// A user, of this server if no other is named.
    static func user(_ name: String, _ server: String = "here.example") throws -> UserID {
        try #require(UserID("@\(name):\(server)"))
    }

    /// Makes an account with devices.
    func account(_ name: String, devices: [String] = ["DEVICE"]) async throws -> (number: UserNumber, id: UserID) {
        let id = try Self.user(name)
        let number = try await store.write { writer in
            let number = try writer.accounts.insert(id, passwordHash: nil, flags: [], appService: nil, createdAt: 0)
            for device in devices {
                guard let number, let device = DeviceID(device) else { continue }
                _ = try writer.devices.insert(device, of: number, displayName: "The \(device)", createdAt: 0)
                try writer.journal.append(.deviceList(number))
            }
            return number
        }
        return (try #require(number), id)
    }
}

extension SenderConfiguration {
    /// Times that a test can wait for.
    static var quick: SenderConfiguration {
        var configuration = SenderConfiguration()
        configuration.backoff.startMilliseconds = 10
        configuration.backoff.capMilliseconds = 40
        configuration.lingerMilliseconds = 5
        configuration.startUpSpreadMilliseconds = 5
        configuration.checkpointMilliseconds = 10
        configuration.databaseRetryMilliseconds = 10
        return configuration
    }
}

/// Randomness that is the same in each run.
final class SeededRandomness: Randomness {
    private let state: Mutex<UInt64>

    init(seed: UInt64) { state = Mutex(seed) }

    func bytes(_ count: Int) -> [UInt8] {
        state.withLock { state in (0..<count).map { _ in UInt8(truncatingIfNeeded: Self.next(&state)) } }
    }

    /// A number below `bound`.
    func number(_ bound: Int) -> Int { state.withLock { Int(Self.next(&$0) % UInt64(bound)) } }

    /// SplitMix64.
    private static func next(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Waits until something holds, for some seconds at the most.
func eventually(
    _ what: Comment, within seconds: Int = 20, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    for _ in 0..<seconds * 200 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record(what, sourceLocation: sourceLocation)
}
