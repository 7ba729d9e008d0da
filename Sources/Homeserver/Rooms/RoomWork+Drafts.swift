import Matrix
import RoomEngine
import Store

extension RoomWork {
    /// Builds, signs and authorizes drafts one on top of the other.
    ///
    /// - Throws: `MatrixError` if one of them is not allowed; ``MembersMissing``.
    mutating func send(_ drafts: [EventDraft]) async throws -> [SentEvent] {
        guard isInside else { throw MatrixError.forbidden("You are not in this room") }
        var results: [SentEvent] = []
        for draft in drafts {
            if let transaction = draft.transaction, let known = transactions[transaction] {
                results.append(SentEvent(id: known, event: nil))
                continue
            }
            if let same = try await unchanged(draft) {
                results.append(SentEvent(id: same.event.eventID, event: same))
                continue
            }
            let event = try await build(draft)
            let number = try await services.eventNumbers.next()
            let stored = try await place(
                event, as: number, before: current,
                Placing(transaction: draft.transaction, receivedTimestamp: services.clock.now)
            )
            if let transaction = draft.transaction { transactions[transaction] = event.eventID }
            results.append(SentEvent(id: event.eventID, event: stored))
        }
        return results
    }

    /// Whether drafts are of somebody whom nobody is to hear. They may leave, and make rooms for themselves.
    func isUnheard(_ drafts: [EventDraft]) -> Bool {
        guard let sender = drafts.first?.sender, services.store.shadowBannedUsers.contains(sender), head.count > 0
        else { return false }
        return !drafts.allSatisfy { $0.isDeparture && $0.stateKey == ExactString(sender.string) }
    }

    /// Whether the room's state can be believed in what it says of a user of this server.
    ///
    /// Where not all memberships are known, a branch that somebody else builds on may still have users in the room who left it long
    /// ago. Only of the one with whose join this server came in it is known that they are there.
    private func isKnown(_ user: UserID) async throws -> Bool {
        if let entering { return entering == user }
        guard let partial = services.store.partialJoin(of: head.number) else { return true }
        return try await load(partial.event)?.event.sender == user
    }

    /// The current event, if the draft is a state event of the same sender that would change nothing.
    private func unchanged(_ draft: EventDraft) async throws -> StoredEvent? {
        guard let stateKey = draft.stateKey, draft.transaction == nil, draft.stickyMilliseconds == nil else {
            return nil
        }
        guard let same = try await view.event(StateKey(draft.type, stateKey.string)) else { return nil }
        guard same.event.sender == draft.sender, same.redactedBy == nil,
            CanonicalJSON.text(of: same.event.content) == CanonicalJSON.text(of: draft.content)
        else { return nil }
        return same
    }

    /// Builds an event on top of the room as it is, and asks the rules of the room.
    ///
    /// - Throws: `MatrixError` if it is not allowed; ``MembersMissing``.
    func build(_ draft: EventDraft) async throws -> Event {
        guard try await isKnown(draft.sender) else { throw MembersMissing() }
        try await services.callRules?.check(draft, in: view, at: services.clock.now)
        let (builder, authState) = try await builder(for: draft)
        let event = try authorize(builder, authState)
        if head.version.stateResolution != .v1 || draft.type == .redaction { try await checkRedaction(draft) }
        return event
    }

    /// Signs what has been put together, and asks the rules of the room.
    @discardableResult
    func authorize(_ builder: EventBuilder, _ authState: LaneAuthState) throws -> Event {
        let event: Event
        do {
            event = try builder.build(serverName: services.serverName, signer: services.signingKey)
        } catch {
            throw MatrixError(error)
        }
        if case .failure(let rejection) = Authorization.check(event, against: authState) {
            throw MatrixError(rejection)
        }
        return event
    }

    /// Puts an event together on top of the room as it is.
    func builder(for draft: EventDraft) async throws -> (EventBuilder, LaneAuthState) {
        let version = head.version
        let proposal = EventProposal(
            type: draft.type, stateKey: draft.stateKey, sender: draft.sender, content: draft.content
        )
        let authState = try await authState(current, proposal.requiredKeys(version: version))
        let placement = Placement(
            after: head.extremities.map { Placement.Extremity(id: $0.id, depth: $0.depth) }, version: version
        )
        var builder = proposal.builder(
            in: authState, at: placement, room: draft.type == .create && version.roomIDIsCreateHash ? nil : head.id,
            version: version, originServerTS: draft.timestamp ?? services.clock.now
        )
        builder.redacts = draft.redacts
        builder.stickyMilliseconds = draft.stickyMilliseconds
        builder.origin = services.serverName
        if version.eventIDFormat == .chosenByServer { builder.eventIDToken = services.randomness.text(18) }
        // In room versions 1 and 2 events name their predecessors with their hashes.
        if version.eventFormat == .v1 {
            for event in try await load(builder.prevEvents + builder.authEvents).values {
                builder.referenceHashes[event.event.eventID] = event.event.referenceHash()
            }
        }
        return (builder, authState)
    }

    /// Since room version 3 the rules let every redaction in and leave it to servers whether they act on it; ours does not make
    /// one that nobody would act on.
    private func checkRedaction(_ draft: EventDraft) async throws {
        guard draft.type == .redaction, let target = draft.redacts, let creation = head.creation else { return }
        guard let event = try await load([target])[target] else { return }
        let levels = PowerLevels(head.powerLevels?.content, creation: creation)
        if event.event.sender != draft.sender, levels.level(of: draft.sender) < levels.redact {
            throw MatrixError.forbidden("You may not redact this event")
        }
    }
}

/// Whether something is allowed cannot be said before all of the room's memberships are known.
struct MembersMissing: Error {}
