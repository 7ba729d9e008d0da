import FederationWire
import Homeserver
import Matrix
import Store
import Testing

@Suite struct RoomQueryTests {
    /// A server with a public room in which its user alice and bob of another server are.
    private func withRoom(
        _ state: [NewRoom.InitialState] = [],
        _ body: (InboundServer, FakeServer, RoomID, _ alice: Requester, _ bob: UserID) async throws -> Void
    ) async throws {
        try await InboundServer.onEachEngine { server in
            let other = try FakeServer("there.example", asking: server)
            let alice = try await server.user("alice")
            let room = try await server.publicRoom(by: alice, state)
            let bob = try other.user("bob")
            try await body(server, other, room, alice, bob)
        }
    }

    private func visibility(_ name: String) -> NewRoom.InitialState {
        let content: JSONValue = ["history_visibility": .string(name)]
        return NewRoom.InitialState(type: .historyVisibility, key: "", content: content.json)
    }

    private func ids(_ texts: [[UInt8]]) throws -> [EventID] {
        try texts.map { try Event(parsing: $0, version: .v12).eventID }
    }

    @Test func eventsAreGivenToServersInTheRoom() async throws {
        try await withRoom { server, other, room, alice, bob in
            let id = try await server.send("hello", to: room, by: alice)
            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(GetEventRequest(id))
            }
            await #expect(throws: FakeServer.Refusal(status: 403, code: "M_FORBIDDEN")) {
                try await other.ask(BackfillRequest(room, from: [id], limit: 5))
            }
            await #expect(throws: FakeServer.Refusal(status: 403, code: "M_FORBIDDEN")) {
                try await other.ask(
                    MissingEventsRequest(in: room, before: [id], after: [], limit: 5, minimumDepth: 0))
            }
            try await other.join(room, as: bob)
            let text = try await other.ask(GetEventRequest(id))
            let event = try Event(parsing: text, version: .v12)
            #expect(event.eventID == id && event.content["body"]?.string == "hello")
            #expect(event.hasValidContentHash)
            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(GetEventRequest(EventID(trusted: "$unknown")))
            }
            // Whoever leaves is not told any more, but what happened while they were there.
            let leave = try await other.event(
                .member, stateKey: bob.string, ["membership": "leave"], by: bob, in: room)
            try await other.send(leave)
            let later = try await server.send("later", to: room, by: alice)
            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(GetEventRequest(later))
            }
            #expect(try await other.ask(GetEventRequest(leave.eventID)).isEmpty == false)
        }
    }

    @Test func hiddenEventsAreGivenRedacted() async throws {
        try await withRoom([visibility("joined")]) { server, other, room, alice, bob in
            let before = try await server.send("before", to: room, by: alice)
            let join = try await other.join(room, as: bob)
            let after = try await server.send("after", to: room, by: alice)
            let redacted = try Event(parsing: try await other.ask(GetEventRequest(before)), version: .v12)
            #expect(redacted.eventID == before && redacted.content.value == [:])
            let texts = try await other.ask(BackfillRequest(room, from: [after], limit: 3))
            #expect(try ids(texts) == [after, join.eventID, before])
            let events = try texts.map { try Event(parsing: $0, version: .v12) }
            #expect(events[0].content["body"]?.string == "after")
            #expect(events[2].content.value == [:])
        }
    }

    @Test func everybodyMayReadWhatIsWorldReadable() async throws {
        try await withRoom([visibility("world_readable")]) { server, other, room, alice, _ in
            let id = try await server.send("for all", to: room, by: alice)
            #expect(try await !other.ask(GetEventRequest(id)).isEmpty)
            #expect(try ids(try await other.ask(BackfillRequest(room, from: [id], limit: 1))) == [id])
            await #expect(throws: FakeServer.Refusal(status: 403, code: "M_FORBIDDEN")) {
                try await other.ask(StateIDsRequest(before: id, in: room))
            }
        }
    }

    @Test func whoHasAskedToBeForgottenIsRedacted() async throws {
        try await withRoom { server, other, room, alice, bob in
            let carol = try await server.user("carol")
            try await server.rooms.join(room, by: carol)
            try await other.join(room, as: bob)
            let id = try await server.send("forget me", to: room, by: carol)
            try await server.store.write { try $0.accounts.setFlags([.deactivated, .erased], of: carol.number) }
            let event = try Event(parsing: try await other.ask(GetEventRequest(id)), version: .v12)
            #expect(event.eventID == id && event.content.value == [:])
        }
    }

    @Test func statesAreThoseBeforeAnEvent() async throws {
        try await withRoom { server, other, room, alice, bob in
            let join = try await other.join(room, as: bob)
            let first = try await server.rooms.setState(
                .name, key: "", content: (["name": "first"] as JSONValue).json, in: room, by: alice)
            let second = try await server.rooms.setState(
                .name, key: "", content: (["name": "second"] as JSONValue).json, in: room, by: alice)
            let (state, authChain) = try await other.ask(StateIDsRequest(before: second, in: room))
            #expect(state.contains(first) && !state.contains(second) && state.contains(join.eventID))
            #expect(!authChain.isEmpty && !authChain.contains(first))
            // Once more, from memory; and the events themselves.
            #expect(try await other.ask(StateIDsRequest(before: second, in: room)).state == state)
            let whole = try await other.ask(StateRequest(before: second, in: room))
            #expect(Set(try ids(whole.state)) == Set(state))
            #expect(Set(try ids(whole.authChain)) == Set(authChain))
            let before = try await other.ask(StateIDsRequest(before: first, in: room))
            #expect(!before.state.contains(first))
            // The state before the room's first event is empty.
            let create = EventID(createEventOf: room)
            #expect(try await other.ask(StateIDsRequest(before: create, in: room)).state.isEmpty)
        }
    }

    @Test func statesAreNotForEverybody() async throws {
        try await withRoom { server, other, room, alice, bob in
            let id = try await server.send("hello", to: room, by: alice)
            await #expect(throws: FakeServer.Refusal(status: 403, code: "M_FORBIDDEN")) {
                try await other.ask(StateIDsRequest(before: id, in: room))
            }
            try await other.join(room, as: bob)
            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(StateIDsRequest(before: EventID(trusted: "$unknown"), in: room))
            }
            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(StateIDsRequest(before: id, in: RoomID(trusted: "!unknown")))
            }
            let answer = try await other.ask(.get, "/_matrix/federation/v1/state/notaroom")
            #expect(answer.status == 400 && answer.code == "M_MISSING_PARAM")
            // An event that has been rejected has no state.
            let rejected = try await other.event(.name, stateKey: "", ["name": "mine"], by: bob, in: room)
            try await other.send(rejected)
            #expect(try await server.store.event(rejected.eventID)?.status == .rejected)
            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(StateIDsRequest(before: rejected.eventID, in: room))
            }
        }
    }

    @Test func deniedServersAreToldNothing() async throws {
        try await withRoom { server, other, room, alice, bob in
            try await other.join(room, as: bob)
            let id = try await server.send("hello", to: room, by: alice)
            let content: JSONValue = ["allow": ["*"], "deny": ["there.example"]]
            _ = try await server.rooms.setState(.serverACL, key: "", content: content.json, in: room, by: alice)
            let room = room.string
            for path in [
                "event/\(id)", "state/\(room)?event_id=\(id)", "state_ids/\(room)?event_id=\(id)",
                "event_auth/\(room)/\(id)", "backfill/\(room)?v=\(id)&limit=1",
            ] {
                let answer = try await other.ask(.get, "/_matrix/federation/v1/\(path)")
                #expect(answer.status == 403 && answer.code == "M_FORBIDDEN", "\(path)")
            }
            let answer = try await other.ask(
                .post, "/_matrix/federation/v1/get_missing_events/\(room)", body: Array("{}".utf8))
            #expect(answer.status == 403 && answer.code == "M_FORBIDDEN")
        }
    }

    @Test func theAuthChainReachesTheCreation() async throws {
        try await withRoom { server, other, room, alice, bob in
            let join = try await other.join(room, as: bob)
            let message = try await other.message("hello", by: bob, in: room)
            try await other.send(message)
            let chain = try ids(try await other.ask(EventAuthRequest(of: message.eventID, in: room)))
            #expect(chain.contains(join.eventID) && !chain.contains(message.eventID))
            #expect(Set(chain).isSuperset(of: message.authEvents))
            #expect(chain.contains(EventID(createEventOf: room)))
            #expect(Set(chain).count == chain.count)
        }
    }

    @Test func backfillGoesBackSoFar() async throws {
        try await withRoom { server, other, room, alice, bob in
            try await other.join(room, as: bob)
            var sent: [EventID] = []
            for index in 0..<130 { sent.append(try await server.send("\(index)", to: room, by: alice)) }
            let last = try #require(sent.last)
            #expect(
                try ids(try await other.ask(BackfillRequest(room, from: [last], limit: 5))) == sent.suffix(5).reversed()
            )
            #expect(
                try ids(try await other.ask(BackfillRequest(room, from: [last], limit: 1_000)))
                    == sent.suffix(100).reversed())
            // From several places at once, no event twice.
            let both = try ids(try await other.ask(BackfillRequest(room, from: [sent[50], sent[52]], limit: 6)))
            #expect(both.count == 6 && Set(both).count == 6 && both.first == sent[52])
            // Events of other rooms are none of this one.
            let elsewhere = try await server.publicRoom(by: alice)
            let secret = try await server.send("secret", to: elsewhere, by: alice)
            #expect(try await other.ask(BackfillRequest(room, from: [secret], limit: 5)).isEmpty)
            let answer = try await other.ask(.get, "/_matrix/federation/v1/backfill/\(room)?limit=5")
            #expect(answer.status == 400 && answer.code == "M_MISSING_PARAM")
        }
    }

    @Test func missingEventsAreThoseBetween() async throws {
        try await withRoom { server, other, room, alice, bob in
            try await other.join(room, as: bob)
            var sent: [EventID] = []
            for index in 0..<30 { sent.append(try await server.send("\(index)", to: room, by: alice)) }
            let between = try await other.ask(
                MissingEventsRequest(in: room, before: [sent[29]], after: [sent[24]], limit: 10, minimumDepth: 0))
            #expect(try ids(between) == Array(sent[25..<29]))
            let few = try await other.ask(
                MissingEventsRequest(in: room, before: [sent[29]], after: [sent[0]], limit: 3, minimumDepth: 0))
            #expect(try ids(few) == Array(sent[26..<29]))
            let many = try await other.ask(
                MissingEventsRequest(in: room, before: [sent[29]], after: [], limit: 500, minimumDepth: 0))
            #expect(try ids(many) == Array(sent[9..<29]))
            let depth = try #require(try await server.store.event(sent[20])?.event.depth)
            let shallow = try await other.ask(
                MissingEventsRequest(in: room, before: [sent[23]], after: [], limit: 20, minimumDepth: depth))
            #expect(try ids(shallow) == Array(sent[20..<23]))
            let none = try await other.ask(
                MissingEventsRequest(
                    in: room, before: [EventID(trusted: "$unknown")], after: [], limit: 10, minimumDepth: 0))
            #expect(none.isEmpty)
            let negative = try await other.ask(
                MissingEventsRequest(in: room, before: [sent[23]], after: [], limit: -5, minimumDepth: -9))
            #expect(negative.isEmpty)
        }
    }

    @Test func branchesAreWalkedOnce() async throws {
        try await withRoom { server, other, room, alice, bob in
            try await other.join(room, as: bob)
            let fork = try #require(try await server.store.event(try await server.send("fork", to: room, by: alice)))
            var branch: [Event] = []
            for index in 0..<3 {
                branch.append(
                    try await other.event(
                        .message, ["body": .string("\(index)")], by: bob, in: room, after: [fork.event]))
            }
            for event in branch { try await other.send(event) }
            // The next event follows all of them.
            let joint = try await server.send("joint", to: room, by: alice)
            let found = try ids(
                try await other.ask(
                    MissingEventsRequest(
                        in: room, before: [joint], after: [fork.event.eventID], limit: 20, minimumDepth: 0)))
            #expect(Set(found) == Set(branch.map(\.eventID)) && found.count == 3)
        }
    }
}
