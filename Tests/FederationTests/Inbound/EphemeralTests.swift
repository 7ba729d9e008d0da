import Matrix
import Store
import Testing

@testable import Homeserver

@Suite struct EphemeralTests {
    /// A server with a public room in which its user alice and bob of another server are.
    private func withRoom(
        _ body: (InboundServer, FakeServer, RoomID, _ alice: Requester, _ bob: UserID) async throws -> Void
    ) async throws {
        try await InboundServer.onEachEngine { server in
            let other = try FakeServer("there.example", asking: server)
            let alice = try await server.user("alice")
            let room = try await server.publicRoom(by: alice)
            let bob = try other.user("bob")
            try await other.join(room, as: bob)
            try await body(server, other, room, alice, bob)
        }
    }

    private func typing(_ user: UserID, _ room: RoomID, _ isTyping: Bool = true) -> (type: String, content: JSONValue) {
        ("m.typing", ["room_id": .string(room.string), "user_id": .string(user.string), "typing": .bool(isTyping)])
    }

    private func receipt(
        _ event: EventID, _ user: UserID, _ room: RoomID, thread: String? = nil
    ) -> (type: String, content: JSONValue) {
        var data: JSONValue = ["ts": 5]
        data["thread_id"] = thread.map { .string($0) }
        let read: JSONValue = .object([
            user.string: ["event_ids": [.string(event.string)], "data": data]
        ])
        return ("m.receipt", .object([room.string: ["m.read": read]]))
    }

    @Test func typistsAreShown() async throws {
        try await withRoom { server, other, room, alice, bob in
            let number = try #require(try await server.store.number(of: room))
            let carol = try other.user("carol")
            let eve = try #require(UserID("@eve:elsewhere.example"))
            try await other.send(edus: [
                typing(bob, room), typing(carol, room), typing(eve, room), typing(alice.id, room),
                typing(bob, RoomID(trusted: "!unknown")), ("m.typing", [:]), ("m.typing", ["room_id": 7]),
            ])
            #expect(server.typing.typists(in: number) == [bob])
            try await other.send(edus: [typing(bob, room, false)])
            #expect(server.typing.typists(in: number).isEmpty)
        }
    }

    @Test func manyRemoteTypistsLeaveRoomForOurs() async throws {
        try await withRoom { server, other, room, alice, bob in
            let number = try #require(try await server.store.number(of: room))
            for index in 0..<TypingService.maximumRemoteTypists {
                server.typing.set(true, try other.user("u\(index)"), in: number)
            }
            try await other.send(edus: [typing(bob, room)])
            #expect(!server.typing.typists(in: number).contains(bob))
            try await server.typing.set(true, alice.id, in: room)
            #expect(server.typing.typists(in: number).contains(alice.id))
        }
    }

    @Test func receiptsAreKept() async throws {
        try await withRoom { server, other, room, alice, bob in
            let number = try #require(try await server.store.number(of: room))
            let user = try #require(try await server.store.number(of: bob))
            let event = try await server.send("read me", to: room, by: alice)
            let carol = try other.user("carol")
            let eve = try #require(UserID("@eve:elsewhere.example"))
            try await other.send(edus: [
                receipt(event, bob, room), receipt(event, bob, room, thread: "main"),
                receipt(event, bob, room, thread: "no event"), receipt(event, carol, room), receipt(event, eve, room),
                receipt(event, alice.id, room), receipt(event, bob, RoomID(trusted: "!unknown")),
                ("m.receipt", ["!x": 7, "no room": [:]]),
            ])
            let kept = try await server.store.read { try $0.receipts.receipts(of: user, in: number) }
            #expect(kept.map(\.receipt.thread) == [nil, "main"])
            #expect(kept.allSatisfy { $0.receipt.eventID == event && $0.receipt.timestamp == 5 })
            #expect(kept[0].receipt.eventPosition != nil)
            #expect(try await server.store.read { try $0.receipts.receipts(of: alice.number, in: number) }.isEmpty)
            // One for an event that is not here yet counts too; one for an earlier event does not.
            let later = EventID(trusted: "$later")
            try await other.send(edus: [receipt(later, bob, room)])
            let now = try await server.store.read {
                try $0.receipts.receipt(of: user, in: number, type: "m.read", thread: nil)
            }
            #expect(now?.receipt.eventID == later)
        }
    }

    @Test func deniedServersTellNothing() async throws {
        try await withRoom { server, other, room, alice, bob in
            let number = try #require(try await server.store.number(of: room))
            let user = try #require(try await server.store.number(of: bob))
            let content: JSONValue = ["allow": ["here.example"]]
            let event = try await server.rooms.setState(.serverACL, key: "", content: content.json, in: room, by: alice)
            try await other.send(edus: [typing(bob, room), receipt(event, bob, room)])
            #expect(server.typing.typists(in: number).isEmpty)
            #expect(try await server.store.read { try $0.receipts.receipts(of: user, in: number) }.isEmpty)
        }
    }

