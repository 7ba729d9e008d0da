import Database
import Homeserver
import Matrix
import Store
import Synchronization
import TestSupport
import Testing

@testable import FederationOutbound

/// Whatever the network does and whenever the server crashes: every server gets everything that concerns it, nothing
/// else, and in the order of each room.
@Suite struct SenderPropertyTests {
    @Test(arguments: 1...6) func everythingArrives(seed: UInt64) async throws {
        try await withEachEngine { database in
            try await Self.run(SenderHistory(seed: seed, database: database), seed)
        }
    }

    @Test(arguments: 1...4) func ofBusyRoomsTheNewestArrives(seed: UInt64) async throws {
        try await withEachEngine { database in
            var history = SenderHistory(seed: seed &+ 100, database: database, missedEventsPerRoom: 5)
            try await history.begin()
            for _ in 0..<90 { try await history.step() }
            try await history.finish()
            for server in SenderHistory.servers {
                let got = history.network.events(at: server)
                let owed = history.owed[server] ?? []
                #expect(Set(got).subtracting(owed) == [], "seed \(seed): \(server) got what is none of its business")
                for room in history.events.indices {
                    let inRoom = Set(history.events[room])
                    // Those before it may come, and after a crash even later than it; their receiver can ask for them.
                    let newest = owed.last(where: inRoom.contains)
                    #expect(newest.map(got.contains) != false, "seed \(seed): \(server) has not heard of the newest")
                }
            }
            #expect(history.network.violations == [], "seed \(seed)")
        }
    }

    private static func run(_ history: SenderHistory, _ seed: UInt64) async throws {
        var history = history
        try await history.begin()
        for _ in 0..<90 { try await history.step() }
        try await history.finish()
        for server in SenderHistory.servers {
            let got = history.network.events(at: server)
            let owed = history.owed[server] ?? []
            #expect(Set(owed).subtracting(got) == [], "seed \(seed): \(server) misses something")
            #expect(Set(got).subtracting(owed) == [], "seed \(seed): \(server) got what is none of its business")
            for room in history.events.indices {
                let inRoom = Set(history.events[room])
                #expect(
                    got.filter(inRoom.contains) == owed.filter(inRoom.contains),
                    "seed \(seed): \(server) got a room's events in another order")
            }
            let messages = history.network.edus("m.direct_to_device", at: server).compactMap {
                $0["messages"]?["@bob:\(server)"]?["DEVICE"]?["number"]?.int
            }
            var seen: Set<Int64> = []
            #expect(
                messages.filter { seen.insert($0).inserted } == history.messages[server] ?? [],
                "seed \(seed): \(server) misses messages or got them in another order")
        }
        #expect(history.network.violations == [], "seed \(seed)")
    }
}

/// A server's life by chance: rooms, users of other servers who come and go, a network that gets better and worse,
/// crashes.
private struct SenderHistory {
    static let servers = (1...4).map { ServerName(trusted: "s\($0).example") }

    let network: FaultyNetwork
    /// What was sent to whom should have come, in order.
    private(set) var owed: [ServerName: [String]] = [:]
    /// The events of each room, in order.
    private(set) var events: [[String]] = []
    /// The messages for devices, in order.
    private(set) var messages: [ServerName: [Int64]] = [:]

    private let database: Database
    private let missedEventsPerRoom: Int
    private let randomness: SeededRandomness
    private let weather: Weather
    private var node: SenderFixture?
    private var rooms: [ScriptedRoom] = []
    private var joined: [Set<ServerName>] = []
    private var alice: (number: UserNumber, id: UserID)?
    private var lastMessage: Int64 = 0
    private var lastSeed: UInt64

    /// How bad the network is just now, out of 100.
    private final class Weather: Sendable {
        let badness = Mutex(0)
        let randomness: SeededRandomness
        init(seed: UInt64) { randomness = SeededRandomness(seed: seed &* 31 &+ 7) }

        func fate() -> FaultyNetwork.Fate {
            guard randomness.number(100) < badness.withLock({ $0 }) else { return .arrives }
            switch randomness.number(4) {
            case 0: return .answerIsLost
            case 1: return .arrivesTwice
            default: return .isLost
            }
        }
    }

    init(seed: UInt64, database: Database, missedEventsPerRoom: Int = 200) {
        self.database = database
        self.missedEventsPerRoom = missedEventsPerRoom
        randomness = SeededRandomness(seed: seed)
        lastSeed = seed
        let weather = Weather(seed: seed)
        self.weather = weather
        network = FaultyNetwork { _, _ in (weather.fate(), weather.randomness.number(4)) }
    }

