import Matrix
import RoomEngine
import Testing

/// Rooms grown at random, in which branches keep forking and meeting. Seeds make every failure repeatable.
@Suite struct ResolutionPropertyTests {
    /// An event of a grown room, by names.
    struct Grown {
        let name: String
        let type: EventType
        let sender: String
        let key: String?
        let content: JSONValue
        let auth: [String]
        let prev: [String]
        let ts: Int64
    }

    static let users = [Who.alice, Who.bob, Who.carol, Who.dave]

    /// Something that someone might do.
    static func action(_ random: inout SeededRandom, _ graph: EventGraph) -> (EventType, String, String?, JSONValue) {
        let sender = users.randomElement(using: &random) ?? Who.alice
        let target = users.randomElement(using: &random) ?? Who.bob
        switch Int.random(in: 0..<12, using: &random) {
        case 0...2: return (.topic, sender, "", ["topic": .integer(.random(in: 0..<1000, using: &random))])
        case 3, 4:
            return (
                .member, sender, sender,
                ["membership": "join", "displayname": .integer(.random(in: 0..<9, using: &random))]
            )
        case 5: return (.member, sender, target, ["membership": "ban"])
        case 6: return (.member, sender, target, ["membership": "leave"])
        case 7: return (.member, sender, target, ["membership": "invite"])
        case 8:
            let rule = ["public", "invite"].randomElement(using: &random) ?? "public"
            return (.joinRules, sender, "", ["join_rule": .string(rule)])
        case 9, 10:
            var levels: JSONValue = graph.users([:])
            for user in users.dropFirst() where Bool.random(using: &random) {
                levels[user] = .integer([10, 50, 60].randomElement(using: &random) ?? 0)
            }
            return (.powerLevels, sender, "", ["users": levels])
        default: return (.message, sender, nil, [:])
        }
    }

    /// Grows a room event by event; each follows up to three others and is allowed by the state before it.
    static func grow(_ version: RoomVersion, seed: UInt64, count: Int) -> [Grown] {
        var random = SeededRandom(seed: seed)
        let graph = EventGraph.base(version)
        var after: [String: StateMap] = ["base": graph.state(EventGraph.baseNames)]
        var grown: [Grown] = []
        for attempt in 0..<(count * 6) where grown.count < count {
            let recent = ["base"] + grown.suffix(8).map(\.name)
            let prev = Array(
                Set(
                    (0..<Int.random(in: 1...3, using: &random)).map { _ in
                        recent.randomElement(using: &random) ?? "base"
                    })
            ).sorted()
            let (type, sender, key, content) = action(&random, graph)
            guard
                case .resolved(let before) = StateResolver.resolve(
                    prev.compactMap { after[$0] }, version: version, source: graph),
                let user = UserID(sender)
            else {
                Issue.record("cannot resolve \(prev)")
                return grown
            }
            let keys = Authorization.requiredKeys(
                type: type, stateKey: key.map { ExactString($0) }, sender: user, content: content.json, version: version
            )
            let auth = keys.compactMap { graph.number(of: $0).flatMap { before[$0] } }
            let ts = Int64(100 + attempt + Int.random(in: -20...20, using: &random))
            let trial = graph.room.event("trial", type, by: sender, key: key, content, at: ts)
            let state = EventListState(
                before.values.compactMap { graph.event($0) }, creation: graph.creation)
            guard case .success = Authorization.check(trial, against: state) else { continue }
            let event = Grown(
                name: "e\(grown.count)", type: type, sender: sender, key: key, content: content,
                auth: auth.map(graph.name).filter { $0 != "create" }, prev: prev, ts: ts)
            add(event, to: graph, &after, before)
            grown.append(event)
        }
        return grown
    }

    static func add(_ event: Grown, to graph: EventGraph, _ after: inout [String: StateMap], _ before: StateMap) {
        let number = graph.add(
            event.name, event.type, by: event.sender, key: event.key, event.content, auth: event.auth, at: event.ts)
        var state = before
        if let key = graph.events[number]?.state, let keyNumber = graph.number(of: key) { state[keyNumber] = number }
        after[event.name] = state
    }

