import Collections
import Matrix
import RoomEngine
import Store

/// A room as it must be: all its events, from all servers, decided on one after the other by the engine alone.
struct ReplayedRoom {
    struct Decision {
        let isRejected: Bool
        let stateAfter: [StateKey: EventID]
        let verdict: String
    }

    let version: RoomVersion
    private(set) var decisions: [EventID: Decision] = [:]
    /// Events that nobody can decide on, because something before them is nowhere.
    private(set) var undecided: Set<EventID> = []
    private var events: [EventID: Event]
    private var source = Source()
    private var names: [EventNumber: EventID] = [:]
    private var numbers: [EventID: EventNumber] = [:]
    private var maps: [EventID: StateMap] = [:]

    /// Decides on events.
    ///
    /// - Parameter graph: Those that are part of a server's graph; each as one server has it, unredacted where one has it so.
    init(_ graph: [EventID: Event], version: RoomVersion) {
        self.version = version
        events = graph
        for event in EventOrder.timeline(graph.values) {
            let number = EventNumber(Int64(numbers.count + 1))
            numbers[event.eventID] = number
            names[number] = event.eventID
            source.events[number] = event
            if let key = event.state, source.keys[key] == nil {
                let keyNumber = StateKeyNumber(Int64(source.keys.count + 1))
                source.keys[key] = keyNumber
                source.names[keyNumber] = key
            }
        }
        for (id, number) in numbers {
            source.authEvents[number] = (events[id]?.authEvents ?? []).compactMap { numbers[$0] }
        }
        for event in EventOrder.timeline(graph.values) { decide(on: event) }
    }

    private mutating func decide(on event: Event) {
        let id = event.eventID
        guard let number = numbers[id], event.prevEvents.allSatisfy({ maps[$0] != nil }),
            let before = resolve(event.prevEvents.compactMap { maps[$0] })
        else {
            undecided.insert(id)
            return
        }
        let state = EventListState(
            before.values.compactMap { names[$0] }.compactMap { events[$0] },
            creation: before.isEmpty ? nil : creation)
        let verdict = Admission.verdict(
            on: event,
            known: { other in
                guard let known = events[other], let decision = decisions[other] else { return nil }
                return decision.isRejected ? .rejected(known) : .accepted(known)
            }, stateBefore: state, currentState: nil)
        if case .needs = verdict {
            undecided.insert(id)
            return
        }
        let isRejected = verdict != .accepted
        var after = before
        if !isRejected, let key = event.state, let keyNumber = source.keys[key] { after[keyNumber] = number }
        if isRejected { source.rejected.insert(number) }
        maps[id] = after
        decisions[id] = Decision(isRejected: isRejected, stateAfter: named(after), verdict: "\(verdict)")
    }

    private var creation: RoomCreation? { events.values.first { $0.type == .create }.map(RoomCreation.init) }

    private func named(_ map: StateMap) -> [StateKey: EventID] {
        var named: [StateKey: EventID] = [:]
        for (key, event) in map { if let name = source.names[key] { named[name] = names[event] } }
        return named
    }

    private func resolve(_ states: [StateMap]) -> StateMap? {
        if states.isEmpty { return StateMap() }
        guard case .resolved(let map) = StateResolver.resolve(states, version: version, source: source) else {
            return nil
        }
        return map
    }

    /// The state where branches end; `nil` if one of the ends has not been decided on.
    func state(at ends: Set<EventID>) -> [StateKey: EventID]? {
        let states = ends.sorted().compactMap { maps[$0] }
        guard states.count == ends.count, let map = resolve(states) else { return nil }
        return named(map)
    }

    private struct Source: ResolutionSource {
        var events: [EventNumber: Event] = [:]
        var authEvents: [EventNumber: [EventNumber]] = [:]
        var keys: [StateKey: StateKeyNumber] = [:]
        var names: [StateKeyNumber: StateKey] = [:]
        var rejected: Set<EventNumber> = []

        func event(_ number: EventNumber) -> Event? { events[number] }
        func authEvents(of number: EventNumber) -> [EventNumber]? { authEvents[number] }
        func number(of key: StateKey) -> StateKeyNumber? { keys[key] }
        func isRejected(_ number: EventNumber) -> Bool { rejected.contains(number) }
    }
}
