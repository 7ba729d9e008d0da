import Matrix
import RoomEngine
import Store

extension RoomService {
    /// Sends a message event.
    ///
    /// [PUT /rooms/{roomId}/send](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid)
    ///
    /// - Parameters:
    ///   - transactionID: The client's name for it, if it gave one; sending again under that name answers the same event.
    ///   - timestamp: When it was sent, in milliseconds since 1970, for those who may say so.
    ///   - stickyMilliseconds: For how long it sticks, if it does.
    /// - Returns: The event's identifier, once it is durable.
    public func send(
        _ type: EventType, content: JSON, transactionID: String?, timestamp: Int64? = nil,
        stickyMilliseconds: Int64? = nil, to room: RoomID, by sender: Requester
    ) async throws -> EventID {
        if type == .redaction {
            guard let redacts = content["redacts"]?.string.flatMap({ EventID($0) }) else {
                throw MatrixError.badJSON("A redaction says what it redacts")
            }
            return try await redact(
                redacts, content: content, scope: "send/m.room.redaction", transactionID: transactionID,
                timestamp: timestamp, in: room, by: sender
            )
        }
        try Self.checkSuccessor(type, content, of: room)
        let number = try await number(of: room)
        let draft = EventDraft(
            sender: sender.id, type: type, content: content,
            transaction: transaction(transactionID, "send/\(type)", of: sender),
            timestamp: timestamp, stickyMilliseconds: stickyMilliseconds
        )
        guard let relation = Relation(content: content) else { return try await submit(draft, to: number).id }
        return try await submit(number) { [self] view in
            try await checkRelation(relation, of: draft, view)
            return [draft]
        }.id
    }

    /// Redacts an event.
    ///
    /// [PUT /rooms/{roomId}/redact](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid)
    public func redact(
        _ target: EventID, content: JSON, scope: String = "redact", transactionID: String?,
        timestamp: Int64? = nil, in room: RoomID, by sender: Requester
    ) async throws -> EventID {
        let number = try await number(of: room)
        guard let event = try await store.event(target) else { throw MatrixError.notFound("There is no such event") }
        guard event.room == number else { throw MatrixError.invalidParameter("The event is of another room") }
        let draft = EventDraft(
            sender: sender.id, type: .redaction, content: content, redacts: target,
            transaction: transaction(transactionID, "\(scope)/\(target)", of: sender), timestamp: timestamp
        )
        return try await submit(draft, to: number).id
    }

    private func transaction(_ id: String?, _ scope: String, of sender: Requester) -> EventTransaction? {
        guard let id, let device = sender.transactionDevice else { return nil }
        return EventTransaction(device: device, scope: scope, id: id)
    }

    /// Sends a state event. One that would change nothing is not sent again: its sender is answered the current one.
    ///
    /// [PUT /rooms/{roomId}/state](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey)
    public func setState(
        _ type: EventType, key: String, content: JSON, timestamp: Int64? = nil, stickyMilliseconds: Int64? = nil,
        in room: RoomID, by sender: Requester
    ) async throws -> EventID {
        if type == .create { throw MatrixError.forbidden("A room is created once") }
        if type == .member {
            return try await setMembership(key, content: content, timestamp: timestamp, in: room, by: sender)
        }
        try Self.checkSuccessor(type, content, of: room)
        let number = try await number(of: room)
        if type == .canonicalAlias { try await checkCanonicalAlias(content, room: number) }
        let draft = EventDraft(
            sender: sender.id, type: type, stateKey: key, content: content, timestamp: timestamp,
            stickyMilliseconds: stickyMilliseconds)
        return try await submit(draft, to: number).id
    }

    /// Refuses a tombstone that leads back to the room it stands in: clients would go round in circles. One without a state key
    /// closes nothing, but some clients show it.
    private static func checkSuccessor(_ type: EventType, _ content: JSON, of room: RoomID) throws {
        guard type == .tombstone, let successor = content["replacement_room"]?.string else { return }
        if RoomID(successor) == room { throw MatrixError.invalidParameter("A room cannot replace itself") }
    }

