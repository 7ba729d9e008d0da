import Testing

@testable import Matrix

@Suite struct EventTests {
    static let members: JSONValue = [
        "auth_events": ["$a", "$b"], "content": ["body": "hello"], "depth": 12, "hashes": ["sha256": "AA"],
        "origin_server_ts": 1_404_838_188_000, "prev_events": ["$c"], "room_id": "!room:example.org",
        "sender": "@alice:example.com", "signatures": ["example.com": ["ed25519:1": "AA"]], "type": "m.room.message",
        "unsigned": ["age": 4612],
    ]

    private func parse(_ members: JSONValue, _ version: RoomVersion = .v11) throws -> Event {
        try Event(parsing: members.serialized(), version: version)
    }

    private func with(_ changes: (inout JSONValue) -> Void) -> JSONValue {
        var members = Self.members
        changes(&members)
        return members
    }

    @Test func reads() throws {
        let event = try parse(Self.members)
        #expect(event.type == .message)
        #expect(event.sender.string == "@alice:example.com")
        #expect(event.roomID.string == "!room:example.org")
        #expect(event.originServerTS == 1_404_838_188_000)
        #expect(event.depth == 12)
        #expect(event.prevEvents.map(\.string) == ["$c"])
        #expect(event.authEvents.map(\.string) == ["$a", "$b"])
        #expect(event.stateKey == nil && event.state == nil && !event.isState)
        #expect(event.content["body"]?.string == "hello")
        #expect(event.bytes == Self.members.serialized())
        #expect(event.memoryFootprint > event.bytes.count)
        let state = try parse(with { $0["state_key"] = "" })
        #expect(state.state == StateKey(.message, ""))
    }

    @Test func readsPairsOfOldVersions() throws {
        var members = with {
            $0["event_id"] = "$e:example.com"
            $0["prev_events"] = [["$c:x", ["sha256": "AA"]], ["$d:x", [:]]]
            $0["auth_events"] = [["$a:x", ["sha256": "AA"]]]
        }
        let whole = members
        for version in [RoomVersion.v1, .v2] {
            let event = try parse(whole, version)
            #expect(event.eventID.string == "$e:example.com")
            #expect(event.prevEvents.map(\.string) == ["$c:x", "$d:x"])
            #expect(event.authEvents.map(\.string) == ["$a:x"])
            #expect(event.requiredSigners == [ServerName(trusted: "example.com")])
        }
        #expect(throws: EventError.invalid(.prevEvents)) { try parse(members, .v3) }
        members["event_id"] = nil
        #expect(throws: EventError.missing(.eventID)) { try parse(members, .v1) }
    }

    static let broken: [(String, JSONValue?, EventError)] = [
        ("type", nil, .missing(.type)), ("type", 1, .invalid(.type)),
        ("sender", nil, .missing(.sender)), ("sender", "alice", .invalid(.sender)),
        ("sender", "@a:", .invalid(.sender)),
        ("room_id", nil, .missing(.roomID)), ("room_id", "room", .invalid(.roomID)), ("room_id", 5, .invalid(.roomID)),
        ("content", nil, .missing(.content)), ("content", [], .invalid(.content)), ("content", "x", .invalid(.content)),
        ("state_key", 1, .invalid(.stateKey)), ("state_key", .null, .invalid(.stateKey)),
        ("depth", nil, .missing(.depth)), ("depth", "1", .invalid(.depth)), ("depth", -1, .invalid(.depth)),
        ("origin_server_ts", nil, .missing(.originServerTS)), ("origin_server_ts", .null, .invalid(.originServerTS)),
        ("prev_events", nil, .missing(.prevEvents)), ("prev_events", [:], .invalid(.prevEvents)),
        ("prev_events", [1], .invalid(.prevEvents)), ("prev_events", ["x"], .invalid(.prevEvents)),
        ("prev_events", [["$a", [:]]], .invalid(.prevEvents)),
        ("auth_events", nil, .missing(.authEvents)), ("auth_events", "$a", .invalid(.authEvents)),
        ("type", "a\u{0}b", .invalid(.type)), ("state_key", "\u{0}", .invalid(.stateKey)),
        ("hashes", nil, .missing(.hashes)), ("hashes", [:], .invalid(.hashes)), ("hashes", "x", .invalid(.hashes)),
        ("signatures", nil, .missing(.signatures)), ("signatures", [], .invalid(.signatures)),
        ("signatures", ["a": "b"], .invalid(.signatures)),
    ]

    @Test(arguments: broken)
    func rejectsBrokenMembers(name: String, value: JSONValue?, reason: EventError) {
        #expect(throws: reason) { try parse(with { $0[name] = value }) }
    }

