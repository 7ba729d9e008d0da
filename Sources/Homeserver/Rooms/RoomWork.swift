import Matrix
import RoomEngine
import Store

/// An event that has been decided on but is not stored yet.
struct PlannedEvent: Sendable {
    let number: EventNumber
    let event: Event
    let sender: UserNumber
    let stateKey: StateKeyNumber?
    let status: EventStatus
    /// Where clients see it.
    let timeline: Timeline
    /// Whether it was not made here and now: others may have named or redacted it before it came.
    let isFromElsewhere: Bool
    /// The event whose place in the state before it it takes.
    let replaces: EventNumber?
    let transaction: EventTransaction?
    /// What is redacted with it: what it redacts, or itself, in redacted form, and by which event.
    var redactions: [PlannedRedaction] = []
    /// What it redacts, if that is an event that this server does not have.
    var redactsUnknown: EventID?
    /// Events before it that this server does not have.
    var missingPrevEvents: [EventID] = []
    let receivedTimestamp: Int64
    /// The state after it.
    let stateAfter: WorkingState.Place
    /// The room's current state after it, if that is another.
    var roomState: WorkingState.Place?
    /// How it reaches other servers, if not simply by its sender's server.
    var relay: EventRelay?
    /// The state that it points to already, if it has been stored before as one that failed softly.
    var revives: StateNumber?
    /// Whose membership of the room changed with it.
    var memberships: [PlannedMembership] = []

    enum Timeline: Sendable {
        /// At the end of it.
        case end
        /// Before its beginning: history.
        case history
        /// Nowhere: it has been rejected or has failed softly.
        case none
    }
}

/// A redaction that is stored with a batch.
struct PlannedRedaction: Sendable {
    let target: StoredEvent
    let redacted: Event
    let by: EventNumber
}

/// A user's membership in the room's current state has become another.
struct PlannedMembership: Sendable {
    let user: UserNumber
    /// `nil`: the state says nothing about the user any more.
    let membership: Membership?
    let event: EventNumber?
}

/// A room on which a batch is being decided. A value: what one request of the batch has begun and is refused goes with the copy.
struct RoomWork: Sendable {
    var head: RoomHead
    /// What the batch stores, in order.
    var planned: [PlannedEvent] = []
    /// The states that the batch makes.
    var states: [PlannedState] = []
    /// Events whose states the batch replaces.
    var restated: [RestatedEvent] = []
    /// What the room says about how long its messages are kept, if that has become another; `nil` in it: nothing.
    var retention: RoomRetention??
    /// Whose membership changes with these.
    var resetMemberships: [PlannedMembership] = []
    var pending: [EventNumber: StoredEvent] = [:]
    var numbersByID: [EventID: EventNumber] = [:]
    var placesAfter: [EventNumber: WorkingState.Place] = [:]
    var transactions: [EventTransaction: EventID] = [:]
    /// With whose join this server comes in with this batch, if it does so before it knows all memberships.
    var entering: UserID?
    let services: RoomWriterServices

    init(head: RoomHead, services: RoomWriterServices) {
        self.head = head
        self.services = services
    }

    /// Whether this server is in the room, or is making it.
    var isInside: Bool { head.count == 0 || head.localCount > 0 }

    var view: RoomView { RoomView(head: head, store: services.store, pending: pending) }
    var current: WorkingState { WorkingState(place: head.place, map: head.state) }

    // MARK: Looking up

    func load(_ number: EventNumber) async throws -> StoredEvent? {
        if let event = pending[number] { return event }
        return try await services.store.event(number)
    }

    func load(_ ids: [EventID]) async throws -> [EventID: StoredEvent] {
        var found: [EventID: StoredEvent] = [:]
        var rest: [EventID] = []
        for id in ids {
            if let number = numbersByID[id], let event = pending[number] { found[id] = event } else { rest.append(id) }
        }
        if !rest.isEmpty { found.merge(try await services.store.events(rest)) { known, _ in known } }
        // The identifier alone does not say that an event is of this room.
        return found.filter { $0.value.room == head.number }
    }

