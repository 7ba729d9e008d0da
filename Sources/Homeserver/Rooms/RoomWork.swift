import Matrix
import RoomEngine
import Store

/// An event that has been decided but is not stored yet.
struct PlannedEvent: Sendable {
    let number: EventNumber
    let event: Event
    let sender: UserNumber
    let stateKey: StateKeyNumber?
    /// The user whose membership it sets, and to what.
    let member: (user: UserNumber, membership: Membership)?
    let replaces: EventNumber?
    let transaction: EventTransaction?
    /// What it redacts, in its redacted form.
    let redaction: (target: StoredEvent, redacted: Event)?
    let receivedTimestamp: Int64
    /// The state after it; equal to the one before for message events.
    let stateAfter: StateMap
}

/// What became of one request: its events in order, and where the room stands after them.
struct RoomPlan: Sendable {
    var events: [PlannedEvent]
    var results: [SentEvent]
    var headAfter: RoomHead
    var headBefore: RoomHead
}

/// A room on which a batch is being decided.
struct RoomWork {
    private var head: RoomHead
    private var pending: [EventNumber: StoredEvent] = [:]
    private var transactions: [EventTransaction: EventID] = [:]
    private let services: RoomWriterServices

    init(head: RoomHead, services: RoomWriterServices) {
        self.head = head
        self.services = services
    }

    var view: RoomView { RoomView(head: head, store: services.store, pending: pending) }

    /// Builds, signs and authorizes the drafts one on top of the other.
    mutating func plan(_ drafts: [EventDraft]) async throws -> RoomPlan {
        let before = head
        var plan = RoomPlan(events: [], results: [], headAfter: head, headBefore: before)
        for draft in drafts {
            if let transaction = draft.transaction, let known = transactions[transaction] {
                plan.results.append(SentEvent(id: known, event: nil))
                continue
            }
            if let same = try await unchanged(draft) {
                plan.results.append(SentEvent(id: same.event.eventID, event: same))
                continue
            }
            let planned = try await build(draft)
            if let transaction = draft.transaction { transactions[transaction] = planned.event.eventID }
            let stored = planned.stored(room: head.number, position: nil, state: nil)
            plan.events.append(planned)
            plan.results.append(SentEvent(id: planned.event.eventID, event: stored))
        }
        plan.headAfter = head
        return plan
    }

    /// The current event, if the draft is a state event of the same sender that would change nothing.
    private func unchanged(_ draft: EventDraft) async throws -> StoredEvent? {
        guard let stateKey = draft.stateKey, draft.transaction == nil else { return nil }
        guard let current = try await view.event(StateKey(draft.type, stateKey.string)) else { return nil }
        guard current.event.sender == draft.sender, current.redactedBy == nil,
            CanonicalJSON.text(of: current.event.content) == CanonicalJSON.text(of: draft.content)
        else { return nil }
        return current
    }

    private mutating func build(_ draft: EventDraft) async throws -> PlannedEvent {
        let version = head.version
        let keys = Authorization.requiredKeys(
            type: draft.type, stateKey: draft.stateKey, sender: draft.sender, content: draft.content, version: version
        )
        let authState = try await view.authState(keys)
        let authEvents = keys.compactMap { authState.events[$0]?.event.eventID }
        let now = services.clock.now
        let builder = EventBuilder(
            version: version, roomID: draft.type == .create && version.roomIDIsCreateHash ? nil : head.id,
            type: draft.type,
            stateKey: draft.stateKey, sender: draft.sender, content: draft.content,
            originServerTS: draft.timestamp ?? now, depth: head.nextDepth, prevEvents: head.prevEvents.map(\.id),
            authEvents: authEvents, redacts: draft.redacts, origin: services.serverName,
            eventIDToken: version.eventIDFormat == .chosenByServer ? services.randomness.text(18) : nil
        )
        let event = try EventBuilding.build(builder, services: services, hashesOf: try await predecessors(authState))
        if case .failure(let rejection) = Authorization.check(event, against: authState) {
            throw MatrixError(rejection)
        }
        if version.stateResolution != .v1 || draft.type == .redaction { try await checkRedaction(draft) }
        return try await apply(event, draft, now)
    }

