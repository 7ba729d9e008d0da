import Foundation
import Homeserver
import Logging
import Matrix
import Store

/// What came of a simulation.
public struct SimulationReport: Sendable {
    /// The seed that everything came from.
    public let seed: UInt64
    /// What must not be, the first first; none if all is well.
    public let problems: [String]
    /// What has happened.
    public let trace: [String]
    /// A number that two runs share only if the same has happened in both.
    public let hash: UInt64
    /// How many things that users did were carried out.
    public let acknowledgedCount: Int
    /// How many events there are.
    public let eventCount: Int
}

/// Some homeservers, their users and the network between them, for a while; then everything is mended, and it is checked that all
/// servers have come to the same.
///
/// The servers are real: engine, store on SQLite, rooms, inbox, sender. Time, chance and network are simulated, and all of it runs on
/// one thread in an order that the seed decides.
public final class Simulation: @unchecked Sendable {
    let scenario: Scenario
    let world: SimulatedWorld
    private let directory: String
    private var generator: SeededGenerator
    private var rooms: [SimulatedRoom] = []
    private var acknowledged: [Acknowledgement] = []
    private var done = 0
    private var eventCount = 0
    private var problem: (any Error)?

    /// - Parameters:
    ///   - directory: An empty directory for the servers' databases.
    ///   - isEchoed: Whether the trace is printed as it comes about.
    public init(
        seed: UInt64, servers: Int = 4, steps: Int = 200, directory: String, isEchoed: Bool = false,
        logLevel: Logger.Level = .critical
    ) throws {
        scenario = Scenario(seed: seed, serverCount: max(1, servers), stepCount: steps)
        self.directory = directory
        generator = SeededGenerator(seed: seed, stream: 4)
        world = try SimulatedWorld(
            seed: seed, servers: try Self.servers(scenario, directory), isEchoed: isEchoed, logLevel: logLevel)
        world.disorder = scenario.disorder
        world.downtime = scenario.downtimeMilliseconds
    }

    private static func servers(_ scenario: Scenario, _ directory: String) throws -> [SimulatedServer] {
        var generator = SeededGenerator(seed: scenario.seed, stream: 5)
        return try (1...scenario.serverCount).map { index in
            let seed = (0..<32).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            let users = (1...scenario.usersPerServer).compactMap { UserID("@u\($0):s\(index)") }
            guard let name = ServerName("s\(index)"), let key = SigningKey(seed: seed, version: "1"),
                users.count == scenario.usersPerServer
            else { throw SimulationProblem("no server s\(index)") }
            let error = scenario.clockErrorMilliseconds
            return SimulatedServer(
                name: name, key: key, users: users, clockErrorMilliseconds: generator.within(-error...error),
                directory: directory)
        }
    }

    /// Simulates.
    public func run() -> SimulationReport {
        var problems: [String] = []
        do {
            try live()
            problems = try end()
        } catch {
            problems.append("\(error)")
        }
        for server in world.servers { try? server.crash(world) }
        return SimulationReport(
            seed: scenario.seed, problems: problems, trace: world.trace.lines, hash: world.trace.hash,
            acknowledgedCount: acknowledged.count, eventCount: eventCount)
    }

    // MARK: Living

    private func live() throws {
        world.trace.note(scenario.summary)
        world.network.onHandover = { [weak self] event, server in
            guard let self, let room = self.rooms.first(where: { $0.id == event.roomID }) else { return }
            self.acknowledged.append(Acknowledgement(room: room, event: event.eventID, server: server))
        }
        for server in world.servers { try server.start(world) }
        begin(.create)
        try world.settle()
        world.network.weather = scenario.weather
        for _ in 0..<scenario.stepCount {
            let pause = generator.within(generator.pick(scenario.pauses) ?? 1...50)
            if pause > 0 { try pass(milliseconds: pause) }
            breakSomething()
            if let kind = generator.pick(scenario.weights) { begin(kind) }
            if let problem { throw problem }
        }
        try world.settle()
    }