    mutating func begin() async throws {
        try await restart()
        guard let node else { return }
        alice = try await node.account("alice")
        guard let alice else { return }
        for name in ["one", "two", "three"] {
            var room = try await ScriptedRoom(name, in: node.store)
            let first = try await room.set(.join, of: alice.id, in: node.store)
            rooms.append(room)
            joined.append([])
            events.append([first.event.eventID.string])
        }
    }

    /// Something happens.
    mutating func step() async throws {
        switch randomness.number(100) {
        case 0..<50: try await say()
        case 50..<66: try await move()
        case 66..<80: try await whisper()
        case 80..<90: weather.badness.withLock { $0 = [0, 30, 70, 100][randomness.number(4)] }
        case 90..<95: try await Task.sleep(for: .milliseconds(randomness.number(40)))
        default: try await restart()
        }
    }

    /// The network gets well, and everything has time to arrive.
    mutating func finish() async throws {
        weather.badness.withLock { $0 = 0 }
        try await restart()
        guard let node else { return }
        try await eventually("everything is sent") {
            guard await node.sender.isCaughtUp else { return false }
            return try await node.store.read { reader in
                try reader.destinations.waiting().isEmpty && reader.outgoingDeviceMessages.servers().isEmpty
            }
        }
        await node.sender.stop()
    }

    private mutating func say() async throws {
        guard let node, let alice else { return }
        let room = randomness.number(rooms.count)
        for _ in 0...randomness.number(6) {
            let event = try await rooms[room].send(by: alice.id, in: node.store)
            note(event, in: room)
        }
    }

    /// Somebody of another server joins, leaves, or is removed.
    private mutating func move() async throws {
        guard let node, let alice else { return }
        let room = randomness.number(rooms.count)
        let server = Self.servers[randomness.number(Self.servers.count)]
        let user = try SenderFixture.user("bob", server.string)
        guard joined[room].contains(server) else {
            let isOurs = randomness.number(2) == 0
            let event = try await rooms[room].set(
                .join, of: user, relay: isOurs ? .onBehalf(of: server) : nil, in: node.store)
            joined[room].insert(server)
            // What it came with, it knows.
            if isOurs { note(event, in: room, except: server) } else { events[room].append(event.event.eventID.string) }
            return
        }
        joined[room].remove(server)
        if randomness.number(2) == 0 {
            let event = try await rooms[room].set(.leave, of: user, by: alice.id, in: node.store)
            note(event, in: room)
            owed[server, default: []].append(event.event.eventID.string)
        } else {
            let event = try await rooms[room].set(.leave, of: user, in: node.store)
            events[room].append(event.event.eventID.string)
        }
    }

    private mutating func whisper() async throws {
        guard let node, let alice else { return }
        let server = Self.servers[randomness.number(Self.servers.count)]
        lastMessage += 1
        let content: JSONValue = ["number": .integer(lastMessage)]
        try await node.toDevice.send(
            [
                ToDeviceMessage(
                    user: try SenderFixture.user("bob", server.string),
                    target: .device(try #require(DeviceID("DEVICE"))), content: content.json)
            ], type: "m.test", from: alice.number, alice.id, device: DeviceID("DEVICE"), transaction: "\(lastMessage)")
        messages[server, default: []].append(lastMessage)
    }

    private mutating func note(_ event: StoredEvent, in room: Int, except origin: ServerName? = nil) {
        events[room].append(event.event.eventID.string)
        for server in joined[room] where server != origin {
            owed[server, default: []].append(event.event.eventID.string)
        }
    }

    /// The server stops, more or less orderly, and starts again over the same database.
    private mutating func restart() async throws {
        if let node {
            if randomness.number(3) == 0 {
                await node.sender.stop()
            } else {
                // Also between an answer and writing down what it means.
                for transaction in await node.sender.abandon() { await transaction.value }
            }
        }
        lastSeed &+= 1
        var configuration = SenderConfiguration.quick
        configuration.checkpointMilliseconds = randomness.number(2) == 0 ? 5 : 60_000
        configuration.missedEventsPerRoom = missedEventsPerRoom
        configuration.itemsInMemory = randomness.number(2) == 0 ? 4 : 250
        let node = try await SenderFixture(database, network, seed: lastSeed, configuration)
        try await node.sender.start()
        self.node = node
    }
}

extension FederationSender {
    /// Whether the journal has been looked through and all that it holds has been delivered.
    fileprivate var isCaughtUp: Bool { dispatched == store.journal.end && machines.isEmpty }
}
