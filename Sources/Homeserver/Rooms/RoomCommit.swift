import Matrix
import Store

/// What became of one request: which of the batch's events are its.
struct RoomPlan: Sendable {
    /// Its events, by their place in the batch.
    let events: Range<Int>
}

/// Writes what a lane has decided, in one transaction.
struct RoomCommit {
    /// The requests of the batch.
    let plans: [RoomPlan]
    /// The head that was decided on.
    let before: RoomHead
    /// What was decided.
    let work: RoomWork

    /// Writes the batch's events and moves the room's head.
    ///
    /// - Returns: The head as stored.
    /// - Throws: ``KnownTransaction``, `StoreError.headMoved`.
    func write(_ writer: StoreWriter) throws -> RoomHead {
        var head = work.head
        guard !work.planned.isEmpty || !work.restated.isEmpty else { return before }
        try checkTransactions(writer)
        if before.count == 0, let id = head.id {
            try writer.rooms.insert(head.number, id, version: head.version)
        }
        var states = StateCommit(room: head.number, states: work.states, known: before.chain)
        try writeRestated(&head, &states, writer)
        try writeEvents(&head, &states, writer)
        if let retention = work.retention { try writer.retention.set(retention, of: head.number) }

        let current = try states.chain(of: head.place, writer)
        if let current { states.uses[current.number, default: 0] += 1 }
        // The room itself points to its current state.
        if let old = before.chain { states.uses[old.number, default: 0] -= 1 }
        for (state, count) in states.uses where count != 0 { try writer.states.retain(state, count: count) }

        let old = Set(before.extremities.map(\.number))
        let new = Set(head.extremities.map(\.number))
        try writer.rooms.setForwardExtremities(
            head.number, removing: Array(old.subtracting(new)), adding: Array(new.subtracting(old))
        )
        try writer.rooms.advance(head.number, from: before.count, state: current?.number, position: head.position)
        head.chain = current
        head.place = current.map { .stored($0.number) } ?? .none
        head.count = before.count + 1
        return head
    }

    private func writeEvents(_ head: inout RoomHead, _ states: inout StateCommit, _ writer: StoreWriter) throws {
        let atEnd = work.planned.filter { $0.timeline == .end }
        let entries = atEnd.count + work.planned.count { !$0.otherMemberships.isEmpty }
        var history = try writer.events.reserveHistory(work.planned.count { $0.timeline == .history }).makeIterator()
        var written: [EventNumber: StoredEvent] = [:]
        var position = entries > 0 ? try writer.journal.reserve(entries) : head.position
        for planned in work.planned {
            let state = try states.chain(of: planned.stateAfter, writer)
            let roomState = try planned.roomState.flatMap { try states.chain(of: $0, writer) }
            if let state { states.uses[state.number, default: 0] += 1 }
            if let roomState { states.uses[roomState.number, default: 0] += 1 }
            if let old = planned.revives { states.uses[old, default: 0] -= 1 }
            let place: StreamPosition? =
                switch planned.timeline {
                case .end: position
                case .history: history.next()
                case .none: nil
                }
            let stored = planned.stored(
                room: head.number, position: place, state: state?.number, roomState: roomState?.number
            )
            try writer.events.insert(stored)
            if place != nil {
                try writer.expiringEvents.note(stored)
                try writer.relations.note(stored)
            }
            if planned.timeline != .history { try writer.stickyEvents.note(stored) }
            if stored.status == .softFailed, stored.event.stickyMilliseconds != nil {
                let (failures, room) = (work.services.stickyFailures, head.number)
                writer.sql.onCommit { failures.tell(room) }
            }
            // The journal announces all others.
            if planned.timeline == .history { try writer.search.addBacklog(stored) }
            written[planned.number] = stored
            if planned.isFromElsewhere {
                try writer.graph.removeBackwardExtremity(planned.event.eventID, of: head.number)
                try writer.graph.addBackwardExtremities(planned.missingPrevEvents, of: head.number)
            }
            switch planned.relay {
            case .onBehalf(let server): try writer.relays.add(planned.number, origin: server)
            case .handedOver: try writer.relays.handOver(planned.number)
            case nil: break
            }
            for change in planned.memberships { try write(change, in: head.number, at: position, writer) }
            for redaction in planned.redactions {
                // Of the same batch the target is known as it has just been stored.
                let target = written[redaction.target.number] ?? redaction.target
                try writer.events.redact(target, to: redaction.redacted, by: redaction.by)
            }
            if let unknown = planned.redactsUnknown {
                try writer.graph.addPendingRedaction(of: unknown, by: planned.number)
            }
            if planned.timeline == .end {
                try writer.journal.append(.event(stored, subject: planned.subject?.user), at: position)
                head.position = position
                position = StreamPosition(position.rawValue + 1)
            }
            if !planned.otherMemberships.isEmpty {
                try writer.journal.append(
                    .memberships(head.number, of: planned.otherMemberships.map(\.user)), at: position)
                head.position = position
                position = StreamPosition(position.rawValue + 1)
            }
        }
    }

