import Matrix
import RoomEngine
import Store

extension RoomService {
    // MARK: Closing

    /// Closes a room, known here or not: nobody of this server enters it or says anything in it any more, and nobody enters through this
    /// server. Who is there may leave. Or opens it again.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - actor: Who closes it; `nil` to open it.
    ///   - alongside: What else is done in the same transaction, before.
    public func setBlocked(
        _ room: RoomID, by actor: String?, alongside: @escaping @Sendable (StoreWriter) throws -> Void
    ) async throws {
        let lane = try await store.number(of: room).map { self.lane($0) }
        let now = services.clock.now
        try await store.write { writer in
            try alongside(writer)
            try writer.rooms.setBlocked(room, by: actor, now: now)
            writer.sql.onCommit { lane?.invalidate() }
        }
    }

    /// Accepts a room that this server is not in as one that may be entered.
    ///
    /// - Throws: 403 `M_FORBIDDEN`; 503 while what this server had of the room is being removed.
    func checkOpen(_ room: RoomID) async throws {
        let (isClosed, isGoing) = try await store.read { reader in
            (try reader.rooms.blocker(of: room) != nil, try reader.roomPurges.purge(of: room) != nil)
        }
        if isClosed { throw MatrixError.roomIsClosed }
        if isGoing {
            throw MatrixError.unavailable("This server is removing what it had of this room: try again later")
        }
    }

    /// Forgets where a room stands that has been removed.
    func forgetLane(_ room: RoomNumber) {
        lanes.withLock { $0.removeValue(forKey: room) }?.invalidate()
    }

    // MARK: Entering

    /// Puts a user into a room.
    ///
    /// - Parameters:
    ///   - user: The user.
    ///   - room: The room.
    ///   - via: Servers that may be in it.
    ///   - inviter: Who invites them first if not everybody may join; nobody if `nil`.
    /// - Throws: What inviting and joining throw.
    public func enter(_ user: Requester, _ room: RoomID, via: [ServerName], invitedBy inviter: Requester?) async throws
    {
        if let number = try await store.number(of: room), try await participates(in: number) {
            let view = try await view(number)
            let membership = try await view.membership(of: user.id)
            if membership == .join { return }
            if let inviter, membership != .invite, try await view.joinRule != .public {
                try await invite(user.id, to: room, by: inviter, reason: nil)
            }
        }
        try await join(room, via: via, by: user)
    }

    // MARK: Power

    /// Gives somebody as much power in a room as a user of this server has who may give it, and invites them if they are not there and
    /// cannot come by themselves.
    ///
    /// - Parameters:
    ///   - user: Who is to have the power.
    ///   - room: The room.
    ///   - alongside: What else is done in the transaction that stores the new power levels, before.
    /// - Throws: 400 if no user of this server may change the room's power levels.
    public func makeAdministrator(
        _ user: UserID, of room: RoomID, alongside: @escaping @Sendable (StoreWriter) throws -> Void
    ) async throws {
        let number = try await number(of: room)
        guard try await participates(in: number) else { throw Self.nobodyHasPower }
        try await awaitCompletion(of: number)
        let giver = try await giver(of: try await view(number))
        _ = try await submit(
            number,
            { [self] view in
                // They may have changed meanwhile.
                let giver = try await self.giver(of: view)
                return [try await Self.promotion(of: user, by: giver, in: view)]
            }, alongside: { writer, _ in try alongside(writer) })
        let view = try await view(number)
        switch try await view.membership(of: user) {
        case .join, .invite: return
        default: break
        }
        if try await view.joinRule == .public { return }
        guard let giverNumber = try await store.number(of: giver) else { throw Self.nobodyHasPower }
        try await invite(user, to: room, by: Requester(id: giver, number: giverNumber), reason: nil)
    }

    /// The user of this server with the most power in a room, if it is enough to give it to others.
    private func giver(of view: RoomView) async throws -> UserID {
        guard let levels = view.powerLevels else { throw Self.nobodyHasPower }
        let named = levels.content.map { $0.users.keys.compactMap { UserID($0.string) } } ?? []
        let candidates = levels.creation.privilegedCreators + named + [levels.creation.event.sender]
        var best: UserID?
        for candidate in candidates where candidate.isLocal(to: serverName) {
            guard levels.may(candidate, send: .powerLevels, isState: true),
                best.map({ levels.level(of: candidate) > levels.level(of: $0) }) ?? true,
                try await view.membership(of: candidate) == .join
            else { continue }
            best = candidate
        }
        guard let best else { throw Self.nobodyHasPower }
        return best
    }

    private static func promotion(of user: UserID, by giver: UserID, in view: RoomView) async throws -> EventDraft {
        guard let levels = view.powerLevels else { throw nobodyHasPower }
        var content = try await view.event(StateKey(.powerLevels))?.event.content.value ?? [:]
        // Creators whom nobody can take anything from have all there is, and may not be named.
        if !levels.creation.privilegedCreators.contains(user) {
            var level: Int64 = 100
            if case .level(let known) = levels.level(of: giver) { level = known }
            var users = content["users"] ?? [:]
            if view.powerLevels?.content == nil, !view.head.version.privilegedCreators {
                // Whoever made the room has had power without being named.
                users[giver.string] = .integer(level)
            }
            users[user.string] = .integer(level)
            content["users"] = users
        }
        return EventDraft(sender: giver, state: .powerLevels, content: content)
    }

    private static let nobodyHasPower = MatrixError(
        400, .unknown, "No user of this server may change the power levels of this room")
}

extension RoomView {
    /// Who may join.
    fileprivate var joinRule: JoinRule? {
        get async throws {
            try await event(StateKey(.joinRules))?.event.content["join_rule"]?.string.flatMap { JoinRule(name: $0) }
        }
    }
}