    /// A membership set through the state endpoint is held to what the membership endpoints hold it to.
    private func setMembership(
        _ key: String, content: JSON, timestamp: Int64?, in room: RoomID, by sender: Requester
    ) async throws -> EventID {
        guard let target = UserID(key) else { throw MatrixError.badJSON("The state key is no user") }
        guard let name = content["membership"]?.string, let membership = Membership(name: name) else {
            throw MatrixError.badJSON("There is no such membership")
        }
        let number = try await number(of: room)
        if target == sender.id, try await !participates(in: number) {
            return try await enterOrLeave(membership, content: content, number, room, by: sender)
        }
        let current = target == sender.id ? try await view(number).membership(of: target) : nil
        if current != .join { try await awaitCompletion(of: number) }
        var value = content.value
        if membership == .join || membership == .knock, target == sender.id {
            // The profile is the server's to fill in, where the client leaves it out.
            let profile = try await memberContent(target, membership)
            for member in profile.object?.members ?? [] where value[member.name.string] == nil {
                value[member.name.string] = member.value
            }
        }
        let final = value.json
        if membership == .invite, !target.isLocal(to: serverName) {
            let draft = EventDraft(
                sender: sender.id, type: .member, stateKey: key, content: final, timestamp: timestamp)
            return try await inviteRemotely(target, draft, to: number)
        }
        if membership == .leave, target == sender.id { try await checkMayDecline(number, sender) }
        if membership == .invite { try await invitePermissions.check(inviteOf: target, by: sender.id) }
        return try await submit(number) { [self] view in
            var content = final
            if membership == .join, target == sender.id {
                content = try await authorizingJoin(content.value, of: sender, view).json
            }
            return [
                EventDraft(sender: sender.id, type: .member, stateKey: key, content: content, timestamp: timestamp)
            ]
        }.id
    }

    /// Sets the membership that somebody has of a room which this server is not in: through the servers that are.
    private func enterOrLeave(
        _ membership: Membership, content: JSON, _ number: RoomNumber, _ room: RoomID, by sender: Requester
    ) async throws -> EventID {
        let reason = content["reason"]?.string
        switch membership {
        case .join:
            var extra = content.value.object ?? [:]
            extra["membership"] = nil
            try await join(room, by: sender, extra: extra)
        case .knock: try await knock(on: room, by: sender, reason: reason)
        case .leave: try await leave(room, by: sender, reason: reason)
        case .invite, .ban: throw MatrixError.forbidden("You are not in this room")
        }
        let record = try await store.read { try $0.memberships.membership(of: sender.number, in: number) }
        guard let record, let event = try await store.event(record.event) else { throw MatrixError.internalError }
        return event.event.eventID
    }

    /// The aliases that a room calls its own must lead to it.
    private func checkCanonicalAlias(_ content: JSON, room: RoomNumber) async throws {
        let current = try await view(room).event(StateKey(.canonicalAlias))?.event.content
        let old = Set(Self.aliases(in: current ?? JSON.emptyObject))
        for text in Self.aliasTexts(in: content) {
            guard let alias = RoomAlias(text) else { throw MatrixError.invalidParameter("\(text) is no room alias") }
            if old.contains(alias) { continue }
            guard try await aliases.room(of: alias) == room else {
                throw MatrixError(400, .badAlias, "\(alias) does not lead to this room")
            }
        }
    }

    private static func aliasTexts(in content: JSON) -> [String] {
        var texts = (content["alt_aliases"]?.elements.map { $0.string ?? "" }) ?? []
        if let alias = content["alias"], !alias.isNull { texts.append(alias.string ?? "") }
        return texts.filter { !$0.isEmpty }
    }

    private static func aliases(in content: JSON) -> [RoomAlias] {
        aliasTexts(in: content).compactMap { RoomAlias($0) }
    }
}