    /// A state with the events of `keys`, as the authorization rules ask for it.
    ///
    /// - Parameters:
    ///   - authEvents: Where not all memberships of the room are known, those that an event itself names fill the gaps.
    ///   - isPartial: Whether they are not, although the store does not say so yet.
    func authState(
        _ state: WorkingState, _ keys: [StateKey], filledBy authEvents: some Sequence<StoredEvent> = [],
        isPartial: Bool = false
    ) async throws -> LaneAuthState {
        var events: [StateKey: StoredEvent] = [:]
        for key in keys {
            guard let number = try await services.store.number(of: key), let event = state.map[number] else { continue }
            events[key] = try await load(event)
        }
        if isPartial || services.store.partialJoin(of: head.number) != nil {
            for event in authEvents where event.event.type == .member && event.status != .rejected {
                guard let key = event.event.state, keys.contains(key), events[key] == nil else { continue }
                events[key] = event
            }
        }
        var creation = head.creation
        if creation == nil, let create = try await stateEvent(StateKey(.create), in: state) {
            creation = RoomCreation(create.event)
        }
        var levels: PowerLevelContent?
        if let key = try await services.store.number(of: StateKey(.powerLevels)), let number = state.map[key] {
            levels = number == head.powerLevels?.event ? head.powerLevels?.content : nil
            if levels == nil { levels = try await load(number).map { PowerLevelContent($0.event) } }
        }
        return LaneAuthState(events: events, creation: creation, powerLevelContent: levels)
    }

    func stateEvent(_ key: StateKey, in state: WorkingState) async throws -> StoredEvent? {
        guard let number = try await services.store.number(of: key), let event = state.map[number] else { return nil }
        return try await load(event)
    }

    // MARK: Placing

    /// What is known of an event beside itself when it gets its place.
    struct Placing {
        var status = EventStatus.accepted
        var timeline = PlannedEvent.Timeline.end
        var isFromElsewhere = false
        /// Whether another event is known to follow it.
        var isNamed = false
        /// Events that it is known to follow beside those that it names.
        var ancestors: Set<EventID> = []
        var transaction: EventTransaction?
        var receivedTimestamp: Int64
        var missingPrevEvents: [EventID] = []
        var relay: EventRelay?
    }

    /// Gives an event that has been decided on its place in the graph and, if it is accepted, in the room.
    mutating func place(
        _ event: Event, as number: EventNumber, before: WorkingState, _ placing: Placing
    ) async throws -> StoredEvent {
        let store = services.store
        let sender = try await store.intern(event.sender)
        var stateKey: StateKeyNumber?
        var after = before
        if let key = event.state {
            let keyNumber = try await store.intern([key])[0]
            stateKey = keyNumber
            if placing.status != .rejected {
                var map = before.map
                map[keyNumber] = number
                after = plan(PlannedState(base: before.place, changes: [keyNumber: number], map: map))
            }
        }
        if head.id == nil { head.id = event.roomID }
        placesAfter[number] = after.place
        var planned = PlannedEvent(
            number: number, event: event, sender: sender, stateKey: stateKey, status: placing.status,
            timeline: placing.timeline, isFromElsewhere: placing.isFromElsewhere,
            replaces: stateKey.flatMap { before.map[$0] },
            transaction: placing.transaction, missingPrevEvents: placing.missingPrevEvents,
            receivedTimestamp: placing.receivedTimestamp, stateAfter: after.place, relay: placing.relay
        )
        try await planRedactions(&planned, before: before)
        let stored = planned.stored(room: head.number, position: nil, state: nil, roomState: nil)
        pending[number] = stored
        numbersByID[event.eventID] = number
        switch placing.timeline {
        case .end: try await advance(&planned, after, before: before, placing)
        case .history: try await closeEnds(&planned)
        case .none: break
        }
        self.planned.append(planned)
        return stored
    }

    mutating func plan(_ state: PlannedState) -> WorkingState {
        states.append(state)
        return WorkingState(place: .planned(states.count - 1), map: state.map)
    }

    /// Moves the head past an event that has been accepted.
    private mutating func advance(
        _ planned: inout PlannedEvent, _ after: WorkingState, before: WorkingState, _ placing: Placing
    ) async throws {
        let event = planned.event
        let followed = placing.ancestors.union(event.prevEvents)
        let isLinear =
            !placing.isNamed && before.place == head.place && head.extremities.allSatisfy { followed.contains($0.id) }
        head.extremities.removeAll { followed.contains($0.id) }
        if !placing.isNamed || head.extremities.isEmpty {
            head.extremities.append(.init(number: planned.number, id: event.eventID, depth: event.depth))
        }
        if isLinear {
            let changes = planned.stateKey.map { [$0: Optional(planned.number)] } ?? [:]
            planned.memberships = try await setCurrent(after, changes: changes)
            return
        }
        let resolved = try await resolveEnds(&planned)
        if resolved.place != after.place { planned.roomState = resolved.place }
    }

    /// What an event of the past follows is of the past too: it may have counted as an end as long as the event was missing.
    private mutating func closeEnds(_ planned: inout PlannedEvent) async throws {
        let rest = head.extremities.filter { !planned.event.prevEvents.contains($0.id) }
        guard rest.count < head.extremities.count, !rest.isEmpty else { return }
        head.extremities = rest
        _ = try await resolveEnds(&planned)
    }

