import Matrix
import RoomEngine
import Store

extension RoomService {
    /// Joins a room: here, if this server is in it, or else through another server.
    ///
    /// [POST /rooms/{roomId}/join](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidjoin)
    ///
    /// - Parameters:
    ///   - via: Servers that may be in the room.
    ///   - extra: Members of the event's content beside the membership, such as a reason or a signed third-party invite.
    public func join(
        _ room: RoomID, via: [ServerName] = [], by user: Requester, extra: JSONObject = [:]
    ) async throws {
        var content = try await memberContent(user.id, .join)
        for member in extra.members { content[member.name.string] = member.value }
        guard let number = try await store.number(of: room), try await participates(in: number) else {
            return try await joinRemotely(room, via: via, by: user, content: content)
        }
        do {
            try await joinLocally(room, number, by: user, content: content)
        } catch let error as MatrixError where error.code == .unableToGrantJoin && federation != nil {
            try await joinRemotely(room, via: via, by: user, content: content, isInside: true)
        } catch is NotInside {
            try await joinRemotely(room, via: via, by: user, content: content)
        }
    }

    /// Whether a room can only be entered through another server.
    public func mustBeEnteredRemotely(_ room: RoomID) async throws -> Bool {
        guard let number = try await store.number(of: room) else { return true }
        return try await !participates(in: number)
    }

    /// Joins a room that this server is in.
    ///
    /// - Throws: ``NotInside`` if it has left meanwhile.
    func joinLocally(_ room: RoomID, _ number: RoomNumber, by user: Requester, content: JSONValue) async throws {
        // They may be banned.
        try await awaitCompletion(of: number)
        let view = try await view(number)
        let alongside =
            try await view.membership(of: user.id) == .join
            ? nil : try await succession(view.head.creation?.event, of: room, for: user)
        _ = try await submit(
            number,
            { [self] view in
                guard view.head.localCount > 0 else { throw NotInside() }
                if let current = try await view.event(.member(user.id)), Membership(of: current.event) == .join {
                    // Joining again changes nothing.
                    return [Self.repeating(current)]
                }
                let content = try await authorizingJoin(content, of: user, view)
                return [EventDraft(sender: user.id, state: .member, key: user.id.string, content: content)]
            }, alongside: alongside)
    }

    /// What is stored with the join of a user who follows a room to its successor: what the user has noted about the old room, and
    /// what this server's directory says of it.
    ///
    /// - Parameters:
    ///   - creation: The creation of the new room.
    ///   - room: The new room.
    func succession(
        _ creation: Event?, of room: RoomID, for user: Requester
    ) async throws -> (@Sendable (StoreWriter, RoomNumber) throws -> Void)? {
        guard let predecessor = (creation?.content["predecessor"]?["room_id"]?.string).flatMap({ RoomID($0) }),
            predecessor != room, let old = try await store.number(of: predecessor)
        else { return nil }
        // Whoever makes a room can say that it replaces another. Only that other can say that it does.
        var isConfirmed = false
        if try await participates(in: old) {
            let tombstone = try await view(old).event(StateKey(.tombstone))?.event.content["replacement_room"]?.string
            isConfirmed = tombstone.flatMap { RoomID($0) } == room
        }
        let (aliases, isReplaced) = (aliases, isConfirmed)
        return { writer, new in
            // Only what the user has been part of.
            guard try writer.read.memberships.membership(of: user.number, in: old) != nil else { return }
            try RoomSuccession().copy(of: user.number, from: old, to: new, in: writer)
            guard isReplaced else { return }
            try aliases.move(from: old, to: new, in: writer)
            guard try writer.read.rooms.room(old)?.isPublished == true else { return }
            try writer.rooms.setPublished(new, true)
            try writer.rooms.setPublished(old, false)
        }
    }

    /// A draft that says what an event of the same sender already says, and so comes to nothing.
    static func repeating(_ event: StoredEvent) -> EventDraft {
        EventDraft(
            sender: event.event.sender, type: event.event.type, stateKey: event.event.stateKey?.string,
            content: event.event.content
        )
    }

