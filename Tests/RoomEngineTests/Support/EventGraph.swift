import Matrix
import RoomEngine
import Testing

/// Events of one room, named by a test, as state resolution looks them up.
final class EventGraph: ResolutionSource {
    let room: RoomFixture
    private(set) var events: [EventNumber: Event] = [:]
    private(set) var rejected: Set<EventNumber> = []
    private var auth: [EventNumber: [EventNumber]] = [:]
    private var numbers: [String: EventNumber] = [:]
    private var names: [EventNumber: String] = [:]
    private var keys: [StateKey: StateKeyNumber] = [:]
    private let numbering: (Int64) -> Int64
    /// How often `auth_events` have been asked for.
    private(set) var lookups = 0
    /// Events that have not arrived yet.
    var absent: Set<String> = []
    /// The auth difference, where a test gives it.
    var difference: Set<EventNumber>?

    /// - Parameter numbering: Turns 0, 1, 2 … into the numbers of events and keys, each another.
    init(_ version: RoomVersion, numbering: @escaping (Int64) -> Int64 = { $0 }) {
        room = RoomFixture(version)
        self.numbering = numbering
    }

    var version: RoomVersion { room.version }

    /// Adds an event. The creation event is part of `auth` where the version demands it.
    @discardableResult
    func add(
        _ name: String, _ type: EventType, by sender: String, key: String? = "", _ content: JSONValue = [:],
        auth authNames: [String] = [], prev: [String] = ["p"], at ts: Int64, depth: Int64? = nil, rejected: Bool = false
    ) -> EventNumber {
        let ids = prev.map { name in
            numbers[name].flatMap { events[$0] }.map { String($0.eventID.string.dropFirst()) } ?? name
        }
        var content = content
        if type == .create, !version.implicitCreator { content["creator"] = .string(sender) }
        let event = room.event(
            name, type, by: sender, key: key, content, prev: type == .create ? [] : ids, at: ts, depth: depth ?? ts
        )
        let number = EventNumber(numbering(Int64(events.count)))
        events[number] = event
        numbers[name] = number
        names[number] = name
        if let state = event.state, keys[state] == nil { keys[state] = StateKeyNumber(numbering(Int64(keys.count))) }
        var authNumbers = authNames.compactMap { numbers[$0] }
        if version.createInAuthEvents, type != .create, let create = numbers["create"] { authNumbers.append(create) }
        auth[number] = authNumbers
        if rejected { self.rejected.insert(number) }
        return number
    }

    /// A state of these events.
    func state(_ names: [String]) -> StateMap {
        var state: StateMap = [:]
        for name in names {
            guard let number = numbers[name], let key = events[number]?.state, let keyNumber = keys[key] else {
                Issue.record("no state event \(name)")
                continue
            }
            state[keyNumber] = number
        }
        return state
    }

    func name(_ number: EventNumber) -> String { names[number] ?? "?" }
    func names(_ state: StateMap) -> Set<String> { Set(state.values.map(name)) }

    /// The names of what a resolution ends in.
    func resolve(_ states: [String]..., sourceLocation: SourceLocation = #_sourceLocation) -> Set<String> {
        switch StateResolver.resolve(states.map(state), version: version, source: self) {
        case .resolved(let state):
            for (key, number) in state {
                #expect(events[number]?.state.flatMap { keys[$0] } == key, sourceLocation: sourceLocation)
            }
            return names(state)
        case .needs(let numbers):
            Issue.record("needs \(numbers.map(name))", sourceLocation: sourceLocation)
            return []
        }
    }

    func event(_ number: EventNumber) -> Event? { absent.contains(name(number)) ? nil : events[number] }
    func authEvents(of number: EventNumber) -> [EventNumber]? {
        lookups += 1
        return absent.contains(name(number)) ? nil : auth[number]
    }
    func number(of key: StateKey) -> StateKeyNumber? { keys[key] }
    func authDifference(of states: [StateMap]) -> Set<EventNumber>? { difference }
    func isRejected(_ number: EventNumber) -> Bool { rejected.contains(number) }
}

extension EventGraph {
    /// The names of the events that ``base(_:)`` adds.
    static let baseNames = ["create", "alice", "levels", "rules", "bob", "carol"]

    /// A public room of Alice, its creator, Bob (50) and Carol (0).
    static func base(_ version: RoomVersion, numbering: @escaping (Int64) -> Int64 = { $0 }) -> EventGraph {
        let graph = EventGraph(version, numbering: numbering)
        graph.add("create", .create, by: Who.alice, at: 1)
        graph.add(
            "alice", .member, by: Who.alice, key: Who.alice, ["membership": "join"], prev: ["create"], at: 2)
        graph.add(
            "levels", .powerLevels, by: Who.alice, ["users": graph.users([Who.bob: 50])], auth: ["alice"], at: 3)
        graph.add("rules", .joinRules, by: Who.alice, ["join_rule": "public"], auth: ["alice", "levels"], at: 4)
        for (name, user, ts) in [("bob", Who.bob, 5), ("carol", Who.carol, 6)] as [(String, String, Int64)] {
            graph.add(
                name, .member, by: user, key: user, ["membership": "join"], auth: ["levels", "rules"], at: ts)
        }
        return graph
    }

    /// The `users` of power levels that leave Alice on top.
    func users(_ users: KeyValuePairs<String, JSONValue>) -> JSONValue {
        (version.privilegedCreators ? [:] : [Who.alice: 100] as JSONValue).with(users)
    }
}

/// A small generator of pseudo-random numbers, so that a failing case can be repeated from its seed.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
