import Testing

@testable import Matrix

/// What [redaction](https://spec.matrix.org/v1.19/client-server-api/#redactions) leaves, from the list of every room version.
@Suite struct RedactionTests {
    /// A content with all that any version keeps for any type, and more.
    static let content: JSONValue = [
        "aliases": ["#a:b"], "allow": [["type": "m.room_membership"]], "ban": 50, "body": "text", "creator": "@a:b",
        "events": ["m.room.name": 100], "events_default": 0, "history_visibility": "shared", "invite": 1,
        "join_authorised_via_users_server": "@b:b", "join_rule": "restricted", "kick": 50, "membership": "join",
        "notifications": ["room": 50], "predecessor": ["room_id": "!o:b"], "redact": 50, "redacts": "$x",
        "room_version": "1", "state_default": 50, "users": ["@a:b": 100], "users_default": 0,
        "third_party_invite": ["display_name": "a", "signed": ["token": "t", "mxid": "@a:b"]],
    ]

    static let powerLevels = [
        "ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default",
    ]

    /// The type, the versions, what is kept.
    static let kept: [(EventType, ClosedRange<Int>, [String])] = [
        (.member, 1...8, ["membership"]),
        (.member, 9...10, ["join_authorised_via_users_server", "membership"]),
        (.member, 11...12, ["join_authorised_via_users_server", "membership", "third_party_invite"]),
        (.create, 1...10, ["creator"]),
        (.joinRules, 1...7, ["join_rule"]),
        (.joinRules, 8...12, ["allow", "join_rule"]),
        (.powerLevels, 1...10, powerLevels),
        (.powerLevels, 11...12, (powerLevels + ["invite"]).sorted()),
        (.aliases, 1...5, ["aliases"]),
        (.aliases, 6...12, []),
        (.historyVisibility, 1...12, ["history_visibility"]),
        (.redaction, 1...10, []),
        (.redaction, 11...12, ["redacts"]),
        (.message, 1...12, []),
        (.topic, 1...12, []),
        (.guestAccess, 1...12, []),
    ]

    private func redacted(_ version: RoomVersion, _ type: EventType, content: JSONValue) throws -> Event {
        let members: JSONValue = [
            "auth_events": [], "content": content, "depth": 3, "event_id": "$e:b", "hashes": ["sha256": "AA"],
            "membership": "join", "origin": "b", "origin_server_ts": 1, "prev_events": [], "prev_state": [],
            "redacts": "$x:b", "room_id": "!r:b", "sender": "@a:b", "signatures": ["b": ["ed25519:1": "AA"]],
            "state_key": "", "type": .string(type.string), "unsigned": ["age": 1], "unknown": true, "age_ts": 1,
        ]
        return try Event(
            trusted: members.serialized(), version: version, eventID: EventID(trusted: "$e:b")
        ).redacted()
    }

    @Test(arguments: kept)
    func content(type: EventType, numbers: ClosedRange<Int>, names: [String]) throws {
        for number in numbers {
            let version = try #require(RoomVersion(id: String(number)))
            let redacted = try redacted(version, type, content: Self.content)
            #expect(redacted.content.members.map(\.name) == names, "\(type) in \(number)")
            for name in names where name != "third_party_invite" {
                #expect(redacted.content[name]?.value == Self.content[name], "\(type) in \(number)")
            }
        }
    }

    @Test func everyTypeAndVersionHasARow() {
        for (type, rows) in Dictionary(grouping: Self.kept, by: \.0) where type != .create {
            #expect(rows.flatMap { Array($0.1) } == Array(1...12), "\(type)")
        }
    }

    @Test(arguments: [RoomVersion.v11, .v12])
    func newerCreationEventsKeepAll(version: RoomVersion) throws {
        let redacted = try redacted(version, .create, content: Self.content)
        #expect(redacted.content.value == (try JSON(parsing: CanonicalJSON.text(of: Self.content)).value))
    }

    @Test(arguments: [RoomVersion.v11, .v12])
    func ofThirdPartyInvitesWhatIsSignedStays(version: RoomVersion) throws {
        let full = try redacted(version, .member, content: Self.content)
        #expect(full.content["third_party_invite"]?.value == ["signed": ["mxid": "@a:b", "token": "t"]])
        let unsigned = try redacted(version, .member, content: ["third_party_invite": ["display_name": "a"]])
        #expect(unsigned.content["third_party_invite"]?.value == [:])
        let text = try redacted(version, .member, content: ["third_party_invite": "a"])
        #expect(text.content["third_party_invite"] == nil)
    }

    @Test(arguments: RoomVersion.all)
    func members(version: RoomVersion) throws {
        var expected = [
            "auth_events", "content", "depth", "event_id", "hashes", "membership", "origin", "origin_server_ts",
            "prev_events", "prev_state", "room_id", "sender", "signatures", "state_key", "type",
        ]
        if ["11", "12"].contains(version.id) {
            expected.removeAll { ["membership", "origin", "prev_state"].contains($0) }
        }
        let redacted = try redacted(version, .message, content: ["body": "x"])
        #expect(redacted.json.members.map(\.name) == expected)
        #expect(redacted.json.node.isCanonical)
    }

    @Test(arguments: RoomVersion.all)
    func identifierHashAndSignatureSurvive(version: RoomVersion) throws {
        for (type, stateKey) in [
            (EventType.message, nil), (.member, "@alice:example.org"), (.powerLevels, ""), (.create, ""),
            (.joinRules, ""), (.redaction, nil), (.aliases, "example.org"),
        ] as [(EventType, ExactString?)] {
            let event = try EventFixtures.event(version, type, stateKey: stateKey, content: Self.content)
            let redacted = try event.redacted()
            #expect(redacted.eventID == event.eventID)
            #expect(redacted.roomID == event.roomID)
            #expect(redacted.stateKey == stateKey)
            #expect(redacted.referenceHash() == event.referenceHash())
            #expect(try redacted.redacted().bytes == redacted.bytes)
            let key = EventFixtures.key()
            #expect(redacted.verify(server: EventFixtures.server, keyID: key.keyID, key: key.publicKey))
            // Parsed from its own bytes, it is still the same event.
            #expect(try Event(parsing: redacted.bytes, version: version).eventID == event.eventID)
        }
    }
}
