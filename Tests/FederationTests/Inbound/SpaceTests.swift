import FederationWire
import Homeserver
import Matrix
import Store
import Testing

@Suite struct SpaceTests {
    private func withServer(
        _ body: (InboundServer, FakeServer, _ alice: Requester) async throws -> Void
    ) async throws {
        try await InboundServer.onEachEngine { server in
            try await body(server, try FakeServer("there.example", asking: server), try await server.user("alice"))
        }
    }

    /// A room, or a space.
    private func room(
        _ name: String, _ server: InboundServer, by user: Requester, isSpace: Bool = false, rule: JSONValue? = nil
    ) async throws -> RoomID {
        server.clock.advance(milliseconds: 1)
        var room = NewRoom()
        room.name = name
        room.preset = rule == nil ? .publicChat : .privateChat
        if isSpace { room.creationContent = ["type": "m.space"] }
        if let rule { room.initialState = [.init(type: .joinRules, key: "", content: rule.json)] }
        return try await server.rooms.create(room, by: user)
    }

    private func add(
        _ child: RoomID, to space: RoomID, _ server: InboundServer, by user: Requester, order: String? = nil,
        isSuggested: Bool? = nil, via: String = "here.example"
    ) async throws {
        server.clock.advance(milliseconds: 1)
        var content: JSONValue = ["via": [.string(via)]]
        content["order"] = order.map { .string($0) }
        content["suggested"] = isSuggested.map { .bool($0) }
        _ = try await server.rooms.setState(.spaceChild, key: child.string, content: content.json, in: space, by: user)
    }

    private func walk(
        _ space: RoomID, _ server: InboundServer, by user: Requester, suggestedOnly: Bool = false, limit: Int? = nil,
        maximumDepth: Int? = nil, from: String? = nil
    ) async throws -> (rooms: [RoomID], next: String?) {
        let page = try await server.spaces.page(
            SpaceHierarchy.Query(
                room: space, suggestedOnly: suggestedOnly, limit: limit, maximumDepth: maximumDepth),
            from: from, by: user)
        return (page.rooms.map(\.room), page.next)
    }

