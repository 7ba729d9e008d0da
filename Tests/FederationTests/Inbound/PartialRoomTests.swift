import Matrix
import Store
import Synchronization
import Testing

@testable import Homeserver

/// Rooms that this server has entered before it knows all of their memberships.
@Suite struct PartialRoomTests {
    /// A server that has come in with the join of its user alice, and knows of a part of the state only: that carol of another server is
    /// in the room too, it learns when it asks for the rest.
    private func withPartialRoom(
        _ body: (InboundServer, RoomID, RoomNumber, _ alice: Requester, _ carol: Event) async throws -> Void
    ) async throws {
        try await InboundServer.onEachEngine { server in
            let other = try FakeServer("there.example", asking: server)
            let alice = try await server.user("alice")
            let room = try await server.publicRoom(by: alice)
            let number = try #require(try await server.store.number(of: room))
            let user = try other.user("carol")
            let carol = try await other.event(
                .member, stateKey: user.string, ["membership": "join"], by: user, in: room)
            try await body(server, room, number, alice, carol)
        }
    }

    private func forgetTheRest(of number: RoomNumber, _ alice: Requester, _ server: InboundServer) async throws {
        let view = try await server.rooms.view(number)
        let join = try #require(try await view.event(.member(alice.id))).number
        let via = ServerName(trusted: "there.example")
        try await server.store.write { writer in
            try writer.graph.setPartial(PartialJoin(room: number, event: join, via: via, servers: [via]))
        }
    }

    /// Has the other server give the rest.
    private func give(_ carol: Event, of number: RoomNumber, _ server: InboundServer) async throws {
        let create = try #require(try await server.rooms.view(number).event(StateKey(.create))).event.eventID
        server.outside.setHistory([carol.bytes], nearest: nil, state: [create, carol.eventID])
    }