    /// Makes the state where the ends meet the current one.
    private mutating func resolveEnds(_ planned: inout PlannedEvent) async throws -> WorkingState {
        var branches: [WorkingState] = []
        for extremity in head.extremities { branches.append(try await stateAfter(extremity.number)) }
        let resolved = try await resolve(branches)
        let changes = resolved.place == head.place ? [:] : head.state.changes(to: resolved.map)
        planned.memberships = try await setCurrent(resolved, changes: changes)
        return resolved
    }

    private static let retentionKey = StateKey("m.room.retention")

    /// Makes a state the current one.
    ///
    /// - Returns: Whose membership is another now.
    mutating func setCurrent(
        _ state: WorkingState, changes: [StateKeyNumber: EventNumber?]
    ) async throws -> [PlannedMembership] {
        var memberships: [PlannedMembership] = []
        for (keyNumber, event) in changes {
            let key = try await services.store.stateKey(keyNumber)
            let stored = try await event.asyncMap { try await load($0) } ?? nil
            if key == StateKey(.create) { head.creation = stored.map { RoomCreation($0.event) } }
            if key == StateKey(.powerLevels) {
                head.powerLevels = stored.map { ($0.number, PowerLevelContent($0.event)) }
            }
            if key == Self.retentionKey { retention = .some(stored.flatMap { RoomRetention($0.event.content) }) }
            guard key.type == .member, let user = UserID(key.key.string) else { continue }
            let old = try await head.state[keyNumber].asyncMap { try await load($0) } ?? nil
            let membership = stored.flatMap { Membership(of: $0.event) }
            count(user, old.flatMap { Membership(of: $0.event) }, membership)
            memberships.append(
                PlannedMembership(
                    user: try await services.store.intern(user), membership: membership,
                    event: membership == nil ? nil : event
                ))
        }
        head.state = state.map
        head.place = state.place
        return memberships
    }

    /// Counts anew who is joined and invited: what this server knew of the room while it was not in it does not count.
    mutating func recount() async throws {
        head.joinedCount = 0
        head.localCount = 0
        head.invitedCount = 0
        for event in try await view.allEvents() where event.event.type == .member {
            guard let user = event.event.stateKey.flatMap({ UserID($0.string) }) else { continue }
            count(user, nil, Membership(of: event.event))
        }
    }

    private mutating func count(_ user: UserID, _ old: Membership?, _ new: Membership?) {
        let joined = (new == .join ? 1 : 0) - (old == .join ? 1 : 0)
        head.joinedCount += joined
        if user.isLocal(to: services.serverName) { head.localCount += joined }
        head.invitedCount += (new == .invite ? 1 : 0) - (old == .invite ? 1 : 0)
    }

    // MARK: Redactions

    /// What an event redacts, and what redacts it.
    private func planRedactions(_ planned: inout PlannedEvent, before: WorkingState) async throws {
        guard planned.status == .accepted else { return }
        if let target = planned.event.redacts {
            if let found = try await load([target])[target] {
                if found.redactedBy == nil, try await mayRedact(planned.event, found.event, before) {
                    planned.redactions.append(
                        PlannedRedaction(target: found, redacted: try found.event.redacted(), by: planned.number))
                }
            } else {
                planned.redactsUnknown = target
            }
        }
        // What came before the event it redacts.
        guard planned.isFromElsewhere else { return }
        let id = planned.event.eventID
        for number in try await services.store.read({ try $0.graph.pendingRedactions(of: id) }) {
            guard let redaction = try await load(number), redaction.status == .accepted,
                redaction.room == head.number, try await mayRedact(redaction.event, planned.event, before)
            else { continue }
            let stored = planned.stored(room: head.number, position: nil, state: nil, roomState: nil)
            planned.redactions.append(
                PlannedRedaction(target: stored, redacted: try planned.event.redacted(), by: number))
            break
        }
    }

    /// Whether a redaction takes effect. Before room version 3 the authorization rules have seen to it.
    ///
    /// [Handling redactions](https://spec.matrix.org/v1.19/rooms/v3/#handling-redactions)
    private func mayRedact(_ redaction: Event, _ target: Event, _ state: WorkingState) async throws -> Bool {
        if head.version.redactionAuthRule || redaction.sender.server == target.sender.server { return true }
        let authState = try await authState(state, [])
        guard let creation = authState.creation else { return false }
        let levels = PowerLevels(authState.powerLevelContent, creation: creation)
        return levels.level(of: redaction.sender) >= levels.redact
    }
}

extension PlannedEvent {
    func stored(
        room: RoomNumber, position: StreamPosition?, state: StateNumber?, roomState: StateNumber?
    ) -> StoredEvent {
        StoredEvent(
            number: number, event: event, room: room, sender: sender, stateKey: stateKey, position: position,
            state: state, roomState: roomState, replaces: replaces, redactedBy: nil, status: status,
            receivedTimestamp: receivedTimestamp, transaction: transaction
        )
    }
}