    private func pass(milliseconds: Int64) throws {
        try world.settle()
        let end = world.time.now + milliseconds
        while try world.step(until: end) {}
        world.time.advance(to: end)
    }

    /// Has a user do something.
    private func begin(_ kind: OperationKind) {
        done += 1
        let up = world.servers.filter { $0.process != nil }
        let seed = generator.next()
        guard let server = generator.pick(up), let process = server.process else { return }
        let operation = Operation(
            kind: rooms.isEmpty ? .create : kind, number: done, server: server.name, room: generator.pick(rooms),
            users: world.servers.flatMap(\.users), servers: world.servers.map(\.name), rooms: rooms,
            version: generator.pick(scenario.versions) ?? .v12, seed: seed, mayRedactRules: scenario.redactsRules)
        perform(operation, process)
    }

    private func perform(_ operation: Operation, _ process: SimulatedProcess) {
        world.begin { [self] in
            do {
                let outcome = try await process.perform(operation)
                // What a dead process answers nobody hears.
                guard process.life.isAlive else { return }
                world.trace.note("\(operation.server) \(operation.number) \(outcome.text)")
                if let room = outcome.newRoom { rooms.append(room) }
                if let event = outcome.event, let room = outcome.room {
                    acknowledged.append(Acknowledgement(room: room, event: event, server: operation.server))
                }
            } catch {
                if process.life.isAlive { problem = problem ?? error }
            }
        }
    }

    private func breakSomething() {
        if generator.chance(scenario.partitions) { cut() }
        guard generator.chance(scenario.crashes), let server = generator.pick(world.servers), server.process != nil
        else { return }
        server.trap = .init(commitsLeft: generator.below(12), isAfterCommit: generator.chance(0.5))
    }

    /// Cuts some servers off from the others, in one direction or both.
    private func cut() {
        let names = world.servers.map(\.name)
        let apart = Set(names.filter { _ in generator.chance(0.4) })
        let isOneSided = generator.chance(0.3)
        var links: Set<SimulatedNetwork.Link> = []
        for from in names {
            for to in names where from != to && apart.contains(from) != apart.contains(to) {
                if isOneSided, apart.contains(from) { continue }
                links.insert(.init(from: from, to: to))
            }
        }
        guard !links.isEmpty else { return }
        let duration = generator.within(scenario.partitionMilliseconds)
        world.network.cuts.formUnion(links)
        world.trace.note("cut off: \(apart.sorted())\(isOneSided ? " from hearing others" : "") for \(duration) ms")
        world.time.after(milliseconds: duration) { [world] in
            world.network.cuts.subtract(links)
            world.trace.note("no longer cut off: \(apart.sorted())")
        }
    }

    // MARK: Ending

    /// How long everything is given to come to rest, in milliseconds: longer than a server that was unreachable is left alone.
    private static let restMilliseconds: Int64 = 3 * 3_600_000

    /// Mends everything, lets it come to rest and checks.
    private func end() throws -> [String] {
        world.trace.note("everything is mended")
        world.network.weather = .fine
        world.network.cuts = []
        for server in world.servers {
            server.trap = nil
            world.restart(server)
        }
        try rest()
        var problems = try checks { $0.checkAtRest(acknowledged) }
        if !problems.isEmpty { return problems }
        try comeBack()
        try sayLastWords()
        problems = try checks {
            $0.checkAtRest(acknowledged)
            $0.checkConvergence()
        }
        if !problems.isEmpty { return problems }
        try readHistory()
        return try checks { $0.checkAtRest(acknowledged) }
    }

    private func rest() throws {
        try world.settle()
        let end = world.time.now + Self.restMilliseconds
        while try world.step(until: end) {}
        world.time.advance(to: end)
        if let problem { throw problem }
        for server in world.servers {
            guard let process = server.process else { throw SimulationProblem("\(server.name) is down") }
            let (inbox, waiting) = try world.wait {
                try await process.store.read { (try $0.inbox.rooms(), try $0.destinations.waiting()) }
            }
            if !inbox.isEmpty { throw SimulationProblem("\(server.name) has not looked at all that came") }
            let owed = waiting.filter { $0.queuedThrough > $0.sentThrough }.map(\.server)
            if !owed.isEmpty { throw SimulationProblem("\(server.name) has not sent all that it owes \(owed)") }
        }
    }

