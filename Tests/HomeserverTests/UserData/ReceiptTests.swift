import Homeserver
import Matrix
import Store
import Testing

@Suite struct ReceiptTests {
    private func told(_ fixture: UserDataFixture, _ viewer: Requester, _ room: RoomID) async throws -> [ReceiptRecord] {
        let number = try #require(try await fixture.store.number(of: room))
        let end = fixture.store.journal.end
        return try await fixture.store.read { reader in
            try reader.receipts.changed(in: [number], visibleTo: viewer.number, after: StreamPosition(0), through: end)
                .map(\.receipt)
        }
    }

    @Test func receiptsOnlyMoveForward() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let room = try await fixture.room(alice)
            let first = try await fixture.send("1", to: room, by: alice)
            let second = try await fixture.send("2", to: room, by: alice)
            try await fixture.receipts.set(.read, event: second, of: alice.id, in: room)
            let end = fixture.store.journal.end
            try await fixture.receipts.set(.read, event: first, of: alice.id, in: room)
            try await fixture.receipts.set(.read, event: second, of: alice.id, in: room)
            #expect(fixture.store.journal.end == end)
            #expect(try await told(fixture, alice, room).map(\.eventID) == [second])
        }
    }

    @Test func privateReceiptsAreTheOwners() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            let event = try await fixture.send("1", to: room, by: alice)
            try await fixture.receipts.set(.readPrivate, event: event, of: bob.id, in: room)
            try await fixture.receipts.set(.read, event: event, of: alice.id, in: room)
            #expect(try await told(fixture, alice, room).map(\.userID) == [alice.id])
            #expect(try await told(fixture, bob, room).map(\.type) == ["m.read.private", "m.read"])
        }
    }

    @Test func threadsHaveTheirOwnReceipts() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let room = try await fixture.room(alice)
            let root = try await fixture.send("root", to: room, by: alice)
            let reply = try await fixture.send("reply", to: room, by: alice, thread: root)
            let after = try await fixture.send("after", to: room, by: alice)
            let receipts = fixture.receipts
            try await receipts.set(.read, event: reply, thread: root.string, of: alice.id, in: room)
            try await receipts.set(.read, event: root, thread: "main", of: alice.id, in: room)
            try await receipts.set(.read, event: after, of: alice.id, in: room)
            #expect(try await told(fixture, alice, room).map(\.thread) == [root.string, "main", nil])

            let refused: [(EventID, String, ReceiptType)] = [
                (reply, "main", .read), (after, root.string, .read), (after, "", .read), (after, "nonsense", .read),
                (after, "main", .fullyRead),
            ]
            for (event, thread, type) in refused {
                let code = try await errorCode {
                    try await receipts.set(type, event: event, thread: thread, of: alice.id, in: room)
                }
                #expect(code == .invalidParameter, "\(thread) \(type)")
            }
        }
    }

    @Test func aReactionBelongsToTheThreadOfItsTarget() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let room = try await fixture.room(alice)
            let root = try await fixture.send("root", to: room, by: alice)
            let reply = try await fixture.send("reply", to: room, by: alice, thread: root)
            let content: JSONValue = [
                "m.relates_to": ["rel_type": "m.annotation", "event_id": .string(reply.string), "key": "x"]
            ]
            let reaction = try await fixture.rooms.send(
                .reaction, content: content.json, transactionID: "r", to: room, by: alice)
            try await fixture.receipts.set(.read, event: reaction, thread: root.string, of: alice.id, in: room)
            #expect(try await told(fixture, alice, room).map(\.eventID) == [reaction])
        }
    }

    @Test func strangersAndUnknownEventsAreRefused() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let eve = try await fixture.user("eve")
            let room = try await fixture.room(alice)
            let other = try await fixture.room(alice)
            let event = try await fixture.send("1", to: room, by: alice)
            let foreign = try await fixture.send("1", to: other, by: alice)
            let receipts = fixture.receipts
            #expect(
                try await errorCode { try await receipts.set(.read, event: event, of: eve.id, in: room) } == .forbidden)
            #expect(
                try await errorCode { try await receipts.set(.read, event: foreign, of: alice.id, in: room) }
                    == .notFound)
        }
    }

    @Test func theMarkerIsAccountDataAndOnlyMovesForward() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let room = try await fixture.room(alice)
            let first = try await fixture.send("1", to: room, by: alice)
            let second = try await fixture.send("2", to: room, by: alice)
            try await fixture.receipts.set(.fullyRead, event: second, of: alice.id, in: room)
            try await fixture.receipts.set(.fullyRead, event: first, of: alice.id, in: room)
            let content = try await fixture.accountData.content(of: alice.id, room: room, type: "m.fully_read")
            #expect(try JSON(parsing: content)["event_id"]?.string == second.string)
            #expect(try await told(fixture, alice, room).isEmpty)
        }
    }

    @Test func severalThreadsAtOneEventBecomeSeveralEvents() throws {
        let user = try #require(UserID("@a:x"))
        let event = try #require(EventID("$event"))
        let receipts = [nil, "main"].map { thread in
            ReceiptRecord(
                room: RoomNumber(1), user: UserNumber(1), userID: user, type: "m.read", eventID: event,
                eventPosition: nil, thread: thread, timestamp: 5)
        }
        #expect(
            ReceiptEvents.events(receipts).map { String(decoding: $0, as: UTF8.self) } == [
                #"{"type":"m.receipt","content":{"$event":{"m.read":{"@a:x":{"ts":5}}}}}"#,
                #"{"type":"m.receipt","content":{"$event":{"m.read":{"@a:x":{"ts":5,"thread_id":"main"}}}}}"#,
            ])
    }
}
