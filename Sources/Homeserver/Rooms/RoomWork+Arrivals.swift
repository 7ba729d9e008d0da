import Matrix
import RoomEngine
import Store

/// An event that came from another server, ready to be decided on: its format, its signatures and its hashes are in order.
struct Arrival: Sendable {
    /// Where it goes if it is accepted.
    enum Place: Sendable {
        /// To the end of the timeline, if the room's current state allows it.
        case timeline
        /// Before the beginning of the timeline.
        case history
    }

    var event: Event
    let receivedTimestamp: Int64
    /// What its sender, if on this server, called it.
    var transaction: EventTransaction?
    /// Whether it was made here and only signed elsewhere, so that nobody knows it yet.
    var isMadeHere = false
    /// Whether the room's policy server, if it has one, recommends it.
    var isRecommended = true
    var place = Place.timeline
    /// The state before the event as another server gives it, where events before it are missing.
    var stateBefore: StateMap?
    /// How it reaches other servers, if not simply by its sender's server.
    var relay: EventRelay?
    /// Events that are known to come before it beside those that it names.
    var ancestors: Set<EventID> = []
    /// The states after events before it that are missing, as another server gives them.
    var statesAfter: [EventID: StateMap] = [:]
}

/// What has to be fetched before an event can be decided on.
struct MissingEvents: Error, Sendable {
    /// Events that it names as those before it, of which the state is not known.
    var prevEvents: [EventID] = []
    /// Events that are to allow it.
    var authEvents: [EventID] = []
}

/// What became of an event that came from another server.
enum Admitted: Sendable {
    /// It has been looked at before.
    case known(StoredEvent)
    /// It has been decided on now.
    case decided(StoredEvent, Verdict)
}

extension RoomWork {
    /// Decides on an event from another server, and gives it its place.
    ///
    /// [Checks performed on receipt of a PDU](https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu)
    ///
    /// - Throws: ``MissingEvents`` if it cannot be decided on yet; nothing has changed then.
    mutating func admit(_ arrival: Arrival) async throws -> Admitted {
        let event = arrival.event
        // Only who is in a room can let others in or out.
        if arrival.relay != nil, !isInside { throw MatrixError.notFound("This server is not in that room") }
        let known = try await load([event.eventID])[event.eventID]
        if let known, known.isInGraph || placesAfter[known.number] != nil { return .known(known) }
        let authEvents = try await load(EventOrder.authEvents(of: event))
        let before = try await stateBefore(arrival)
        let keys = Authorization.requiredKeys(for: event)
        var verdict = Admission.verdict(
            on: event, known: { authEvents[$0]?.asKnown },
            stateBefore: try await authState(before.state, keys, filledBy: authEvents.values),
            currentState: arrival.place == .timeline
                ? try await authState(current, keys, filledBy: authEvents.values) : nil
        )
        if verdict == .accepted, !arrival.isRecommended { verdict = .softFailed(.notRecommendedByPolicyServer) }
        var placing = Placing(
            isFromElsewhere: !arrival.isMadeHere, transaction: arrival.transaction,
            receivedTimestamp: arrival.receivedTimestamp, missingPrevEvents: before.missing
        )
        switch verdict {
        case .needs(let missing): throw MissingEvents(authEvents: missing)
        case .accepted: placing.timeline = arrival.place == .history ? .history : .end
        case .softFailed:
            placing.status = .softFailed
            placing.timeline = .none
        case .rejected:
            placing.status = .rejected
            placing.timeline = .none
            // Nothing follows it, and so nothing is missing.
            placing.missingPrevEvents = []
        }
        let number: EventNumber
        if let known { number = known.number } else { number = try await services.eventNumbers.next() }
        // The text stays that which it had outside of the graph: this one may be redacted, or that one.
        let kept = known?.event ?? event
        if verdict == .accepted { try await placeAccepted(arrival, &placing) }
        return .decided(try await place(kept, as: number, before: before.state, placing), verdict)
    }