    /// Knocks on a room.
    ///
    /// [POST /knock/{roomIdOrAlias}](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3knockroomidoralias)
    public func knock(
        on room: RoomID, via: [ServerName] = [], by user: Requester, reason: String?
    ) async throws {
        let content = try await memberContent(user.id, .knock, reason: reason)
        guard let number = try await store.number(of: room), try await participates(in: number) else {
            return try await knockRemotely(room, via: via, by: user, content: content)
        }
        try await awaitCompletion(of: number)
        _ = try await submit(number) { view in
            guard view.head.version.knocking else { throw MatrixError.forbidden("One cannot knock on this room") }
            return [EventDraft(sender: user.id, state: .member, key: user.id.string, content: content)]
        }
    }

    /// Invites a user.
    ///
    /// [POST /rooms/{roomId}/invite](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite)
    public func invite(_ target: UserID, to room: RoomID, by user: Requester, reason: String?) async throws {
        let number = try await number(of: room)
        try await awaitCompletion(of: number)
        let content = try await memberContent(target, .invite, reason: reason)
        let draft = EventDraft(sender: user.id, state: .member, key: target.string, content: content)
        if !target.isLocal(to: serverName) {
            try await inviteRemotely(target, draft, to: number)
            return
        }
        try await invitePermissions.check(inviteOf: target, by: user.id)
        _ = try await submit(number) { view in
            if try await view.membership(of: target) == .ban {
                throw MatrixError.forbidden("This person is banned from the room")
            }
            return [draft]
        }
    }

    /// Leaves a room, or rejects an invite, or takes back a knock.
    ///
    /// [POST /rooms/{roomId}/leave](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidleave)
    public func leave(_ room: RoomID, by user: Requester, reason: String? = nil) async throws {
        let number = try await number(of: room)
        try await checkMayDecline(number, user)
        try await leave(number, by: user, reason: reason)
    }

    func leave(_ room: RoomNumber, by user: Requester, reason: String?) async throws {
        var content: JSONValue = ["membership": "leave"]
        if let reason { content["reason"] = .string(reason) }
        let final = content
        if try await !participates(in: room) {
            let record = try await store.read { try $0.memberships.membership(of: user.number, in: room) }
            guard let record, record.membership == .invite || record.membership == .knock else {
                throw MatrixError.forbidden("You are not in this room")
            }
            return try await leaveRemotely(try await store.room(room), by: user, content: final)
        }
        _ = try await submit(room) { view in
            let current = try await view.membership(of: user.id)
            guard let current, current != .leave, current != .ban else {
                throw MatrixError.forbidden("You are not in this room")
            }
            return [EventDraft(sender: user.id, state: .member, key: user.id.string, content: final)]
        }
    }

    /// Removes a user from a room.
    ///
    /// [POST /rooms/{roomId}/kick](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidkick)
    public func kick(_ target: UserID, from room: RoomID, by user: Requester, reason: String?) async throws {
        try await setMembership(.leave, of: target, in: room, by: user, reason: reason) { current in
            guard let current, current != .leave, current != .ban else {
                throw MatrixError.forbidden("This person is not in the room")
            }
        }
    }

    /// Bans a user from a room.
    ///
    /// [POST /rooms/{roomId}/ban](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidban)
    public func ban(_ target: UserID, from room: RoomID, by user: Requester, reason: String?) async throws {
        try await setMembership(.ban, of: target, in: room, by: user, reason: reason) { _ in }
    }

    /// Lifts a ban.
    ///
    /// [POST /rooms/{roomId}/unban](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidunban)
    public func unban(_ target: UserID, from room: RoomID, by user: Requester, reason: String?) async throws {
        try await setMembership(.leave, of: target, in: room, by: user, reason: reason) { current in
            guard current == .ban else { throw MatrixError.forbidden("This person is not banned") }
        }
    }

    private func setMembership(
        _ membership: Membership, of target: UserID, in room: RoomID, by user: Requester, reason: String?,
        check: @escaping @Sendable (Membership?) throws -> Void
    ) async throws {
        let number = try await number(of: room)
        try await awaitCompletion(of: number)
        var content: JSONValue = ["membership": .string(membership.rawValue)]
        if let reason { content["reason"] = .string(reason) }
        let final = content
        _ = try await submit(number) { view in
            // Whoever is not in the room learns nothing of who else is.
            guard try await view.membership(of: user.id) == .join else {
                throw MatrixError.forbidden("You are not in this room")
            }
            try check(try await view.membership(of: target))
            return [EventDraft(sender: user.id, state: .member, key: target.string, content: final)]
        }
    }