    /// In room versions 1 and 2 events name their predecessors with their hashes.
    private func predecessors(_ authState: LaneAuthState) async throws -> [Event] {
        guard head.version.eventFormat == .v1 else { return [] }
        var events = authState.events.values.map(\.event)
        for extremity in head.prevEvents {
            if let event = try await load(extremity.number) { events.append(event.event) }
        }
        return events
    }

    private func load(_ number: EventNumber) async throws -> StoredEvent? {
        if let event = pending[number] { return event }
        return try await services.store.event(number)
    }

    /// Since room version 3 the rules let every redaction in and leave it to servers whether they act on it; ours does not make
    /// one that nobody would act on.
    private func checkRedaction(_ draft: EventDraft) async throws {
        guard draft.type == .redaction, let target = draft.redacts, let creation = head.creation else { return }
        guard let event = try await services.store.event(target), event.room == head.number else { return }
        let levels = PowerLevels(head.powerLevels?.content, creation: creation)
        if event.event.sender != draft.sender, levels.level(of: draft.sender) < levels.redact {
            throw MatrixError.forbidden("You may not redact this event")
        }
    }

    private mutating func apply(_ event: Event, _ draft: EventDraft, _ now: Int64) async throws -> PlannedEvent {
        let store = services.store
        let number = try await services.eventNumbers.next()
        let sender = try await store.intern(draft.sender)
        var replaces: EventNumber?
        var stateKeyNumber: StateKeyNumber?
        var member: (user: UserNumber, membership: Membership)?
        if let key = event.state {
            let keyNumber = try await store.intern([key])[0]
            stateKeyNumber = keyNumber
            replaces = head.state[keyNumber]
            if key.type == .member, let user = UserID(key.key.string), let membership = Membership(of: event) {
                member = (try await store.intern(user), membership)
                try await count(replaces, membership)
            }
            head.state[keyNumber] = number
            if key == StateKey(.create) { head.creation = RoomCreation(event) }
            if key == StateKey(.powerLevels) { head.powerLevels = (number, PowerLevelContent(event)) }
        }
        if head.id == nil { head.id = event.roomID }
        var redaction: (target: StoredEvent, redacted: Event)?
        if let target = event.redacts, let found = try await store.event(target), found.room == head.number,
            found.redactedBy == nil
        {
            redaction = (found, try found.event.redacted())
        }
        let planned = PlannedEvent(
            number: number, event: event, sender: sender, stateKey: stateKeyNumber, member: member, replaces: replaces,
            transaction: draft.transaction, redaction: redaction, receivedTimestamp: now, stateAfter: head.state
        )
        pending[number] = planned.stored(room: head.number, position: nil, state: nil)
        let used = Set(head.prevEvents.map(\.number))
        head.extremities.removeAll { used.contains($0.number) }
        head.extremities.append(.init(number: number, id: event.eventID, depth: event.depth))
        return planned
    }

    private mutating func count(_ replaces: EventNumber?, _ membership: Membership) async throws {
        var old: Membership?
        if let replaces { old = try await load(replaces).flatMap { Membership(of: $0.event) } }
        if old == .join { head.joinedCount -= 1 }
        if old == .invite { head.invitedCount -= 1 }
        if membership == .join { head.joinedCount += 1 }
        if membership == .invite { head.invitedCount += 1 }
    }
}

extension PlannedEvent {
    func stored(room: RoomNumber, position: StreamPosition?, state: StateNumber?) -> StoredEvent {
        StoredEvent(
            number: number, event: event, room: room, sender: sender, stateKey: stateKey, position: position,
            state: state,
            replaces: replaces, redactedBy: nil, status: .accepted, receivedTimestamp: receivedTimestamp,
            transaction: transaction
        )
    }
}

/// Building events with errors that clients understand.
enum EventBuilding {
    static func build(_ builder: EventBuilder, services: RoomWriterServices, hashesOf predecessors: [Event]) throws
        -> Event
    {
        var builder = builder
        for event in predecessors { builder.referenceHashes[event.eventID] = event.referenceHash() }
        do {
            return try builder.build(serverName: services.serverName, signer: services.signingKey)
        } catch {
            throw MatrixError(error)
        }
    }
}
