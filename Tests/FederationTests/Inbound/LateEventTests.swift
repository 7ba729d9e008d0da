import FederationWire
import Homeserver
import Matrix
import Store
import Testing

/// Events that arrive after those that follow them.
@Suite struct LateEventTests {
    /// A server with a room in which bob of another server is; that server gives the room's state for whatever is missing.
    private func withRoom(
        _ body: (InboundServer, FakeServer, RoomID, RoomNumber, _ bob: UserID) async throws -> Void
    ) async throws {
        try await InboundServer.onEachEngine { server in
            let other = try FakeServer("there.example", asking: server)
            let room = try await server.publicRoom(by: try await server.user("alice"))
            let bob = try other.user("bob")
            try await other.join(room, as: bob)
            try await body(server, other, room, try #require(try await server.store.number(of: room)), bob)
        }
    }

    /// Has the other server answer that this was the state before an event, and that it knows so much of what follows it.
    private func state(
        _ server: InboundServer, _ number: RoomNumber, before event: Event, _ following: Event
    ) async throws {
        let state = try await server.rooms.view(number).allEvents().map(\.event.eventID)
        server.outside.setHistory([event.bytes], nearest: nil, state: state, between: [following.bytes])
    }

    private func ends(_ server: InboundServer, _ number: RoomNumber) async throws -> [EventID] {
        try await server.store.read { reader in
            try reader.events.events(try reader.rooms.forwardExtremities(number)).map(\.event.eventID)
        }
    }

    @Test func whatAnotherFollowsIsNoEnd() async throws {
        try await withRoom { server, other, room, number, bob in
            let first = try await other.message("first", by: bob, in: room)
            let content: JSONValue = ["msgtype": "m.text", "body": "second"]
            let second = try await other.event(.message, content, by: bob, in: room, after: [first])
            let third = try await other.event(.message, content, by: bob, in: room, after: [second])
            try await state(server, number, before: first, second)
            try await other.send(third)
            #expect(try await ends(server, number).contains(third.eventID))
            try await other.send(first)
            #expect(try await server.timelineEvent(first.eventID) != nil)
            #expect(try await ends(server, number) == [third.eventID])
            let missing = try await server.store.read { try $0.graph.backwardExtremities(of: number, limit: 10) }
            #expect(missing.isEmpty)
        }
    }

    @Test func stateOfThePastIsNoNews() async throws {
        try await withRoom { server, other, room, number, bob in
            let old = try await other.profile("old", of: bob, in: room)
            let new = try await other.profile("new", of: bob, in: room, after: [old])
            let content: JSONValue = ["msgtype": "m.text", "body": "last"]
            let last = try await other.event(.message, content, by: bob, in: room, after: [new])
            try await state(server, number, before: old, new)
            try await other.send(last)
            let end = try #require(try await server.timelineEvent(new.eventID)?.position)
            try await other.send(old)
            let late = try #require(try await server.timelineEvent(old.eventID)?.position)
            #expect(late < end)
            #expect(try await server.rooms.view(number).event(.member(bob))?.event.eventID == new.eventID)
            #expect(try await ends(server, number) == [last.eventID])
        }
    }

    @Test func whoHasLeftMayAskForStatesOfWhenTheyWereThere() async throws {
        try await withRoom { server, other, room, number, bob in
            let present = try await other.message("here", by: bob, in: room)
            try await other.send(present)
            let leave = try await other.event(
                .member, stateKey: bob.string, ["membership": "leave"], by: bob, in: room)
            try await other.send(leave)
            let alice = try await server.user("alice")
            let later = try await server.send("alone", to: room, by: alice)
            let state = try await other.ask(StateIDsRequest(before: present.eventID, in: room)).state
            #expect(!state.isEmpty)
            await #expect(throws: FakeServer.Refusal(status: 403, code: "M_FORBIDDEN")) {
                try await other.ask(StateIDsRequest(before: later, in: room))
            }
        }
    }

    @Test func whoIsPutOutMayAskForWhatCameBeforeThat() async throws {
        try await InboundServer.onEachEngine { server in
            let other = try FakeServer("there.example", asking: server)
            let alice = try await server.user("alice")
            let room = try await server.publicRoom(by: alice)
            let bob = try other.user("bob")
            let join = try await other.event(.member, stateKey: bob.string, ["membership": "join"], by: bob, in: room)
            // Neither comes before the other, so that bob is not in the room for whom follows only this one.
            let beside = try await server.send("beside", to: room, by: alice)
            try await other.send(join)
            try await server.rooms.ban(bob, from: room, by: alice, reason: nil)
            let number = try #require(try await server.store.number(of: room))
            let ban = try #require(try await server.rooms.view(number).event(.member(bob))).event.eventID
            let later = try await server.send("later", to: room, by: alice)

            let request = MissingEventsRequest(in: room, before: [ban], after: [], limit: 10, minimumDepth: 0)
            let texts = try await other.ask(request)
            let events = try texts.map { try Event(parsing: $0, version: .v12) }
            let told = try #require(events.first { $0.eventID == beside })
            #expect(told.content["body"]?.string == "beside")
            #expect(events.contains { $0.eventID == join.eventID })
            // What it has may be deeper than what it lacks.
            let deep = MissingEventsRequest(
                in: room, before: [ban], after: [join.eventID], limit: 10, minimumDepth: 1_000)
            #expect(try await other.ask(deep).isEmpty)
            #expect(try await !other.ask(StateIDsRequest(before: beside, in: room)).state.isEmpty)
            #expect(try await other.ask(StateIDsRequest(before: ban, in: room)).state.contains(join.eventID))
            #expect(try await !other.ask(GetEventRequest(beside)).isEmpty)

            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(GetEventRequest(later))
            }
            await #expect(throws: FakeServer.Refusal(status: 403, code: "M_FORBIDDEN")) {
                try await other.ask(StateIDsRequest(before: later, in: room))
            }
            // A ban of who was not there any more does not make the time there longer.
            try await server.rooms.unban(bob, from: room, by: alice, reason: nil)
            try await server.rooms.ban(bob, from: room, by: alice, reason: nil)
            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(GetEventRequest(later))
            }
        }
    }
}
