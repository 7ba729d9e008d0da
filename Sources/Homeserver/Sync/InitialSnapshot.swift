import Matrix
import Store

extension SyncService {
    /// A room as clients of old ask for it.
    ///
    /// [GET /rooms/{roomId}/initialSync](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidinitialsync)
    public func snapshot(of room: RoomID, limit: Int, by user: Requester) async throws -> JSONValue {
        let number = try await rooms.number(of: room)
        _ = try await rooms.readableState(number, by: user)
        let record = try await store.read { try $0.memberships.membership(of: user.number, in: number) }
        let data = try await users.accountData(of: user.number).filter { $0.room == number }
        var json = try await roomSnapshot(room, number, record?.membership, limit: limit, data, by: user)
        // Who has left hears no more of who is there.
        let hasLeft = record?.membership == .leave || record?.membership == .ban
        let others = try await store.read { try $0.memberships.users(in: number, .join) }
        json["presence"] = .array(hasLeft ? [] : try await presenceEvents(others))
        json["receipts"] = .array(hasLeft ? [] : try await receiptEvents(of: room, number, user))
        return json
    }

    /// All of a user's rooms as clients of old ask for them.
    ///
    /// [GET /initialSync](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3initialsync)
    ///
    /// - Parameter archived: Whether rooms that the user has left are part of it.
    public func snapshot(limit: Int, archived: Bool, by user: Requester) async throws -> JSONValue {
        let known = try await activeUsers.rooms(of: user.number)
        let end = SyncToken(store.journal.end, typing: typing.serial)
        let data = try await users.accountData(of: user.number)
        var list: [JSONValue] = []
        var receipts: [JSONValue] = []
        var people: Set<UserNumber> = [user.number]
        for (number, entry) in known.rooms.sorted(by: { $0.key < $1.key }) where !entry.isForgotten {
            let id = try await store.room(number)
            switch entry.membership {
            case .join:
                list.append(
                    try await roomSnapshot(id, number, .join, limit: limit, data.filter { $0.room == number }, by: user)
                )
                receipts += try await receiptEvents(of: id, number, user)
                people.formUnion(try await store.read { try $0.memberships.users(in: number, .join) })
            case .invite:
                guard let event = try await store.event(entry.event) else { continue }
                list.append([
                    "room_id": .string(id.string), "membership": "invite",
                    "inviter": .string(event.event.sender.string),
                    "invite": try await rendered([event], by: user).first ?? [:],
                ])
            case .leave, .ban:
                guard archived else { continue }
                list.append(
                    try await roomSnapshot(id, number, entry.membership, limit: limit, [], by: user)
                )
            case .knock: continue
            }
        }
        let events = try await presenceEvents(people.sorted())
        return [
            "end": .string(end.text), "rooms": .array(list), "presence": .array(events), "receipts": .array(receipts),
            "account_data": .array(try data.filter { $0.room == nil && $0.type != "m.push_rules" }.map(Self.event)),
        ]
    }

    private func roomSnapshot(
        _ room: RoomID, _ number: RoomNumber, _ membership: Membership?, limit: Int, _ data: [AccountDataRecord],
        by user: Requester
    ) async throws -> JSONValue {
        let record = try await store.read { try $0.rooms.room(number) }
        var json: JSONValue = [
            "room_id": .string(room.string), "visibility": record?.isPublished == true ? "public" : "private",
            "account_data": .array(try data.map(Self.event)),
        ]
        if let membership { json["membership"] = .string(membership.rawValue) }
        do {
            let page = try await rooms.messages(
                room, from: nil, to: nil, backward: true, limit: limit, filter: .all, by: user
            )
            let shown = limit > 0 ? page.events.reversed() : []
            json["messages"] = [
                "start": .string((limit > 0 ? page.end ?? page.start : page.start).text),
                "end": .string(page.start.text),
                "chunk": .array(try await rendered(shown, by: user)),
            ]
            json["state"] = .array(try await rendered(try await rooms.state(of: room, by: user), by: user))
        } catch let error as MatrixError where error.status == 403 {
            // Who was never in the room knows no more of it than that they are not.
        }
        return json
    }

    private func rendered(_ events: [StoredEvent], by user: Requester) async throws -> [JSONValue] {
        let rendered = try await RenderedEvents(events, for: Viewer(user, now: clock.now), store: store)
        return try events.map { event in
            var writer = JSONWriter(capacity: 1_024)
            rendered.write(event, into: &writer, includeRoomID: true)
            var json = try JSON(parsing: writer.bytes).value
            // What is `sender` today was `user_id` then.
            json["user_id"] = .string(event.event.sender.string)
            return json
        }
    }

    private func receiptEvents(of room: RoomID, _ number: RoomNumber, _ user: Requester) async throws -> [JSONValue] {
        let receipts = try await users.receipts(
            in: [number], for: user.number, after: StreamPosition(0), through: store.journal.end
        )
        guard !receipts.isEmpty else { return [] }
        var event = try JSON(parsing: ReceiptEvent.text(of: receipts)).value
        event["room_id"] = .string(room.string)
        return [event]
    }

    private func presenceEvents(_ users: [UserNumber]) async throws -> [JSONValue] {
        try await presence?.events(about: users, naming: true).map { try JSON(parsing: $0).value } ?? []
    }

    private static func event(_ data: AccountDataRecord) throws -> JSONValue {
        ["type": .string(data.type), "content": try JSON(parsing: data.content).value]
    }
}
