import Matrix
import Store

/// Writes what a lane has decided, in one transaction.
struct RoomCommit {
    let plans: [RoomPlan]
    let final: RoomHead

    /// Writes the plans' events and moves the room's head.
    ///
    /// - Returns: The head as stored.
    /// - Throws: ``KnownTransaction``, `StoreError.headMoved`.
    func write(_ writer: StoreWriter) throws -> RoomHead {
        guard let first = plans.first else { return final }
        var head = final
        let before = first.headBefore
        let events = plans.flatMap(\.events)
        guard !events.isEmpty else { return final }
        try checkTransactions(writer)
        if before.count == 0, let id = head.id { try writer.rooms.insert(head.number, id, version: head.version) }

        var chain = before.chain
        var position = try writer.journal.reserve(events.count)
        var uses: [StateNumber: Int] = [:]
        for planned in events {
            if let key = planned.stateKey {
                if let previous = chain {
                    chain = try writer.states.insert(
                        room: head.number, after: previous, changes: [key: planned.number], map: planned.stateAfter
                    )
                } else {
                    chain = try writer.states.insertFirst(room: head.number, planned.stateAfter)
                }
            }
            if let chain { uses[chain.number, default: 0] += 1 }
            let stored = planned.stored(room: head.number, position: position, state: chain?.number)
            try writer.events.insert(stored)
            try writer.expiringEvents.note(stored)
            if let member = planned.member {
                try writer.memberships.set(
                    member.membership, of: member.user, in: head.number, event: planned.number, position: position
                )
            }
            if let redaction = planned.redaction {
                try writer.events.redact(redaction.target, to: redaction.redacted, by: planned.number)
            }
            try writer.journal.append(.event(stored, subject: planned.member?.user), at: position)
            head.position = position
            position = StreamPosition(position.rawValue + 1)
        }
        if let chain {
            // The room itself points to its current state.
            uses[chain.number, default: 0] += 1
            if let old = before.chain { uses[old.number, default: 0] -= 1 }
        }
        for (state, count) in uses where count != 0 { try writer.states.retain(state, count: count) }

        let old = Set(before.extremities.map(\.number))
        let new = Set(head.extremities.map(\.number))
        try writer.rooms.setForwardExtremities(
            head.number, removing: Array(old.subtracting(new)), adding: Array(new.subtracting(old))
        )
        try writer.rooms.advance(head.number, from: before.count, state: chain?.number, position: head.position)
        head.chain = chain
        head.count = before.count + 1
        return head
    }

    /// A client that did not hear of our answer sends again: what it sent is then there already.
    private func checkTransactions(_ writer: StoreWriter) throws {
        for (index, plan) in plans.enumerated() {
            for event in plan.events {
                guard let transaction = event.transaction else { continue }
                let known = try writer.read.events.event(
                    sender: event.sender, room: final.number, transaction: transaction
                )
                if let known { throw KnownTransaction(index: index, event: known) }
            }
        }
    }
}