    @Test func spacesAreWalkedDepthFirst() async throws {
        try await withServer { server, _, alice in
            let space = try await room("space", server, by: alice, isSpace: true)
            let inner = try await room("inner", server, by: alice, isSpace: true)
            let first = try await room("first", server, by: alice)
            let second = try await room("second", server, by: alice)
            let third = try await room("third", server, by: alice)
            try await add(third, to: space, server, by: alice)
            try await add(second, to: space, server, by: alice, order: "b")
            try await add(inner, to: space, server, by: alice, order: "a", isSuggested: true)
            try await add(first, to: inner, server, by: alice)
            // A loop, and what is no child any more.
            try await add(space, to: inner, server, by: alice)
            let gone = try await room("gone", server, by: alice)
            try await add(gone, to: space, server, by: alice)
            _ = try await server.rooms.setState(
                .spaceChild, key: gone.string, content: .emptyObject, in: space, by: alice)

            let all = [space, inner, first, second, third]
            #expect(try await walk(space, server, by: alice).rooms == all)
            #expect(try await walk(space, server, by: alice).next == nil)
            #expect(try await walk(space, server, by: alice, maximumDepth: 1).rooms == [space, inner, second, third])
            #expect(try await walk(space, server, by: alice, maximumDepth: 0).rooms == [space])
            #expect(try await walk(space, server, by: alice, suggestedOnly: true).rooms == [space, inner])
            // Page by page; the same token leads to the same page.
            var page = try await walk(space, server, by: alice, limit: 2)
            #expect(page.rooms == [space, inner])
            let token = try #require(page.next)
            page = try await walk(space, server, by: alice, limit: 2, from: token)
            #expect(page.rooms == [first, second])
            #expect(try await walk(space, server, by: alice, limit: 2, from: token).rooms == [first, second])
            page = try await walk(space, server, by: alice, limit: 2, from: page.next)
            #expect(page.rooms == [third] && page.next == nil)
            let mallory = try await server.user("mallory")
            await #expect(throws: MatrixError.self) { try await walk(space, server, by: mallory, from: token) }
            await #expect(throws: MatrixError.self) {
                try await walk(space, server, by: alice, suggestedOnly: true, from: token)
            }
            await #expect(throws: MatrixError.self) { try await walk(space, server, by: alice, from: "none") }
        }
    }

    @Test func whatMayNotBeSeenIsLeftOut() async throws {
        try await withServer { server, _, alice in
            let space = try await room("space", server, by: alice, isSpace: true)
            let secret = try await room("secret", server, by: alice, rule: ["join_rule": "invite"])
            let knock = try await room("knock", server, by: alice, rule: ["join_rule": "knock"])
            let allow: JSONValue = [["type": "m.room_membership", "room_id": .string(space.string)]]
            let restricted = try await room(
                "restricted", server, by: alice, rule: ["join_rule": "restricted", "allow": allow])
            for child in [secret, knock, restricted] { try await add(child, to: space, server, by: alice) }
            let bob = try await server.user("bob")
            #expect(try await walk(space, server, by: alice).rooms == [space, secret, knock, restricted])
            #expect(try await walk(space, server, by: bob).rooms == [space, knock])
            try await server.rooms.join(space, by: bob)
            #expect(try await walk(space, server, by: bob).rooms == [space, knock, restricted])
            try await server.rooms.invite(bob.id, to: secret, by: alice, reason: nil)
            #expect(try await walk(space, server, by: bob).rooms == [space, secret, knock, restricted])
            let hidden = try await room("hidden", server, by: alice, isSpace: true, rule: ["join_rule": "invite"])
            await #expect(throws: MatrixError.forbidden("You may not see this room")) {
                try await walk(hidden, server, by: bob)
            }
        }
    }

    @Test func serversAreToldWhatTheyMaySee() async throws {
        try await withServer { server, other, alice in
            let space = try await room("space", server, by: alice, isSpace: true)
            let open = try await room("open", server, by: alice)
            let secret = try await room("secret", server, by: alice, rule: ["join_rule": "invite"])
            let allow: JSONValue = [["type": "m.room_membership", "room_id": .string(space.string)]]
            let restricted = try await room(
                "restricted", server, by: alice, rule: ["join_rule": "restricted", "allow": allow])
            let elsewhere = RoomID(trusted: "!elsewhere:there.example")
            for child in [open, secret, restricted, elsewhere] { try await add(child, to: space, server, by: alice) }
            func names(_ json: JSON?) -> [String?] { json?.elements.map { $0["name"]?.string } ?? [] }
            var answer = try await other.ask(HierarchyRequest(of: space, suggestedOnly: false))
            #expect(answer["room"]?["name"]?.string == "space" && answer["room"]?["room_type"]?.string == "m.space")
            #expect(answer["room"]?["children_state"]?.count == 4)
            let child = answer["room"]?["children_state"]?.elements.first { _ in true }
            #expect(child?["state_key"]?.string == open.string && child?["origin_server_ts"]?.int != nil)
            #expect(names(answer["children"]) == ["open"])
            #expect(
                answer["inaccessible_children"]?.elements.compactMap(\.string) == [secret.string, restricted.string])
            try await other.join(space, as: try other.user("bob"))
            answer = try await other.ask(HierarchyRequest(of: space, suggestedOnly: false))
            #expect(names(answer["children"]) == ["open", "restricted"])
            #expect(
                answer["children"]?.elements.first { $0["name"]?.string == "restricted" }?["allowed_room_ids"]?.elements
                    .compactMap(\.string) == [space.string])
            answer = try await other.ask(HierarchyRequest(of: space, suggestedOnly: true))
            #expect(answer["children"]?.count == 0 && answer["room"]?["children_state"]?.count == 0)
            for room in [secret, elsewhere] {
                await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                    try await other.ask(HierarchyRequest(of: room, suggestedOnly: false))
                }
            }
        }
    }

    @Test func otherServersAreAskedAboutTheirRooms() async throws {
        try await withServer { server, _, alice in
            let space = try await room("space", server, by: alice, isSpace: true)
            let inner = RoomID(trusted: "!inner:there.example")
            let leaf = RoomID(trusted: "!leaf:there.example")
            let closed = RoomID(trusted: "!closed:there.example")
            let unknown = RoomID(trusted: "!unknown:there.example")
            let alien = RoomID(trusted: "!alien:there.example")
            for child in [inner, unknown] {
                try await add(child, to: space, server, by: alice, via: "there.example")
            }
            func summary(_ room: RoomID, _ rule: String, _ children: [RoomID] = []) -> JSONValue {
                var summary: JSONValue = [
                    "room_id": .string(room.string), "join_rule": .string(rule), "num_joined_members": 3,
                    "world_readable": false, "guest_can_join": false,
                    "children_state": .array(
                        children.map { child in
                            [
                                "type": "m.space.child", "state_key": .string(child.string),
                                "sender": "@x:there.example", "origin_server_ts": 5,
                                "content": ["via": ["there.example"]],
                            ]
                        }),
                ]
                if !children.isEmpty { summary["room_type"] = "m.space" }
                return summary
            }
            server.outside.setSpace(
                [
                    "room": summary(inner, "public", [leaf, closed]),
                    "children": [summary(leaf, "public"), summary(closed, "invite"), summary(alien, "public")],
                    "inaccessible_children": [],
                ], of: inner)
            #expect(try await walk(space, server, by: alice).rooms == [space, inner, leaf])
            #expect(server.outside.askedSpaces.sorted() == [inner, unknown])
            // For a while that is remembered; who asks for what could not be had is asked again.
            #expect(try await walk(space, server, by: alice).rooms == [space, inner, leaf])
            #expect(server.outside.askedSpaces.filter { $0 == inner }.count == 1)
            server.clock.advance(milliseconds: 600_000)
            server.outside.setSpace(nil, of: inner)
            #expect(try await walk(space, server, by: alice).rooms == [space])
        }
    }

    // MARK: Events by their time

    @Test func eventsAreFoundByTheirTime() async throws {
        try await withServer { server, other, alice in
            let space = try await server.publicRoom(by: alice)
            let bob = try other.user("bob")
            try await other.join(space, as: bob)
            var sent: [(id: EventID, time: Int64)] = []
            for index in 0..<5 {
                server.clock.advance(milliseconds: 1_000)
                sent.append((try await server.send("\(index)", to: space, by: alice), server.clock.now))
            }
            func find(_ time: Int64, _ forward: Bool) -> EventFinder.Query {
                EventFinder.Query(room: space, timestamp: time, searchesForward: forward)
            }
            let finder = server.finder
            #expect(try await finder.event(find(sent[2].time, true), by: alice).event.eventID == sent[2].id)
            #expect(try await finder.event(find(sent[2].time, false), by: alice).event.eventID == sent[2].id)
            #expect(try await finder.event(find(sent[2].time + 1, true), by: alice).event.eventID == sent[3].id)
            #expect(try await finder.event(find(sent[2].time - 1, false), by: alice).event.eventID == sent[1].id)
            await #expect(throws: MatrixError.self) { try await finder.event(find(sent[4].time + 1, true), by: alice) }
            await #expect(throws: MatrixError.self) { try await finder.event(find(0, false), by: alice) }
            let stranger = try await server.user("stranger")
            await #expect(throws: MatrixError.self) { try await finder.event(find(0, true), by: stranger) }
            // As other servers ask.
            let found = try await other.ask(
                TimestampToEventRequest(in: space, timestamp: sent[2].time + 1, searchesForward: false))
            #expect(found.event == sent[2].id && found.originServerTS == sent[2].time)
            let third = try FakeServer("third.example", asking: server)
            await #expect(throws: FakeServer.Refusal(status: 403, code: "M_FORBIDDEN")) {
                try await third.ask(TimestampToEventRequest(in: space, timestamp: 0, searchesForward: true))
            }
            let answer = try await other.ask(
                .get, "/_matrix/federation/v1/timestamp_to_event/\(space)?ts=1&dir=x")
            #expect(answer.status == 400)
        }
    }
    @Test func otherServersAreAskedWhereThereIsAGap() async throws {
        try await withServer { server, other, alice in
            let room = try await server.publicRoom(by: alice)
            let bob = try other.user("bob")
            try await other.join(room, as: bob)
            server.clock.advance(milliseconds: 1_000)
            let before = try await server.send("before", to: room, by: alice)
            func message(_ body: String, after prev: Event?) async throws -> Event {
                server.clock.advance(milliseconds: 1_000)
                return try await other.event(
                    .message, ["body": .string(body)], by: bob, in: room, after: prev.map { [$0] })
            }
            let lost = try await message("lost", after: nil)
            let later = try await message("later", after: lost)
            let last = try await message("last", after: later)
            let state = try await server.rooms.state(of: room, by: alice)
            server.outside.setHistory(
                [lost.bytes], nearest: nil, state: state.map(\.event.eventID), between: [later.bytes])
            try await other.send(last)
            #expect(try await server.timelineEvent(later.eventID) != nil)
            #expect(try await server.timelineEvent(last.eventID) != nil)
            server.outside.setHistory([lost.bytes], nearest: nil, state: [])
            func find(_ time: Int64, _ forward: Bool) async throws -> EventID {
                let query = EventFinder.Query(room: room, timestamp: time, searchesForward: forward)
                return try await server.finder.event(query, by: alice).event.eventID
            }
            // Nobody answers, or with what is no nearer.
            #expect(try await find(lost.originServerTS, true) == later.eventID)
            server.outside.setHistory([lost.bytes], nearest: (later.eventID, later.originServerTS), state: [])
            #expect(try await find(lost.originServerTS, true) == later.eventID)
            #expect(try await find(lost.originServerTS, false) == before)
            #expect(try await server.timelineEvent(lost.eventID) == nil)
            server.outside.setHistory([lost.bytes], nearest: (lost.eventID, lost.originServerTS), state: [])
            // Where there is no gap, nobody is asked.
            #expect(try await find(later.originServerTS + 1, false) == later.eventID)
            #expect(try await server.timelineEvent(lost.eventID) == nil)
            #expect(try await find(lost.originServerTS + 5, false) == lost.eventID)
            #expect(try await find(lost.originServerTS, true) == lost.eventID)
        }
    }
}
