import Testing

@testable import Matrix

@Suite struct ClientFormatTests {
    private func client(_ event: Event, room: Bool = false) throws -> JSON {
        var writer = JSONWriter()
        event.writeClient(into: &writer, includeRoomID: room)
        return try JSON(parsing: writer.bytes)
    }

    @Test(arguments: RoomVersion.all)
    func messages(version: RoomVersion) throws {
        let event = try EventFixtures.event(version, .message, content: ["body": "a\n\"é"])
        let synced = try client(event)
        #expect(
            synced.members.map(\.name).sorted() == ["content", "event_id", "origin_server_ts", "sender", "type"]
        )
        #expect(synced["content"]?.value == ["body": "a\n\"é"])
        #expect(synced["event_id"]?.string == event.eventID.string)
        #expect(synced["origin_server_ts"]?.int == 1_700_000_000_000)
        #expect(synced["sender"]?.string == "@alice:example.org")
        #expect(synced["type"]?.string == "m.room.message")
        let full = try client(event, room: true)
        #expect(full["room_id"]?.string == event.roomID.string)
    }

    @Test func creationEventsHaveARoom() throws {
        let event = try EventFixtures.event(.v12, .create, stateKey: "")
        let full = try client(event, room: true)
        #expect(full["room_id"]?.string == event.roomID.string)
        #expect(full["state_key"]?.string == "")
        #expect(try client(event)["room_id"] == nil)
    }

    @Test(arguments: RoomVersion.all)
    func redactionsNameTheirTargetTwice(version: RoomVersion) throws {
        let target = EventID(trusted: "$target:example.org")
        for content in [["reason": "x"], [:]] as [JSONValue] {
            let event = try EventFixtures.event(version, .redaction, content: content, redacts: target)
            let json = try client(event)
            #expect(json["redacts"]?.string == target.string)
            #expect(json["content"]?["redacts"]?.string == target.string)
            #expect(json["content"]?["reason"]?.string == content["reason"]?.string)
        }
    }

    @Test func unsignedComesFromTheCaller() throws {
        let received = Array(
            """
            {"auth_events":[],"content":{},"depth":1,"hashes":{"sha256":"AA"},"origin_server_ts":1,"prev_events":[],
            "room_id":"!r:a","sender":"@a:a","signatures":{},"type":"x","unsigned":{"age":5,"membership":"ban"}}
            """.utf8
        )
        let event = try Event(parsing: received, version: .v11)
        #expect(try client(event)["unsigned"] == nil)
        #expect(event.receivedUnsigned?["age"]?.int == 5)

        var writer = JSONWriter()
        writer.beginArray()
        event.writeClient(into: &writer, includeRoomID: true) { $0.member("age", 17 as Int64) }
        event.writeClient(into: &writer, includeRoomID: true, unsigned: Array(#"{"age":18}"#.utf8))
        event.writeClient(into: &writer, includeRoomID: true, unsigned: [UInt8]())
        writer.endArray()
        let list = try JSON(parsing: writer.bytes).elements.map { $0["unsigned"]?.value }
        #expect(list == [["age": 17], ["age": 18], nil])
    }

    @Test func stripped() throws {
        let event = try EventFixtures.event(.v12, .name, stateKey: "", content: ["name": "Room"])
        var writer = JSONWriter()
        event.writeStripped(into: &writer)
        #expect(
            try JSON(parsing: writer.bytes).value == [
                "content": ["name": "Room"], "sender": "@alice:example.org", "state_key": "", "type": "m.room.name",
            ]
        )
    }
}
