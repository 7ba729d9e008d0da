import Matrix
import RoomEngine
import Store

extension RoomWork {
    /// The state after an event of the graph.
    func stateAfter(_ number: EventNumber) async throws -> WorkingState {
        if let place = placesAfter[number] { return try await state(at: place) }
        guard let event = try await load(number), let state = event.state else {
            throw StoreError.inconsistent("event \(number) is to be built on and has no state")
        }
        return WorkingState(place: .stored(state), map: try await services.store.state(state))
    }

    func state(at place: WorkingState.Place) async throws -> WorkingState {
        switch place {
        case .none: .empty
        case .planned(let index): WorkingState(place: place, map: states[index].map)
        case .stored(let number): WorkingState(place: place, map: try await services.store.state(number))
        }
    }

    /// Settles which state holds where branches meet.
    mutating func resolve(_ branches: [WorkingState]) async throws -> WorkingState {
        var distinct: [WorkingState] = []
        for branch in branches where !distinct.contains(where: { $0.place == branch.place || $0.map == branch.map }) {
            distinct.append(branch)
        }
        guard let first = distinct.first else { return .empty }
        guard distinct.count > 1 else { return first }
        let map = try await resolved(distinct.map(\.map))
        if let same = distinct.first(where: { $0.map == map }) { return same }
        if head.state == map { return current }
        let base = distinct.first { $0.place == head.place } ?? first
        return plan(PlannedState(base: base.place, changes: base.map.changes(to: map), map: map))
    }

    private func resolved(_ maps: [StateMap]) async throws -> StateMap {
        var source = LoadedEvents()
        for key in [StateKey(.create), StateKey(.powerLevels)] {
            source.keys[key] = try await services.store.number(of: key)
        }
        // What is missing is loaded with its whole chain at a time, so that a few rounds do.
        for _ in 0..<100 {
            switch StateResolver.resolve(maps, version: head.version, source: source) {
            case .resolved(let map): return map
            case .needs(let missing): try await source.load(missing, work: self)
            }
        }
        throw StoreError.inconsistent("room \(head.number): the state cannot be resolved")
    }
}

/// Events with what they are allowed by, held ready for state resolution.
private struct LoadedEvents: ResolutionSource {
    var events: [EventNumber: StoredEvent] = [:]
    var authEvents: [EventNumber: [EventNumber]] = [:]
    var keys: [StateKey: StateKeyNumber] = [:]

    /// Loads events and their auth chains.
    mutating func load(_ numbers: [EventNumber], work: RoomWork) async throws {
        var open: [StoredEvent] = []
        var rest: [EventNumber] = []
        for number in numbers {
            if let event = work.pending[number] { open.append(event) } else { rest.append(number) }
        }
        let stored = try await work.services.store.events(rest)
        for number in rest where stored[number] == nil {
            throw StoreError.inconsistent("event \(number) is part of a state and does not exist")
        }
        open += stored.values
        while !open.isEmpty {
            for event in open {
                events[event.number] = event
                if let key = event.event.state, let number = event.stateKey { keys[key] = number }
            }
            let found = try await work.load(Array(Set(open.flatMap(\.event.authEvents))))
            for event in open {
                authEvents[event.number] = event.event.authEvents.compactMap { found[$0]?.number }
            }
            open = found.values.filter { events[$0.number] == nil }
        }
    }

    func event(_ number: EventNumber) -> Event? { events[number]?.event }
    func authEvents(of number: EventNumber) -> [EventNumber]? { authEvents[number] }
    func number(of key: StateKey) -> StateKeyNumber? { keys[key] }
    func isRejected(_ number: EventNumber) -> Bool { events[number]?.status == .rejected }
}