    @Test func limitsOfFields() throws {
        let longest = String(repeating: "é", count: 127) + "x"
        _ = try parse(with { $0["type"] = .string(longest) })
        _ = try parse(with { $0["state_key"] = .string(longest) })
        #expect(throws: EventError.fieldTooLong(.type, bytes: 256)) {
            try parse(with { $0["type"] = .string(longest + "x") })
        }
        #expect(throws: EventError.fieldTooLong(.stateKey, bytes: 256)) {
            try parse(with { $0["state_key"] = .string(longest + "x") })
        }
        let sender = "@" + String(repeating: "a", count: 260) + ":b"
        #expect(throws: EventError.fieldTooLong(.sender, bytes: 263)) {
            try parse(with { $0["sender"] = .string(sender) })
        }
        let room = "!" + String(repeating: "a", count: 260)
        #expect(throws: EventError.fieldTooLong(.roomID, bytes: 261)) {
            try parse(with { $0["room_id"] = .string(room) })
        }
    }

    @Test func limitsOfReferences() throws {
        func ids(_ count: Int) -> JSONValue { .array((0..<count).map { .string("$\($0)") }) }
        _ = try parse(
            with {
                $0["prev_events"] = ids(20); $0["auth_events"] = ids(10)
            })
        #expect(throws: EventError.tooManyReferences(.prevEvents, count: 21)) {
            try parse(with { $0["prev_events"] = ids(21) })
        }
        #expect(throws: EventError.tooManyReferences(.authEvents, count: 11)) {
            try parse(with { $0["auth_events"] = ids(11) })
        }
    }

    @Test func limitOfTheWhole() throws {
        let empty = with { $0["content"] = ["body": ""] }.serialized().count
        func body(_ bytes: Int) -> String { String(repeating: "x", count: bytes - empty) }
        _ = try parse(with { $0["content"] = ["body": .string(body(65_536))] })
        #expect(throws: EventError.tooLarge(bytes: 65_537)) {
            try parse(with { $0["content"] = ["body": .string(body(65_537))] })
        }
        // It is the canonical text that counts, not what white space and escapes make of it.
        let spaced = String(repeating: " ", count: 70_000) + String(decoding: Self.members.serialized(), as: UTF8.self)
        _ = try Event(parsing: Array(spaced.utf8), version: .v11)
    }

    @Test func numbers() throws {
        func text(_ number: String) -> [UInt8] {
            Array(
                String(decoding: Self.members.serialized(), as: UTF8.self)
                    .replacing("\"body\":\"hello\"", with: "\"n\":\(number)").utf8
            )
        }
        for number in ["1.5", "9007199254740992", "1e3"] {
            #expect(throws: EventError.self) { try Event(parsing: text(number), version: .v6) }
            #expect(throws: EventError.numberNotAllowed) { try Event(JSON(parsing: text(number)), version: .v6) }
            _ = try Event(parsing: text(number), version: .v5)
        }
        _ = try Event(parsing: text("-0"), version: .v6)
        let deep = with { $0["depth"] = .integer(Int64.max) }
        #expect(throws: EventError.self) { try parse(deep, .v6) }
        #expect(try parse(deep, .v5).depth == Int64.max)
    }

    @Test func notAnObject() {
        #expect(throws: EventError.notAnObject) { try Event(parsing: Array("[]".utf8), version: .v11) }
        #expect(throws: EventError.json(.unexpectedEnd)) { try Event(parsing: [], version: .v11) }
        #expect(throws: EventError.json(.duplicateKey(offset: 8))) {
            try Event(parsing: Array(#"{"a":1,"a":2}"#.utf8), version: .v11)
        }
    }

    /// Computed apart from this code: SHA-256 over Python's sorted, compact JSON of the redacted event.
    @Test(arguments: [
        (RoomVersion.v3, "$QF+qmAmnxgN8JBIVdYRZ3/vCVKuDzQPAIyHWf/u+9Cs"),
        (.v4, "$QF-qmAmnxgN8JBIVdYRZ3_vCVKuDzQPAIyHWf_u-9Cs"),
        (.v12, "$QF-qmAmnxgN8JBIVdYRZ3_vCVKuDzQPAIyHWf_u-9Cs"),
    ])
    func identifierIsTheReferenceHash(version: RoomVersion, id: String) throws {
        #expect(try parse(with { $0["depth"] = 16 }, version).eventID.string == id)
    }

    @Test func roomOfACreationEvent() throws {
        let create = with {
            $0["type"] = "m.room.create"
            $0["state_key"] = ""
            $0["prev_events"] = []
            $0["auth_events"] = []
        }
        #expect(try parse(create, .v11).roomID.string == "!room:example.org")
        #expect(throws: EventError.roomIDNotAllowed) { try parse(create, .v12) }
        var roomless = create
        roomless["room_id"] = nil
        #expect(throws: EventError.missing(.roomID)) { try parse(roomless, .v11) }
        let event = try parse(roomless, .v12)
        #expect(event.roomID.string.dropFirst() == event.eventID.string.dropFirst())
        #expect(EventID(createEventOf: event.roomID) == event.eventID)
        #expect(try Event(trusted: event.bytes, version: .v12, eventID: event.eventID).roomID == event.roomID)
        #expect(throws: EventError.missing(.roomID)) { try parse(with { $0["room_id"] = nil }, .v12) }
    }

    @Test func redactsIsReadWhereTheVersionKeepsIt() throws {
        let both = with {
            $0["type"] = "m.room.redaction"
            $0["redacts"] = "$top"
            $0["content"] = ["redacts": "$inside"]
        }
        #expect(try parse(both, .v10).redacts?.string == "$top")
        #expect(try parse(both, .v11).redacts?.string == "$inside")
        #expect(try parse(with { $0["redacts"] = "$top" }, .v10).redacts == nil)
    }

    @Test func readingBackIsTheSame() throws {
        let event = try parse(with { $0["state_key"] = "k" })
        let stored = try Event(trusted: event.bytes, version: event.version, eventID: event.eventID)
        #expect(stored == event && stored.state == event.state && stored.sender == event.sender)
        #expect(stored.roomID == event.roomID && stored.depth == 12 && stored.originServerTS == event.originServerTS)
        #expect(throws: EventError.self) { try Event(trusted: [1], version: .v11, eventID: event.eventID) }
        #expect(throws: EventError.missing(.type)) {
            try Event(trusted: Array("{}".utf8), version: .v11, eventID: event.eventID)
        }
    }

    @Test func eventsOfALargerText() throws {
        let body: JSONValue = ["pdus": [Self.members, with { $0["depth"] = 13 }], "origin": "x"]
        let events =
            try #require(JSON(parsing: body.serialized())["pdus"]).elements.map { try Event($0, version: .v11) }
        #expect(events.map(\.depth) == [12, 13])
        #expect(events.first?.bytes == Self.members.serialized())
        #expect(events.first?.eventID == (try parse(Self.members).eventID))
        #expect(events.first?.federationBytes == with { $0["unsigned"] = nil }.serialized())
    }

    @Test func deepEventsPassWhereverEventsDo() throws {
        var content: JSONValue = ["end": 1]
        for _ in 0..<(JSONParserOptions.maximumEventDepth - 2) { content = ["a": content] }
        let members = with { $0["content"] = content }
        let event = try parse(members)
        let body: JSONValue = ["pdus": [members]]
        let json = try JSON(parsing: body.serialized(), options: .federation)
        #expect(try json["pdus"]?.elements.map { try Event($0, version: .v11) } == [event])
        #expect(try Event(trusted: event.bytes, version: .v11, eventID: event.eventID).content.value == content)
        #expect(throws: EventError.json(.tooDeep(limit: 200))) { try parse(with { $0["content"] = ["a": content] }) }
    }

    @Test func requiredSigners() throws {
        func names(_ members: JSONValue, _ version: RoomVersion) throws -> Set<String>? {
            try parse(members, version).requiredSigners.map { Set($0.map(\.string)) }
        }
        #expect(try names(Self.members, .v3) == ["example.com"])
        let old = with {
            $0["event_id"] = "$e:other.org"
            $0["prev_events"] = []
            $0["auth_events"] = []
        }
        #expect(try names(old, .v2) == ["example.com", "other.org"])
        func member(_ content: JSONValue) -> JSONValue {
            with {
                $0["type"] = "m.room.member"
                $0["state_key"] = "@alice:example.com"
                $0["content"] = content
            }
        }
        let restricted = member(["membership": "join", "join_authorised_via_users_server": "@b:resident.org"])
        #expect(try names(restricted, .v7) == ["example.com"])
        #expect(try names(restricted, .v8) == ["example.com", "resident.org"])
        #expect(try names(member(["membership": "join", "join_authorised_via_users_server": 1]), .v8) == nil)
        let invite = member(["membership": "invite", "third_party_invite": ["signed": [:]]])
        #expect(try names(invite, .v10) == [])
        #expect(try names(member(["membership": "join", "third_party_invite": [:]]), .v10) == ["example.com"])
    }
}
