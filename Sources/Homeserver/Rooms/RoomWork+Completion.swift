import Matrix
import RoomEngine
import Store

/// An event whose state has become another, because the state that it was built on has been completed.
struct RestatedEvent: Sendable {
    let event: StoredEvent
    let stateAfter: WorkingState.Place
    let replaces: EventNumber?
}

extension RoomWork {
    /// Puts the whole state before this server's coming in the place of the part that was known, and works out anew what was built
    /// on it.
    ///
    /// - Parameters:
    ///   - join: The event with which this server came in.
    ///   - map: The whole state before it.
    ///   - later: What has been added to the graph since, in no particular order.
    mutating func complete(_ join: StoredEvent, stateBefore map: StateMap, later: [StoredEvent]) async throws {
        let before = plan(PlannedState(base: head.place, changes: head.state.changes(to: map), map: map))
        restate(join, on: before)
        var byID: [EventID: StoredEvent] = [:]
        for event in later where event.number != join.number { byID[event.event.eventID] = event }
        for next in EventOrder.timeline(byID.values.map(\.event)) {
            guard let event = byID[next.eventID] else { continue }
            let prevEvents = try await load(next.prevEvents)
            // Where something before it is missing, its state has been given by another server, and is whole.
            guard next.prevEvents.allSatisfy({ prevEvents[$0]?.isInGraph == true }) else { continue }
            var branches: [WorkingState] = []
            for event in prevEvents.values { branches.append(try await stateAfter(event.number)) }
            restate(event, on: try await resolve(branches))
        }
        var ends: [WorkingState] = []
        for extremity in head.extremities { ends.append(try await stateAfter(extremity.number)) }
        let resolved = try await resolve(ends)
        resetMemberships = try await setCurrent(resolved, changes: head.state.changes(to: resolved.map))
    }

    private mutating func restate(_ event: StoredEvent, on before: WorkingState) {
        var after = before
        if let key = event.stateKey, event.status != .rejected {
            var map = before.map
            map[key] = event.number
            after = plan(PlannedState(base: before.place, changes: [key: event.number], map: map))
        }
        placesAfter[event.number] = after.place
        restated.append(
            RestatedEvent(event: event, stateAfter: after.place, replaces: event.stateKey.flatMap { before.map[$0] }))
    }
}