    /// Lets the events arrive in a random order, each after those it refers to, under random numbers.
    static func replay(_ grown: [Grown], _ version: RoomVersion, seed: UInt64) -> Set<String> {
        var random = SeededRandom(seed: seed)
        let mask = Int64.random(in: 0..<(1 << 20), using: &random)
        let graph = EventGraph.base(version, numbering: { $0 ^ mask })
        var after: [String: StateMap] = ["base": graph.state(EventGraph.baseNames)]
        var waiting = grown.shuffled(using: &random)
        var here = Set(EventGraph.baseNames + ["base"])
        while let index = waiting.firstIndex(where: { here.isSuperset(of: $0.prev) && here.isSuperset(of: $0.auth) }) {
            let event = waiting.remove(at: index)
            let states = event.prev.compactMap { after[$0] }.shuffled(using: &random)
            guard case .resolved(let before) = StateResolver.resolve(states, version: version, source: graph) else {
                Issue.record("cannot resolve before \(event.name)")
                return []
            }
            add(event, to: graph, &after, before)
            here.insert(event.name)
        }
        #expect(waiting.isEmpty)
        let followed = Set(grown.flatMap(\.prev))
        let ends = grown.map(\.name).filter { !followed.contains($0) }.compactMap { after[$0] }
        guard
            case .resolved(let state) = StateResolver.resolve(
                ends.shuffled(using: &random), version: version, source: graph)
        else {
            Issue.record("cannot resolve in the end")
            return []
        }
        expectSound(state, of: ends, graph)
        return graph.names(state)
    }

    /// What all agree on stays; everything else passes authorization by what the event itself lists.
    static func expectSound(_ state: StateMap, of states: [StateMap], _ graph: EventGraph) {
        for (key, number) in states.first ?? [:] where states.allSatisfy({ $0[key] == number }) {
            #expect(state[key] == number)
        }
        for (key, number) in state {
            guard let event = graph.event(number) else { continue }
            #expect(event.state.flatMap { graph.number(of: $0) } == key)
            let auth = (graph.authEvents(of: number) ?? []).compactMap { graph.event($0) }
            #expect(rejection(event, EventListState(auth, creation: graph.creation)) == nil)
        }
        #expect(graph.number(of: StateKey(.create)).flatMap { state[$0] } != nil)
    }

    @Test(arguments: [RoomVersion.v1, .v2, .v6, .v11, .v12], 0..<4)
    func arrivalOrderDoesNotMatter(version: RoomVersion, seed: Int) {
        let grown = Self.grow(version, seed: UInt64(seed), count: 40)
        #expect(grown.count == 40, "seed \(seed)")
        let expected = Self.replay(grown, version, seed: 1)
        for order in 2..<5 {
            #expect(Self.replay(grown, version, seed: UInt64(order)) == expected, "seed \(seed), order \(order)")
        }
    }

    /// The work grows with the conflict, not with its square: looked at through the look-ups it takes.
    @Test(arguments: [RoomVersion.v1, .v6, .v12])
    func workGrowsLinearly(version: RoomVersion) {
        func lookups(_ count: Int) -> Int {
            let graph = EventGraph.base(version)
            var sides: [[String]] = [[], []]
            var levels = "levels"
            for index in 0..<count {
                let user = "@u\(index):one.example"
                if index % 20 == 0 {
                    // A long line of power levels, so that the mainline is long too.
                    graph.add(
                        "p\(index)", .powerLevels, by: Who.alice,
                        ["users": graph.users([Who.bob: .integer(Int64(index % 50))])], auth: ["alice", levels],
                        at: Int64(10 + index))
                    levels = "p\(index)"
                }
                graph.add(
                    "j\(index)", .member, by: user, key: user, ["membership": "join"], auth: [levels, "rules"],
                    at: Int64(10 + index))
                sides[index % 2].append("j\(index)")
            }
            let common = ["create", "alice", "rules", "bob", "carol"]
            let result = graph.resolve(common + ["levels"] + sides[0], common + [levels] + sides[1])
            #expect(result.count == common.count + 1 + count)
            return graph.lookups
        }
        let (small, large) = (lookups(200), lookups(800))
        #expect(large <= small * 5, "\(small) look-ups for 200, \(large) for 800")
    }
}

extension EventGraph {
    /// The room's creation.
    var creation: RoomCreation? { events.values.first { $0.type == .create }.map(RoomCreation.init) }
}
