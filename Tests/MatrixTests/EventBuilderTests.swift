import Testing

@testable import Matrix

@Suite struct EventBuilderTests {
    @Test(arguments: RoomVersion.all)
    func whatIsBuiltIsValid(version: RoomVersion) throws {
        let content: JSONValue = ["body": "é \"quoted\"\n", "b": ["z": 1, "a": [true, .null, -5]]]
        for (type, stateKey) in [(.message, nil), (.topic, ""), (.create, "")] as [(EventType, ExactString?)] {
            let event = try EventFixtures.event(version, type, stateKey: stateKey, content: content)
            #expect(event.json.node.isCanonical)
            #expect(event.hasValidContentHash)
            #expect(event.content.value == (try JSON(parsing: CanonicalJSON.text(of: content)).value))
            let key = EventFixtures.key()
            #expect(event.verify(server: EventFixtures.server, keyID: key.keyID, key: key.publicKey))
            #expect(event.requiredSigners == [EventFixtures.server])
            #expect(event.keyIDs(of: EventFixtures.server) == [key.keyID])
            #expect(event[.unsigned] == nil)

            let parsed = try Event(parsing: event.bytes, version: version)
            #expect(parsed.eventID == event.eventID && parsed.roomID == event.roomID)
            #expect(parsed.prevEvents == event.prevEvents && parsed.authEvents == event.authEvents)
            #expect(parsed.stateKey == stateKey && parsed.depth == 5 && parsed.sender == EventFixtures.alice)
        }
    }

    @Test(arguments: RoomVersion.all)
    func redactionsNameTheirTarget(version: RoomVersion) throws {
        let target = EventID(trusted: "$target:example.org")
        let event = try EventFixtures.event(version, .redaction, content: ["reason": "x"], redacts: target)
        #expect(event.redacts == target)
        let isInside = ["11", "12"].contains(version.id)
        #expect((event.json["redacts"] == nil) == isInside)
        #expect((event.content["redacts"] == nil) != isInside)
        #expect(event.content["reason"]?.string == "x")
        #expect(event.hasValidContentHash)
    }

    @Test func changedEventsAreNoticed() throws {
        let event = try EventFixtures.event(.v12, .message, content: ["body": "yes"])
        var value = event.json.value
        value["content"] = ["body": "no"]
        let forged = try Event(parsing: value.serialized(), version: .v12)
        // The content is only covered by its hash …
        #expect(forged.eventID == event.eventID)
        #expect(!forged.hasValidContentHash)
        // … everything else by the signature.
        value["sender"] = "@mallory:example.org"
        let key = EventFixtures.key()
        let impostor = try Event(parsing: value.serialized(), version: .v12)
        #expect(impostor.eventID != event.eventID)
        #expect(!impostor.verify(server: EventFixtures.server, keyID: key.keyID, key: key.publicKey))
        let other = try #require(SigningKey(seed: [UInt8](repeating: 8, count: 32), version: "test"))
        #expect(!event.verify(server: EventFixtures.server, keyID: key.keyID, key: other.publicKey))
        #expect(!event.verify(server: ServerName(trusted: "other.org"), keyID: key.keyID, key: key.publicKey))
    }

    @Test func signaturesAreAdded() throws {
        let event = try EventFixtures.event(.v12, .message, content: ["body": "x"])
        let other = ServerName(trusted: "policy.example.org")
        let key = try #require(SigningKey(seed: [UInt8](repeating: 8, count: 32), version: "policy_server"))
        let signed = try event.signed(by: other, key: key)
        #expect(signed.eventID == event.eventID)
        #expect(signed.hasValidContentHash)
        #expect(signed.verify(server: other, keyID: key.keyID, key: key.publicKey))
        let own = EventFixtures.key()
        #expect(signed.verify(server: EventFixtures.server, keyID: own.keyID, key: own.publicKey))
    }

    @Test func templatesMayLackHashesOfAuthEvents() throws {
        var builder = EventFixtures.builder(.v1, .message, content: ["body": "x"])
        func template(_ prev: JSONValue, _ auth: JSONValue) -> JSON {
            ([
                "depth": 3, "prev_events": [["$p:a.org", prev]],
                "auth_events": [["$a:a.org", auth], ["$b:a.org", ["sha256": "AQ"]]],
            ]
                as JSONValue).json
        }
        try builder.follow(template: template(["sha256": "AQ"], [:]))
        let event = try builder.build(serverName: EventFixtures.server, signer: EventFixtures.key())
        #expect(event.json["auth_events"]?.value == [["$a:a.org", [:]], ["$b:a.org", ["sha256": "AQ"]]])
        #expect(event.authEvents.map(\.string) == ["$a:a.org", "$b:a.org"])
        #expect(throws: EventError.invalid(.prevEvents)) { try builder.follow(template: template([:], [:])) }
        #expect(throws: EventError.invalid(.authEvents)) {
            try builder.follow(template: template(["sha256": "AQ"], "x"))
        }
    }

    @Test func limits() throws {
        func build(_ change: (inout EventBuilder) throws -> Void, _ version: RoomVersion = .v12) throws -> Event {
            var builder = EventFixtures.builder(version, .message, content: ["body": "x"])
            try change(&builder)
            return try builder.build(serverName: EventFixtures.server, signer: EventFixtures.key())
        }
        let long = String(repeating: "x", count: 256)
        let ids = (0...20).map { EventID(trusted: "$\($0)") }
        #expect(throws: EventError.fieldTooLong(.type, bytes: 256)) { try build { $0.type = EventType(long) } }
        #expect(throws: EventError.fieldTooLong(.stateKey, bytes: 256)) {
            try build { $0.stateKey = ExactString(long) }
        }
        #expect(throws: EventError.invalid(.type)) { try build { $0.type = EventType("a\u{0}b") } }
        #expect(throws: EventError.invalid(.stateKey)) { try build { $0.stateKey = ExactString("\u{0}") } }
        #expect(throws: EventError.tooManyReferences(.prevEvents, count: 21)) { try build { $0.prevEvents = ids } }
        #expect(throws: EventError.tooManyReferences(.authEvents, count: 21)) { try build { $0.authEvents = ids } }
        #expect(throws: EventError.missing(.roomID)) { try build { $0.roomID = nil } }
        #expect(throws: EventError.roomIDNotAllowed) { try build { $0.type = .create } }
        #expect(throws: EventError.invalid(.content)) { try build { $0.content = (["x"] as JSONValue).json } }
        #expect(throws: EventError.invalid(.depth)) { try build { $0.depth = -1 } }
        #expect(throws: EventError.numberNotAllowed) { try build { $0.originServerTS = Int64.min } }
        #expect(throws: EventError.numberNotAllowed) { try build { $0.content = try JSON(parsing: #"{"a":[1.5]}"#) } }
        _ = try build({ $0.content = try JSON(parsing: #"{"a":[1.5]}"#) }, .v5)
        #expect(throws: EventError.incomplete(.eventID)) { try build({ $0.eventIDToken = nil }, .v1) }
        #expect(throws: EventError.incomplete(.eventID)) { try build({ $0.eventIDToken = "a:b" }, .v1) }
        #expect(throws: EventError.incomplete(.prevEvents)) { try build({ $0.referenceHashes = [:] }, .v1) }
        let room = try build { _ in }.bytes.count
        let body = String(repeating: "x", count: 65_536 - room + 1)
        _ = try build { $0.content = (["body": .string(body)] as JSONValue).json }
        #expect(throws: EventError.tooLarge(bytes: 65_537)) {
            try build { $0.content = (["body": .string(body + "x")] as JSONValue).json }
        }
    }
}