    @Test func presenceIsKeptWhileItIsSaidAgain() async throws {
        try await withRoom { server, other, room, alice, bob in
            func presence(_ user: UserID, _ state: String) -> (type: String, content: JSONValue) {
                let update: JSONValue = [
                    "user_id": .string(user.string), "presence": .string(state), "last_active_ago": 1_000,
                    "currently_active": true, "status_msg": "hi",
                ]
                return ("m.presence", ["push": [update, 7, ["user_id": "x"]]])
            }
            let stranger = try other.user("stranger")
            let start = server.store.journal.end
            try await other.send(edus: [
                presence(bob, "online"), presence(stranger, "online"), presence(alice.id, "online"),
                presence(bob, "dancing"), ("m.presence", ["push": 7]),
            ])
            let status = try await server.presence.presence(of: bob, seenBy: alice.id)
            #expect(status.state == .online && status.statusMessage == "hi" && status.isCurrentlyActive == true)
            #expect(status.lastActiveAgoMilliseconds == 1_000)
            let number = try #require(try await server.store.number(of: bob))
            #expect(try await server.presence.changes(after: start, through: server.store.journal.end) == [number])
            #expect(try await server.store.number(of: stranger) == nil)
            // The same once more is no news.
            let end = server.store.journal.end
            try await other.send(edus: [presence(bob, "online")])
            #expect(server.store.journal.end == end)
            server.clock.advance(milliseconds: 31 * 60_000)
            await server.remotePresence.sweep()
            #expect(try await server.presence.presence(of: bob, seenBy: alice.id).state == .online)
            server.clock.advance(milliseconds: 2 * 60_000)
            await server.remotePresence.sweep()
            #expect(try await server.presence.presence(of: bob, seenBy: alice.id).state == .offline)
        }
    }

    @Test func messagesForDevicesArriveOnce() async throws {
        try await withRoom { server, other, room, alice, bob in
            func message(
                _ id: String, from sender: UserID, to user: UserID, _ device: String, _ text: String = "hi"
            ) -> (type: String, content: JSONValue) {
                (
                    "m.direct_to_device",
                    [
                        "sender": .string(sender.string), "type": "m.test", "message_id": .string(id),
                        "messages": .object([user.string: .object([device: ["text": .string(text)]])]),
                    ]
                )
            }
            let eve = try #require(UserID("@eve:elsewhere.example"))
            let nobody = try #require(UserID("@nobody:here.example"))
            try await other.send(edus: [
                message("1", from: bob, to: alice.id, "DEVICE"), message("1", from: bob, to: alice.id, "DEVICE"),
                message("2", from: bob, to: alice.id, "*"), message("3", from: eve, to: alice.id, "DEVICE"),
                message("4", from: bob, to: alice.id, "OTHER"), message("5", from: bob, to: nobody, "DEVICE"),
                message("6", from: bob, to: bob, "DEVICE"), ("m.direct_to_device", ["sender": "x"]),
                message("7", from: bob, to: alice.id, "DEVICE", String(repeating: "x", count: 70_000)),
            ])
            let expected: JSONValue = ["type": "m.test", "sender": .string(bob.string), "content": ["text": "hi"]]
            #expect(try await server.messages(alice) == [expected, expected])
            // In another transaction, and after a restart, it is the same message; from another server another.
            try await other.send(edus: [message("1", from: bob, to: alice.id, "DEVICE")])
            let restarted = try server.restarted()
            defer { restarted.stop() }
            try await FakeServer(other.name.string, asking: restarted)
                .send(edus: [message("2", from: bob, to: alice.id, "DEVICE")], id: "after-restart")
            #expect(try await server.messages(alice).count == 2)
            let third = try FakeServer("third.example", asking: server)
            try await third.send(edus: [message("1", from: try third.user("carol"), to: alice.id, "DEVICE")])
            #expect(try await server.messages(alice).count == 3)
        }
    }

    @Test func whatIsHostileHoldsUpNothing() async throws {
        try await withRoom { server, other, room, alice, bob in
            let nul: JSONValue = [
                "sender": .string(bob.string), "type": "m.\u{0}", "message_id": "n", "messages": [:],
            ]
            var receipts = JSONObject()
            for index in 0..<3_000 { receipts["!r\(index):there.example"] = ["m.read": ["@x:there.example": 1]] }
            let event = try await other.message("among them", by: bob, in: room)
            let answer = try await other.send(
                [event.bytes],
                edus: [
                    ("m.direct_to_device", nul), ("m.receipt", .object(receipts)),
                    ("m.presence", ["push": .array(Array(repeating: ["user_id": .string(bob.string)], count: 5_000))]),
                    ("m.device_list_update", ["user_id": .string(bob.string), "device_id": "\u{0}", "stream_id": 1]),
                    (
                        "m.device_list_update",
                        [
                            "user_id": .string(bob.string), "device_id": "D", "stream_id": 1,
                            "device_display_name": "\u{0}", "prev_id": .array(Array(repeating: 1, count: 5_000)),
                        ]
                    ),
                ])
            #expect(answer.status == 200 && answer["pdus"]?[event.eventID.string]?.value == [:])
            try await server.settle()
            #expect(try await server.timelineEvent(event.eventID) != nil)
        }
    }
}
