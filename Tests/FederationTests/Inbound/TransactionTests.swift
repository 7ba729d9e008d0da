import FederationWire
import Homeserver
import Matrix
import Store
import Testing

@Suite struct TransactionTests {
    /// A server with a public room in which its user alice and bob of another server are.
    private func withRoom(
        version: RoomVersion = .v12,
        _ body: (InboundServer, FakeServer, RoomID, _ alice: Requester, _ bob: UserID) async throws -> Void
    ) async throws {
        try await InboundServer.onEachEngine { server in
            let other = try FakeServer("there.example", asking: server)
            let alice = try await server.user("alice")
            let room = try await server.publicRoom(by: alice, version: version)
            let bob = try other.user("bob")
            try await other.join(room, as: bob)
            try await body(server, other, room, alice, bob)
        }
    }

    @Test(arguments: [RoomVersion.v1, .v3, .v6, .v10, .v12])
    func eventsAreTakenAndShown(version: RoomVersion) async throws {
        try await withRoom(version: version) { server, other, room, alice, bob in
            let view = try await server.rooms.view(try #require(try await server.store.number(of: room)))
            #expect(try await view.membership(of: bob) == .join)
            let event = try await other.message("hello", by: bob, in: room)
            try await other.send(event)
            let stored = try #require(try await server.timelineEvent(event.eventID))
            #expect(stored.event.content["body"]?.string == "hello")
            // Once more, as after an answer that was lost: nothing is there twice.
            try await other.send(event)
            let end = server.store.journal.end
            try await other.send(event)
            #expect(server.store.journal.end == end)
        }
    }

    @Test func eachEventIsJudgedOnItsOwn() async throws {
        try await withRoom { server, other, room, alice, bob in
            let good = try await other.message("good", by: bob, in: room)
            var unsigned = try await other.message("unsigned", by: bob, in: room).json.value
            unsigned["signatures"] = [:]
            let unsignedEvent = try Event(parsing: unsigned.serialized(), version: .v12)
            var malformed = try await other.message("malformed", by: bob, in: room).json.value
            malformed["depth"] = "3"
            let elsewhere = RoomID(trusted: "!nowhere:there.example")
            var unknown = try await other.message("unknown", by: bob, in: room).json.value
            unknown["room_id"] = .string(elsewhere.string)
            unknown["event_id"] = "$unknown:there.example"
            let answer = try await other.send([
                malformed.serialized(), good.bytes, unsigned.serialized(), unknown.serialized(),
                Array("7".utf8), Array("null".utf8), Array("[]".utf8), Array(#"{"room_id":7}"#.utf8), Array("{}".utf8),
            ])
            #expect(answer.status == 200)
            let results = try #require(answer["pdus"])
            #expect(results[good.eventID.string]?.value == [:])
            #expect(results[unsignedEvent.eventID.string]?["error"]?.string != nil)
            #expect(results["$unknown:there.example"]?["error"]?.string != nil)
            let malformedID = try #require(EventID(claimedBy: malformed.json, version: .v12))
            #expect(results[malformedID.string]?["error"]?.string != nil)
            try await server.settle()
            #expect(try await server.timelineEvent(good.eventID) != nil)
            #expect(try await server.store.event(unsignedEvent.eventID) == nil)
            #expect(try await server.store.number(of: elsewhere) == nil)
        }
    }

    @Test func anEventWhoseServerHidesWhatComesBeforeIsNotKept() async throws {
        try await withRoom { server, other, room, alice, bob in
            let gap = try await other.message("hidden", by: bob, in: room)
            let body: JSONValue = ["body": "on a state of its server's choice"]
            let event = try await other.event(.message, body, by: bob, in: room, after: [gap])
            let state = try await server.rooms.state(of: room, by: alice)
            server.outside.setHistory([gap.bytes], nearest: nil, state: state.map(\.event.eventID), between: [])
            try await other.send(event)
            #expect(try await server.store.event(event.eventID) == nil)
            // Told what comes before, the server takes both.
            server.outside.setHistory([], nearest: nil, state: [], between: [gap.bytes])
            try await other.send(event)
            #expect(try await server.timelineEvent(gap.eventID) != nil)
            #expect(try await server.timelineEvent(event.eventID) != nil)
        }
    }

    @Test func redactionsThatRedactNothingAreNotShown() async throws {
        try await withRoom(version: .v10) { server, other, room, alice, bob in
            let hers = try await server.send("hers", to: room, by: alice)
            let his = try await other.message("his", by: bob, in: room)
            try await other.send(his)
            let elsewhere = try await server.send("elsewhere", to: try await server.publicRoom(by: alice), by: alice)
            func redaction(of target: EventID) async throws -> Event {
                let draft = try await other.event(.redaction, [:], by: bob, in: room)
                var builder = EventBuilder(
                    version: .v10, roomID: room, type: .redaction, sender: bob, content: draft.content,
                    originServerTS: server.clock.now, depth: draft.depth,
                    prevEvents: draft.prevEvents, authEvents: draft.authEvents)
                builder.redacts = target
                let event = try builder.build(serverName: other.name, signer: FixedKeys.key(of: other.name))
                try await other.send(event)
                return event
            }
            let good = try await redaction(of: his.eventID)
            let bad = [try await redaction(of: hers), try await redaction(of: elsewhere)]
            let page = try await server.rooms.messages(
                room, from: nil, to: nil, backward: true, limit: 50, filter: .all, by: alice)
            let shown = page.events.map(\.event.eventID)
            #expect(shown.contains(good.eventID) && shown.contains(hers))
            #expect(!bad.contains { shown.contains($0.eventID) })
            #expect(page.events.first { $0.event.eventID == hers }?.event.content["body"]?.string == "hers")
            // Hidden, not lost: what follows builds on them.
            let last = try await other.message("last", by: bob, in: room)
            #expect(last.prevEvents == [bad[1].eventID])
        }
    }

    @Test func aForgedContentIsRedacted() async throws {
        try await withRoom { server, other, room, alice, bob in
            let event = try await other.message("true", by: bob, in: room)
            var forged = event.json.value
            forged["content"]?["body"] = "false"
            #expect(try await other.send([forged.serialized()])["pdus"]?[event.eventID.string]?.value == [:])
            try await server.settle()
            let stored = try #require(try await server.timelineEvent(event.eventID))
            #expect(stored.event.content.value == [:])
        }
    }

    @Test func deniedServersAreRefused() async throws {
        try await withRoom { server, other, room, alice, bob in
            let third = try FakeServer("third.example", asking: server)
            let carol = try third.user("carol")
            try await third.join(room, as: carol)
            let content: JSONValue = ["allow": ["*"], "deny": ["there.*"]]
            _ = try await server.rooms.setState(.serverACL, key: "", content: content.json, in: room, by: alice)
            let event = try await other.message("denied", by: bob, in: room)
            let answer = try await other.send([event.bytes])
            #expect(answer.status == 200)
            #expect(answer["pdus"]?[event.eventID.string]?["error"]?.string != nil)
            try await server.settle()
            #expect(try await server.store.event(event.eventID) == nil)
            let allowed = try await third.message("allowed", by: carol, in: room)
            try await third.send(allowed)
            #expect(try await server.timelineEvent(allowed.eventID) != nil)
        }
    }

    @Test func nothingIsTakenForRoomsThatWeHaveLeft() async throws {
        try await withRoom { server, other, room, alice, bob in
            try await server.rooms.leave(room, by: alice)
            let event = try await other.message("alone", by: bob, in: room)
            let answer = try await other.send([event.bytes])
            #expect(answer["pdus"]?[event.eventID.string]?["error"]?.string == "This server is not in that room")
        }
    }

    @Test func tooMuchIsRefusedAsAWhole() async throws {
        try await withRoom { server, other, room, alice, bob in
            let event = try await other.message("again", by: bob, in: room)
            var answer = try await other.send(Array(repeating: event.bytes, count: 51))
            #expect(answer.status == 400)
            let edu = (type: "m.unknown", content: [:] as JSONValue)
            answer = try await other.send(edus: Array(repeating: edu, count: 101))
            #expect(answer.status == 400)
            #expect(try await server.store.event(event.eventID) == nil)
            // As many as are allowed, all the same.
            answer = try await other.send(
                Array(repeating: event.bytes, count: 50), edus: Array(repeating: edu, count: 100))
            #expect(answer.status == 200 && answer["pdus"]?.count == 1)
            try await server.settle()
            #expect(try await server.timelineEvent(event.eventID) != nil)
        }
    }

    @Test func bodiesThatAreNoTransactionsAreRefused() async throws {
        try await withRoom { _, other, _, _, _ in
            let path = "/_matrix/federation/v1/send/x"
            let deep = String(repeating: #"{"a":"#, count: 5_000) + "1" + String(repeating: "}", count: 5_000)
            for body in [#"{"pdus":{}}"#, #"{"pdus":[],"edus":7}"#, "[]", deep, ""] {
                let answer = try await other.ask(.put, path, body: Array(body.utf8))
                #expect(answer.status == 400)
            }
            let long = String(repeating: "x", count: 300)
            let answer = try await other.ask(.put, "/_matrix/federation/v1/send/\(long)", body: Array("{}".utf8))
            #expect(answer.status == 400)
        }
    }

    @Test func aRepeatedTransactionIsAnsweredTheSame() async throws {
        try await withRoom { server, other, room, alice, bob in
            let first = try await other.message("first", by: bob, in: room)
            let bad = try await other.message(
                "bad", by: try FakeServer("x.example", asking: server).user("eve"), in: room)
            let answer = try await other.send([first.bytes, bad.bytes], id: "same")
            #expect(answer["pdus"]?.count == 2)
            try await server.settle()
            let second = try await other.message("second", by: bob, in: room)
            #expect(try await other.send([second.bytes], id: "same").body.value == answer.body.value)
            #expect(try await server.store.event(second.eventID) == nil)
            // Also by a server that has started anew.
            let again = try server.restarted()
            defer { again.stop() }
            let restarted = try FakeServer(other.name.string, asking: again)
            #expect(try await restarted.send([second.bytes], id: "same").body.value == answer.body.value)
            // The names that another server gives mean other transactions.
            let third = try FakeServer("third.example", asking: server)
            #expect(try await third.send([second.bytes], id: "same")["pdus"]?[second.eventID.string]?.value == [:])
        }
    }

    @Test func onlyTheLastTransactionsAreRemembered() async throws {
        try await withRoom { server, other, room, alice, bob in
            for index in 0..<30 {
                server.clock.advance(milliseconds: 1)
                try await other.send([try await other.message("\(index)", by: bob, in: room).bytes], id: "t\(index)")
            }
            let count = try await server.store.read { reader in
                try reader.sql.first("SELECT COUNT(*) FROM received_transactions") { try $0.int(0) }
            }
            #expect(count == 20)
            #expect(
                try await server.store.read { try $0.receivedTransactions.response(to: "t29", from: other.name) } != nil
            )
        }
    }

    @Test func oldTransactionsAreForgotten() async throws {
        try await withRoom { server, other, room, alice, bob in
            let message: JSONValue = [
                "sender": .string(bob.string), "type": "m.test", "message_id": "once",
                "messages": .object([alice.id.string: ["DEVICE": ["a": 1]]]),
            ]
            func counts() async throws -> [Int64?] {
                try await server.store.read { reader in
                    [
                        try reader.sql.first("SELECT COUNT(*) FROM received_transactions") { try $0.int(0) },
                        try reader.sql.first("SELECT COUNT(*) FROM received_device_messages") { try $0.int(0) },
                    ]
                }
            }
            try await other.send(edus: [("m.direct_to_device", message)])
            #expect(try await counts() == [2, 1])
            server.clock.advance(milliseconds: 6 * 86_400_000)
            try await other.send(try await other.message("later", by: bob, in: room))
            #expect(try await counts() == [3, 1])
            server.clock.advance(milliseconds: 2 * 86_400_000)
            try await other.send(try await other.message("last", by: bob, in: room))
            #expect(try await counts() == [2, 0])
        }
    }

    @Test func largeTransactionsAreTakenIn() async throws {
        try await withRoom { server, other, room, alice, bob in
            var events: [Event] = []
            for index in 0..<50 {
                let content: JSONValue = [
                    "body": .string(String(repeating: "x", count: 63_000)), "n": .integer(Int64(index)),
                ]
                events.append(try await other.event(.message, content, by: bob, in: room))
            }
            let answer = try await other.send(events.map(\.bytes))
            #expect(answer["pdus"]?.members.allSatisfy { $0.value.value == [:] } == true)
            try await server.settle()
            for event in events { #expect(try await server.timelineEvent(event.eventID) != nil) }
        }
    }

    @Test func theCreationOfARoomNamedAfterItIsOfNoRoomHere() async throws {
        try await withRoom { server, other, room, alice, bob in
            let builder = EventBuilder(
                version: .v12, roomID: nil, type: .create, stateKey: "", sender: bob,
                content: ["room_version": "12"] as JSONValue, originServerTS: 5, depth: 1)
            let create = try builder.build(serverName: other.name, signer: FixedKeys.key(of: other.name))
            let answer = try await other.send([create.bytes])
            #expect(answer["pdus"]?[create.eventID.string]?["error"]?.string == "This server is not in that room")
            #expect(try await server.store.number(of: create.roomID) == nil)
        }
    }

    @Test func requestsMustBeSigned() async throws {
        try await withRoom { server, other, room, _, bob in
            let event = try await other.message("unproved", by: bob, in: room)
            let transaction = FederationTransaction(
                origin: other.name, originServerTS: 1, pdus: [event.bytes], edus: [])
            let response = await server.router.respond(
                .put, "/_matrix/federation/v1/send/1", body: .bytes(transaction.body))
            #expect(response.status == 401)
            let stranger = try FakeServer(FixedKeys.unreachable.string, asking: server)
            #expect(try await stranger.send([event.bytes]).status == 401)
            #expect(try await server.store.event(event.eventID) == nil)
        }
    }
}