    /// Forgets a room that the user has left.
    ///
    /// [POST /rooms/{roomId}/forget](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidforget)
    public func forget(_ room: RoomID, by user: Requester) async throws {
        let number = try await number(of: room)
        let forgotten = try await store.write { try $0.memberships.forget(user.number, in: number) }
        guard forgotten else { throw MatrixError(400, .unknown, "You have not left this room") }
        activeUsers.forget(user.number, number)
    }

    /// The rooms a user is joined to.
    ///
    /// [GET /joined_rooms](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3joined_rooms)
    public func joinedRooms(of user: Requester) async throws -> [RoomID] {
        try await store.read { reader in
            try reader.memberships.joinedRooms(of: user.number).map { try reader.identifiers.room($0) }
        }
    }

    /// Leaves every room, when an account ends.
    public func leaveAll(_ user: Requester) async throws {
        let records = try await store.read { try $0.memberships.rooms(of: user.number) }
        for record in records
        where record.membership == .join || record.membership == .invite || record.membership == .knock {
            do {
                try await leave(record.room, by: user, reason: nil)
            } catch let error as MatrixError where error.status < 500 {
                // Rules that do not let anyone leave do not keep an account alive.
                services.logger.notice(
                    "room not left", metadata: ["room": "\(record.room)", "error": "\(error.message)"])
            }
        }
    }

    /// Tells every room a user is joined to of their new name or picture.
    public func profileChanged(_ user: Requester) async throws {
        let content = try await memberContent(user.id, .join)
        for room in try await store.read({ try $0.memberships.joinedRooms(of: user.number) }) {
            do {
                _ = try await submit(room) { view in
                    guard let current = try await view.event(.member(user.id)), Membership(of: current.event) == .join
                    else {
                        throw MatrixError.forbidden("You are not in this room")
                    }
                    var updated = current.event.content.value
                    updated["displayname"] = content["displayname"]
                    updated["avatar_url"] = content["avatar_url"]
                    updated["reason"] = nil
                    return [EventDraft(sender: user.id, state: .member, key: user.id.string, content: updated)]
                }
            } catch let error as MatrixError where error.status < 500 {
                services.logger.notice(
                    "profile not updated", metadata: ["room": "\(room)", "error": "\(error.message)"])
            }
        }
    }

    /// Users of other servers can be reached only where this server federates.
    func checkReachable(_ target: UserID) throws {
        if !target.isLocal(to: serverName) { _ = try requireFederation() }
    }

    /// In a restricted room: names a user of this server who could have invited the one who joins because they are in one of the
    /// rooms that the join rules list.
    ///
    /// [Restricted rooms](https://spec.matrix.org/v1.19/client-server-api/#restricted-rooms)
    func authorizingJoin(_ content: JSONValue, of user: Requester, _ view: RoomView) async throws -> JSONValue {
        guard view.head.version.restrictedJoins, let rules = try await view.event(StateKey(.joinRules)),
            let rule = JoinRule(of: rules.event), rule == .restricted || rule == .knockRestricted
        else { return content }
        let current = try await view.membership(of: user.id)
        if current == .join || current == .invite { return content }
        guard try await isAllowed(user, by: rules.event.content) else {
            throw MatrixError.forbidden("You are not in a room whose members may join this one")
        }
        guard let inviter = try await possibleInviter(view) else {
            throw MatrixError(
                400, .unableToGrantJoin, "Nobody of this server could invite you; another server has to let you in"
            )
        }
        var content = content
        content["join_authorised_via_users_server"] = .string(inviter.string)
        return content
    }

    private func isAllowed(_ user: Requester, by rules: JSON) async throws -> Bool {
        for condition in rules["allow"]?.elements ?? JSON.emptyObject.elements {
            guard condition["type"]?.string == "m.room_membership",
                let room = condition["room_id"]?.string.flatMap({ RoomID($0) })
            else { continue }
            let membership = try await store.read { reader -> Membership? in
                guard let number = try reader.identifiers.number(of: room) else { return nil }
                return try reader.memberships.membership(of: user.number, in: number)?.membership
            }
            if membership == .join { return true }
        }
        return false
    }

    private func possibleInviter(_ view: RoomView) async throws -> UserID? {
        guard let levels = view.powerLevels else { return nil }
        let room = view.head.number
        let joined = try await store.read { reader in
            try reader.memberships.users(in: room, .join).map { try reader.identifiers.user($0) }
        }
        return joined.first { $0.isLocal(to: serverName) && levels.level(of: $0) >= levels.invite }
    }
}

/// This server is not in the room: whoever wants in must come in through another.
struct NotInside: Error {}
