import Matrix
import RoomEngine
import Store

extension RoomService {
    /// Invites a user of another server: that server signs the invite before it becomes part of the room.
    ///
    /// [Inviting to a room](https://spec.matrix.org/v1.19/server-server-api/#inviting-to-a-room)
    ///
    /// - Returns: The event.
    @discardableResult
    func inviteRemotely(_ target: UserID, _ draft: EventDraft, to room: RoomNumber) async throws -> EventID {
        let federation = try requireFederation()
        let lane = lane(room)
        guard let head = try await lane.head() else { throw MatrixError.notFound("There is no such room") }
        if head.isBlocked { throw MatrixError.roomIsClosed }
        let view = RoomView(head: head, store: store)
        if try await view.membership(of: target) == .ban {
            throw MatrixError.forbidden("This person is banned from the room")
        }
        let event = try await RoomWork(head: head, services: services).build(draft)
        if store.shadowBannedUsers.contains(draft.sender) { return event.eventID }
        let stripped = try await invitationState(view, inviter: draft.sender)
        let signed: [UInt8]
        do {
            signed = try await federation.remote.sendInvite(event, strippedState: stripped, at: target.server)
        } catch {
            throw error.isDefinite
                ? MatrixError(error)
                : MatrixError.notFound("\(target.server) could not be reached: \(error.message)")
        }
        let answer = await federation.checker.check(texts: [signed], version: head.version, room: event.roomID).first
        if case .failure(.malformed(let error)) = answer {
            // Of no use to try again: not a failure of the way there.
            throw MatrixError.badJSON("\(target.server) answered with a malformed event: \(error)")
        }
        guard case .success(let invite) = answer, invite.eventID == event.eventID,
            !invite.keyIDs(of: target.server).isEmpty
        else { throw MatrixError(502, .unknown, "\(target.server) did not sign the invite") }
        let arrival = Arrival(event: invite, receivedTimestamp: services.clock.now, isMadeHere: true)
        guard case .decided(_, .accepted) = try await lane.perform({ try await $0.admit(arrival) }) else {
            throw MatrixError.forbidden("The room has changed meanwhile: the invite is not allowed any more")
        }
        return event.eventID
    }

    /// What an invited user of another server is told of the room: whole events, so that they can be checked.
    ///
    /// [MSC4311](https://github.com/matrix-org/matrix-spec-proposals/pull/4311)
    private func invitationState(_ view: RoomView, inviter: UserID) async throws -> [[UInt8]] {
        var texts: [[UInt8]] = []
        for key in Self.strippedKeys + [.member(inviter)] {
            if let event = try await view.event(key) { texts.append(event.event.bytes) }
        }
        return texts
    }

    /// [Stripped state](https://spec.matrix.org/v1.19/client-server-api/#stripped-state)
    static let strippedKeys: [StateKey] = [
        StateKey(.create), StateKey(.joinRules), StateKey(.canonicalAlias), StateKey(.avatar), StateKey(.name),
        StateKey(.encryption), StateKey(.topic),
    ]

    /// Takes an invitation of a user of this server from another server.
    ///
    /// [PUT /invite](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid)
    ///
    /// - Parameters:
    ///   - json: The invite.
    ///   - id: Its identifier, as the request's path gives it; `nil` if what stands there is none.
    ///   - room: The room, and its version as the other server gives it.
    ///   - strippedState: What the user is told of the room: whole or stripped events.
    ///   - origin: The other server.
    /// - Returns: The invite with this server's signature.
    /// - Throws: 400 for what is no such event; 403 `M_FORBIDDEN` if it is not signed or invites nobody of this server; 403
    ///   `M_INVITE_BLOCKED` if the user does not want it.
    public func takeInvite(
        _ json: JSON, id: EventID?, in room: RoomID, version: RoomVersion, strippedState: [JSON],
        from origin: ServerName
    ) async throws -> Event {
        let federation = try requireFederation()
        let parsed: Event
        do { parsed = try Event(json, version: version) } catch { throw MatrixError(error) }
        guard parsed.eventID == id, parsed.roomID == room else {
            throw MatrixError.invalidParameter("The path and the event do not name the same event of the same room")
        }
        try await checkOpen(room)
        guard parsed.sender.server == origin else {
            throw MatrixError.forbidden("The sender is no user of \(origin)")
        }
        if let number = try await store.number(of: room), try await participates(in: number) {
            try await checkACL(origin, in: number)
        }
        switch await federation.checker.check(parsed) {
        case .success(let event):
            return try await receive(invite: event, strippedState: strippedState.map { Array($0.bytes) })
        case .failure(let flaw): throw MatrixError.forbidden("The event's signatures are not in order: \(flaw)")
        }
    }

    /// Takes the end of an invitation to a room that this server is not in, or of a knock: somebody in the room has withdrawn or
    /// refused it.
    ///
    /// The room's rules cannot be asked: it has to be enough that the event is signed and names what it ends among the events that
    /// allow it.
    ///
    /// - Parameter event: The event, its signatures checked.
    /// - Returns: Whether it is that.
    public func takeWithdrawal(_ event: Event) async throws -> Bool {
        guard let membership = Membership(of: event), membership == .leave || membership == .ban,
            let target = event.stateKey.flatMap({ UserID($0.string) }), target.isLocal(to: serverName),
            let user = try await store.number(of: target), let room = try await store.number(of: event.roomID),
            let record = try await store.read({ try $0.memberships.membership(of: user, in: room) }),
            record.membership == .invite || record.membership == .knock,
            let current = try await store.event(record.event), event.authEvents.contains(current.event.eventID)
        else { return false }
        try await keepOutside(event, of: user, stripped: nil)
        return true
    }

    private func receive(invite event: Event, strippedState: [[UInt8]]) async throws -> Event {
        guard event.membership == "invite",
            let target = event.stateKey.flatMap({ UserID($0.string) }), target.isLocal(to: serverName)
        else { throw MatrixError.forbidden("This is no invitation of a user of this server") }
        let account = try await store.read { try $0.accounts.account(target) }
        if account?.flags.contains(.deactivated) == true { throw MatrixError.forbidden("There is no such user here") }
        try await invitePermissions.check(inviteOf: target, by: event.sender)
        let signed: Event
        do { signed = try event.signed(by: serverName, key: services.signingKey) } catch { throw MatrixError(error) }
        // Whoever invites is not told whether there is such a user: the invitation is nobody's then.
        guard let account else { return signed }
        // In a room that this server is in, the invite arrives like every other event.
        if let number = try await store.number(of: event.roomID), try await participates(in: number) { return signed }
        try await keepOutside(signed, of: account.user, stripped: Self.strippedState(strippedState))
        return signed
    }
}