    /// Where an accepted event goes, and to whom.
    private func placeAccepted(_ arrival: Arrival, _ placing: inout Placing) async throws {
        placing.relay = arrival.relay
        placing.ancestors = arrival.ancestors
        guard !arrival.isMadeHere else { return }
        // Of an event of ours that comes back the others know already.
        if placing.relay == nil, arrival.event.sender.isLocal(to: services.serverName) { placing.relay = .handedOver }
        placing.isNamed = try await isNamed(arrival.event.eventID)
        // The room has gone on from it: clients must not take an old state for the latest.
        if placing.isNamed, arrival.event.isState { placing.timeline = .history }
    }

    /// Whether an event is known to come before another.
    private func isNamed(_ id: EventID) async throws -> Bool {
        if planned.contains(where: { $0.missingPrevEvents.contains(id) }) { return true }
        let room = head.number
        return try await services.store.read { try $0.graph.isBackwardExtremity(id, of: room) }
    }

    /// The state before an event, and which of the events before it are missing.
    private mutating func stateBefore(
        _ arrival: Arrival
    ) async throws -> (state: WorkingState, missing: [EventID]) {
        let ids = arrival.event.prevEvents
        if Set(ids) == Set(head.extremities.map(\.id)) { return (current, []) }
        let prevEvents = try await load(ids)
        var states: [WorkingState] = []
        var missing: [EventID] = []
        for id in ids {
            if let event = prevEvents[id], event.isInGraph || placesAfter[event.number] != nil {
                states.append(try await stateAfter(event.number))
            } else {
                missing.append(id)
            }
        }
        if let given = arrival.stateBefore, !missing.isEmpty {
            states.append(given: given, to: &self)
        } else {
            for id in missing {
                guard let given = arrival.statesAfter[id] else { throw MissingEvents(prevEvents: missing) }
                states.append(given: given, to: &self)
            }
        }
        return (try await resolve(states), missing)
    }
}

extension [WorkingState] {
    /// Adds a state that another server has given.
    fileprivate mutating func append(given map: StateMap, to work: inout RoomWork) {
        if map == work.head.state {
            append(work.current)
        } else {
            let changes = work.head.state.changes(to: map)
            append(work.plan(PlannedState(base: work.head.place, changes: changes, map: map)))
        }
    }
}

extension RoomWork {
    /// Makes this server's coming into a room, with the state that a server in the room gives, the room's only end: what this server
    /// may know of the room from an earlier stay is history.
    ///
    /// - Parameter isPartial: Whether memberships have been left out of that state.
    /// - Throws: `MatrixError` 403 if that state does not allow it.
    mutating func enter(
        _ join: Event, stateBefore map: StateMap, isPartial: Bool, receivedTimestamp: Int64
    ) async throws -> StoredEvent {
        let known = try await load([join.eventID])[join.eventID]
        if let known, known.isInGraph { return known }
        let before = plan(PlannedState(base: head.place, changes: head.state.changes(to: map), map: map))
        let memberships = try await setCurrent(before, changes: head.state.changes(to: map))
        try await recount()
        let keys = Authorization.requiredKeys(for: join)
        // Where memberships have been left out, those that allow the join are at least among its auth events.
        let authEvents = try await load(EventOrder.authEvents(of: join)).values.filter { $0.status != .rejected }
        let authState = try await authState(before, keys, filledBy: authEvents, isPartial: isPartial)
        if case .failure(let rejection) = Authorization.check(join, against: authState) {
            throw MatrixError(rejection)
        }
        head.extremities = []
        if isPartial { entering = join.sender }
        let prevEvents = try await load(join.prevEvents)
        let missing = join.prevEvents.filter { prevEvents[$0]?.isInGraph != true }
        let number: EventNumber
        if let known { number = known.number } else { number = try await services.eventNumbers.next() }
        let stored = try await place(
            join, as: number, before: before,
            Placing(
                isFromElsewhere: true, receivedTimestamp: receivedTimestamp, missingPrevEvents: missing,
                relay: .handedOver)
        )
        // The join itself has the last word on its user, who may have been invited in that state.
        let own = Set(planned[planned.count - 1].memberships.map(\.user))
        planned[planned.count - 1].memberships += memberships.filter { !own.contains($0.user) }
        return stored
    }
}