    private func checks(_ body: (inout RoomChecks) -> Void) throws -> [String] {
        var problems: [String] = []
        eventCount = 0
        for room in rooms {
            var copies: [RoomCopy] = []
            for server in world.servers {
                guard let process = server.process else { continue }
                if let copy = try world.wait({ try await process.copy(of: room.id) }) { copies.append(copy) }
            }
            var checks = RoomChecks(room, copies, entries: world.network.entries[room.id] ?? [:])
            body(&checks)
            problems += checks.problems
            eventCount += copies.map(\.events.count).max() ?? 0
        }
        return problems
    }

    /// Users whose join was let in without their server hearing of it try again.
    private func comeBack() throws {
        for room in rooms {
            var inside: [(ServerName, Set<UserID>)] = []
            for server in world.servers {
                guard let process = server.process, let copy = try world.wait({ try await process.copy(of: room.id) }),
                    copy.isInside
                else { continue }
                inside.append((server.name, Set(copy.memberships.filter { $0.value.membership == .join }.map(\.key))))
            }
            let names = inside.map(\.0)
            for user in Set(inside.flatMap(\.1)).sorted() where !names.contains(user.server) {
                guard let process = world.server(user.server)?.process else { continue }
                world.trace.note("\(user) comes back to \(room.label)")
                world.begin { [world] in
                    do {
                        try await process.rooms.join(room.id, via: names, by: try await process.requester(user))
                    } catch {
                        world.trace.note("\(user) could not come back: \(error)")
                    }
                }
                try rest()
            }
        }
    }

    /// Somebody of each server says something, one after the other: of those who can the one who is in the room for most servers.
    ///
    /// Of somebody whose join others have let pass as coming too late they let pass nothing, until somebody else says something after it.
    private func sayLastWords() throws {
        for room in rooms {
            for server in world.servers {
                let copies = try world.servers.compactMap(\.process).compactMap { process in
                    try world.wait { try await process.copy(of: room.id) }
                }.filter(\.isInside)
                guard let process = server.process, let own = copies.first(where: { $0.server == server.name }) else {
                    continue
                }
                let users = server.users.filter { own.memberships[$0]?.membership == .join }.sorted { left, right in
                    let seen = [left, right].map { user in
                        copies.count { $0.memberships[user]?.membership == .join }
                    }
                    return seen[0] > seen[1]
                }
                let trace = world.trace
                try world.wait {
                    for user in users {
                        let content: JSONValue = ["msgtype": "m.text", "body": "the last word"]
                        do {
                            let event = try await process.rooms.send(
                                .message, content: content.json, transactionID: nil, to: room.id,
                                by: try await process.requester(user))
                            return trace.note("\(user) has the last word in \(room.label) = \(event.short)")
                        } catch let error as MatrixError {
                            trace.note("\(user) has no last word in \(room.label): \(error.message)")
                        }
                    }
                }
                try rest()
            }
        }
    }

    /// Somebody of each server reads all there is.
    private func readHistory() throws {
        for room in rooms {
            for server in world.servers {
                guard let process = server.process, let copy = try world.wait({ try await process.copy(of: room.id) }),
                    copy.isInside,
                    let user = server.users.first(where: { copy.memberships[$0]?.membership == .join })
                else { continue }
                world.begin { [world] in
                    do {
                        _ = try await process.rooms.messages(
                            room.id, from: nil, to: nil, backward: true, limit: 1_000, filter: .all,
                            by: try await process.requester(user))
                    } catch {
                        world.trace.note("\(user) cannot read history: \(error)")
                    }
                }
                try rest()
            }
        }
    }
}
