import Matrix
import RoomEngine
import Store

/// An event whose state has become another, because the state that it was built on has been completed.
struct RestatedEvent: Sendable {
    let event: StoredEvent
    let stateAfter: WorkingState.Place
    let replaces: EventNumber?
    /// Whether that state turns out not to allow it.
    let isRejected: Bool
}

extension RoomWork {
    /// Puts the whole state before this server's coming in the place of the part that was known, and works out anew what was built
    /// on it, and whether that is allowed.
    ///
    /// - Parameters:
    ///   - join: The event with which this server came in.
    ///   - map: The whole state before it.
    ///   - later: What has been added to the graph since, in no particular order.
    mutating func complete(_ join: StoredEvent, stateBefore map: StateMap, later: [StoredEvent]) async throws {
        let before = plan(PlannedState(base: head.place, changes: head.state.changes(to: map), map: map))
        restate(join, on: before, isRejected: false)
        var refused: [EventID: StoredEvent] = [:]
        var byID: [EventID: StoredEvent] = [:]
        for event in later where event.number != join.number { byID[event.event.eventID] = event }
        for next in EventOrder.timeline(byID.values.map(\.event)) {
            guard let event = byID[next.eventID] else { continue }
            let prevEvents = try await load(next.prevEvents)
            // Where something before it is missing, its state has been given by another server, and is whole.
            guard next.prevEvents.allSatisfy({ prevEvents[$0]?.isInGraph == true }) else { continue }
            var branches: [WorkingState] = []
            for event in prevEvents.values { branches.append(try await stateAfter(event.number)) }
            let before = try await resolve(branches)
            let isRefused = try await isRefused(event, on: before, refused)
            if isRefused { refused[next.eventID] = event }
            restate(event, on: before, isRejected: isRefused)
        }
        if !refused.isEmpty { try await replaceEnds(refused, among: Array(byID.values) + [join]) }
        var ends: [WorkingState] = []
        for extremity in head.extremities { ends.append(try await stateAfter(extremity.number)) }
        let resolved = try await resolve(ends)
        resetMemberships = try await setCurrent(resolved, changes: head.state.changes(to: resolved.map))
    }

    /// Whether an event that was let in is not allowed by the state before it, now that all of that is known.
    private func isRefused(
        _ event: StoredEvent, on before: WorkingState, _ refused: [EventID: StoredEvent]
    ) async throws -> Bool {
        // What has been redacted may not say any more what it was allowed for.
        guard event.status == .accepted || event.status == .softFailed, event.redactedBy == nil else { return false }
        let authEvents = try await load(EventOrder.authEvents(of: event.event))
        let verdict = Admission.verdict(
            on: event.event,
            known: { id in refused[id].map { KnownEvent.rejected($0.event) } ?? authEvents[id]?.asKnown },
            stateBefore: try await authState(before, Authorization.requiredKeys(for: event.event)), currentState: nil)
        guard case .rejected = verdict else { return false }
        services.logger.notice(
            "an event is not allowed by the whole state", metadata: ["event": "\(event.event.eventID)"])
        return true
    }

    /// What comes before ends that are refused takes their place, if nothing else follows it.
    private mutating func replaceEnds(_ refused: [EventID: StoredEvent], among later: [StoredEvent]) async throws {
        var followed: Set<EventID> = []
        for event in later where event.status == .accepted && refused[event.event.eventID] == nil {
            followed.formUnion(event.event.prevEvents)
        }
        var open = head.extremities.compactMap { refused[$0.id] }
        var ends = head.extremities.filter { refused[$0.id] == nil }
        var seen = Set(ends.map(\.id))
        while let event = open.popLast() {
            for (id, before) in try await load(event.event.prevEvents)
            where !followed.contains(id) && seen.insert(id).inserted {
                if before.status != .accepted || refused[id] != nil {
                    open.append(before)
                } else if before.isInGraph {
                    ends.append(.init(number: before.number, id: id, depth: before.event.depth))
                }
            }
        }
        head.extremities = ends.sorted { $0.number < $1.number }
    }

    private mutating func restate(_ event: StoredEvent, on before: WorkingState, isRejected: Bool) {
        var after = before
        if let key = event.stateKey, event.status != .rejected, !isRejected {
            var map = before.map
            map[key] = event.number
            after = plan(PlannedState(base: before.place, changes: [key: event.number], map: map))
        }
        placesAfter[event.number] = after.place
        restated.append(
            RestatedEvent(
                event: event, stateAfter: after.place, replaces: event.stateKey.flatMap { before.map[$0] },
                isRejected: isRejected))
    }
}