    /// Gives events other states, where what was not known of the room is known now.
    private func writeRestated(_ head: inout RoomHead, _ states: inout StateCommit, _ writer: StoreWriter) throws {
        guard !work.restated.isEmpty else { return }
        for restated in work.restated {
            guard let state = try states.chain(of: restated.stateAfter, writer) else { continue }
            let event = restated.event
            // What clients have been told so far stays what the room's state was then: so they are told the rest.
            let told = event.position == nil || restated.isRejected ? nil : event.timelineState
            states.uses[state.number, default: 0] += 1
            if let told { states.uses[told, default: 0] += 1 }
            if let old = event.state { states.uses[old, default: 0] -= 1 }
            if let old = event.roomState { states.uses[old, default: 0] -= 1 }
            try writer.events.restate(
                event, state: state.number, roomState: told, replaces: restated.replaces,
                isRejected: restated.isRejected)
        }
        let position = try writer.journal.reserve(1)
        for change in work.resetMemberships { try write(change, in: head.number, at: position, writer) }
        try writer.journal.append(.memberships(head.number, of: work.resetMemberships.map(\.user)), at: position)
        head.position = position
    }

    private func write(
        _ change: PlannedMembership, in room: RoomNumber, at position: StreamPosition, _ writer: StoreWriter
    ) throws {
        if let membership = change.membership, let event = change.event {
            try writer.memberships.set(membership, of: change.user, in: room, event: event, position: position)
        } else {
            try writer.memberships.remove(of: change.user, in: room)
        }
    }

    /// A client that did not hear of our answer sends again: what it sent is then there already.
    private func checkTransactions(_ writer: StoreWriter) throws {
        for (index, plan) in plans.enumerated() {
            for event in work.planned[plan.events] {
                guard let transaction = event.transaction else { continue }
                let known = try writer.read.events.event(
                    sender: event.sender, room: work.head.number, transaction: transaction
                )
                if let known { throw KnownTransaction(index: index, event: known) }
            }
        }
    }
}

/// Stores the states of a batch, each when something first points to it.
private struct StateCommit {
    let room: RoomNumber
    let states: [PlannedState]
    private var chains: [Int: StateChain] = [:]
    private var stored: [StateNumber: StateChain] = [:]
    /// How many more records point to a state.
    var uses: [StateNumber: Int] = [:]

    init(room: RoomNumber, states: [PlannedState], known: StateChain?) {
        self.room = room
        self.states = states
        if let known { stored[known.number] = known }
    }

    mutating func chain(of place: WorkingState.Place, _ writer: StoreWriter) throws -> StateChain? {
        switch place {
        case .none: return nil
        case .stored(let number):
            if let chain = stored[number] { return chain }
            let chain = try writer.read.states.chain(number)
            stored[number] = chain
            return chain
        case .planned(let index):
            if let chain = chains[index] { return chain }
            let state = states[index]
            let chain: StateChain
            if let base = try self.chain(of: state.base, writer) {
                chain = try writer.states.insert(room: room, after: base, changes: state.changes, map: state.map)
            } else {
                chain = try writer.states.insertFirst(room: room, state.map)
            }
            chains[index] = chain
            return chain
        }
    }
}

extension PlannedEvent {
    /// The change of membership that the event itself is.
    var subject: PlannedMembership? { memberships.first { $0.event == number } }
    /// The changes of membership that came about with it otherwise.
    var otherMemberships: [PlannedMembership] { memberships.filter { $0.event != number } }
}