    @Test func whoMayHaveLeftLongAgoIsNotBelievedToBeThere() async throws {
        try await withPartialRoom { server, room, number, alice, carol in
            let bob = try await server.user("bob")
            try await server.rooms.join(room, by: bob)
            try await forgetTheRest(of: number, alice, server)
            // With this join the server came in.
            try await server.send("I am here", to: room, by: alice)
            // That bob is in the room may be what a branch says that nobody follows any more.
            let error = await #expect(throws: MatrixError.self) {
                try await server.send("and I", to: room, by: bob)
            }
            #expect(error?.status == 503)
            try await give(carol, of: number, server)
            try await server.send("and I", to: room, by: bob)
            #expect(server.store.partialJoin(of: number) == nil)
        }
    }

    @Test func theWholeStateIsAskedForAtOnce() async throws {
        try await withPartialRoom { server, room, number, alice, carol in
            try await forgetTheRest(of: number, alice, server)
            let view = try await server.rooms.view(number)
            let known = try #require(try await view.event(StateKey(.create)))
            // What is stored already has been checked, and stays as it is; what is new is checked.
            let mallory = try FakeServer("there.example", asking: server).user("mallory")
            let forged = try await FakeServer("there.example", asking: server).event(
                .member, stateKey: mallory.string, ["membership": "join"], by: mallory, in: room)
            var text = forged.json.value
            text["origin_server_ts"] = 1
            server.outside.setWholeState([known.event.bytes, carol.bytes, text.serialized()])
            try await server.rooms.awaitCompletion(of: number)
            #expect(server.store.partialJoin(of: number) == nil)
            let whole = try await server.rooms.view(number)
            #expect(try await whole.membership(of: carol.sender) == .join)
            #expect(try await whole.membership(of: mallory) == nil)
            #expect(try await server.store.event(known.event.eventID)?.status == .accepted)
        }
    }

    @Test func whatIsDecidedRightBeforeGetsTheWholeStateToo() async throws {
        try await withPartialRoom { server, room, number, alice, carol in
            try await forgetTheRest(of: number, alice, server)
            try await give(carol, of: number, server)
            let (gate, open) = AsyncStream.makeStream(of: Void.self)
            let lane = server.rooms.lane(number)
            let isHeld = Mutex(false)
            async let held: Void = lane.perform { _ in
                isHeld.withLock { $0 = true }
                for await _ in gate {}
            }
            try await server.wait(for: "the room is busy") { isHeld.withLock { $0 } }
            // Both wait, and would be decided in one go.
            async let sent = server.send("hello", to: room, by: alice)
            try await Task.sleep(for: .milliseconds(100))
            async let completed: Void = server.rooms.awaitCompletion(of: number)
            try await Task.sleep(for: .milliseconds(100))
            open.finish()
            _ = try await (held, completed)
            let message = try #require(try await server.store.event(try await sent))
            let key = try #require(try await server.store.number(of: .member(carol.sender)))
            let member = try #require(try await server.store.event(carol.eventID)).number
            #expect(try await server.store.state(try #require(message.state))[key] == member)
            #expect(try await server.rooms.view(number).membership(of: carol.sender) == .join)
        }
    }

    @Test func whoTurnsOutToBeThereIsOwedWhatWasSentMeanwhile() async throws {
        try await withPartialRoom { server, room, number, alice, carol in
            try await forgetTheRest(of: number, alice, server)
            let id = try await server.send("hello", to: room, by: alice)
            try await give(carol, of: number, server)
            try await server.rooms.awaitCompletion(of: number)
            let message = try #require(try await server.store.event(id))
            let servers = RoomServers(store: server.store, serverName: InboundServer.name)
            #expect(try await servers.contains(carol.sender.server, at: message))
            #expect(try await servers.servers(at: message) == [carol.sender.server])
        }
    }

    @Test func whatTheWholeStateDoesNotAllowIsNotKept() async throws {
        try await withPartialRoom { server, room, number, alice, carol in
            try await forgetTheRest(of: number, alice, server)
            let other = try FakeServer("there.example", asking: server)
            let leave = try await other.event(
                .member, stateKey: carol.sender.string, ["membership": "leave"], by: carol.sender, in: room,
                allowedBy: [carol])
            let text = try await other.event(
                .message, ["msgtype": "m.text", "body": "still here"], by: carol.sender, in: room, allowedBy: [carol])
            let before = try await server.send("hello", to: room, by: alice)
            server.outside.setHistory([carol.bytes], nearest: nil, state: [])
            try await other.send(text)
            let position = try #require(try await server.timelineEvent(text.eventID)?.position)
            #expect(try await ends(server, number).contains(text.eventID))

            let create = try #require(try await server.rooms.view(number).event(StateKey(.create))).event.eventID
            server.outside.setHistory([leave.bytes], nearest: nil, state: [create, leave.eventID])
            try await server.rooms.awaitCompletion(of: number)
            let rejected = try #require(try await server.store.event(text.eventID))
            #expect(rejected.status == .rejected && rejected.position == nil)
            #expect(try await server.rooms.view(number).membership(of: carol.sender) == .leave)
            #expect(try await ends(server, number) == [before])
            let announced = server.store.journal.entries(
                after: StreamPosition(position.rawValue - 1), through: position)
            if case .event = announced?.first?.change { Issue.record("it is announced still") }
            let rows = try await server.store.read { reader in
                try reader.journal.rows(after: StreamPosition(position.rawValue - 1), limit: 1)
            }
            #expect(rows.count == 1)
            if case .event = rows.first?.subject { Issue.record("it is written down still") }
            try await server.send("goodbye", to: room, by: alice)
        }
    }

    @Test func historyGetsTheWholeStateToo() async throws {
        try await withPartialRoom { server, room, number, alice, carol in
            let other = try FakeServer("there.example", asking: server)
            let bob = try other.user("bob")
            try await other.join(room, as: bob)
            try await forgetTheRest(of: number, alice, server)
            let old = try await other.profile("old", of: bob, in: room)
            let new = try await other.profile("new", of: bob, in: room, after: [old])
            let content: JSONValue = ["msgtype": "m.text", "body": "last"]
            let last = try await other.event(.message, content, by: bob, in: room, after: [new])
            let state = try await server.rooms.view(number).allEvents().map(\.event.eventID)
            server.outside.setHistory([old.bytes], nearest: nil, state: state, between: [new.bytes])
            try await other.send(last)
            // What is followed already stands in history.
            try await other.send(old)
            #expect(try #require(try await server.timelineEvent(old.eventID)?.position).rawValue < 0)

            try await give(carol, of: number, server)
            try await server.rooms.awaitCompletion(of: number)
            let key = try #require(try await server.store.number(of: .member(carol.sender)))
            let member = try #require(try await server.store.event(carol.eventID)).number
            for event in [old, new, last] {
                let after = try #require(try await server.store.event(event.eventID)?.state)
                #expect(try await server.store.state(after)[key] == member)
            }
        }
    }

    private func ends(_ server: InboundServer, _ number: RoomNumber) async throws -> [EventID] {
        try await server.store.read { reader in
            try reader.events.events(try reader.rooms.forwardExtremities(number)).map(\.event.eventID)
        }
    }
}
