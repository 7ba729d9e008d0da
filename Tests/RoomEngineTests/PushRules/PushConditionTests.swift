import Matrix
import Testing

@testable import RoomEngine

@Suite struct PushConditionTests {
    let room = RoomFixture(.v11)

    func matches(
        _ condition: JSONValue, _ content: JSONValue = [:], type: EventType = .message, key: String? = nil,
        members: Int = 3, levels: JSONValue? = nil, sender: String = Who.bob, displayName: String? = nil
    ) -> Bool {
        let levels = levels.map {
            PowerLevels(PowerLevelContent($0.json, version: .v11), creation: RoomCreation(room.create()))
        }
        let event = PushEvent(
            room.event("e", type, by: sender, key: key, content), memberCount: members, powerLevels: levels)
        return event.matches(
            PushCondition(condition), reader: PushReader(displayName: { displayName }, follows: { _ in false }))
    }

    @Test func eventMatch() {
        func match(_ key: String, _ pattern: JSONValue?) -> JSONValue {
            var condition: JSONValue = ["kind": "event_match", "key": .string(key)]
            condition["pattern"] = pattern
            return condition
        }
        let content: JSONValue = ["body": "An example event.", "a.b": ["c": "Deep"], "n": 1, "z": .null, "t": true]
        #expect(matches(match("content.body", "example"), content))
        #expect(!matches(match("content.body", "exam"), content))
        #expect(matches(match("content.a\\.b.c", "de*"), content))
        #expect(!matches(match("content.a.b.c", "de*"), content))
        for key in ["content.n", "content.z", "content.t", "content.none", "content", "content.body.x"] {
            #expect(!matches(match(key, "*"), content), "\(key) is no text")
        }
        #expect(matches(match("type", "m.room.*")))
        #expect(matches(match("sender", "@BOB:*")))
        #expect(matches(match("room_id", .string(room.roomID))))
        #expect(matches(match("event_id", "$e")))
        #expect(!matches(match("state_key", "*")))
        #expect(matches(match("state_key", ""), key: ""))
        #expect(!matches(match("type", nil)))
        #expect(!matches(match("type", 1)))
    }

    @Test func eventPropertyIs() {
        let content: JSONValue = ["m.federate": true, "n": 1, "s": "Text", "z": .null, "l": [1]]
        func isValue(_ key: String, _ value: JSONValue) -> Bool {
            matches(["kind": "event_property_is", "key": .string(key), "value": value], content)
        }
        #expect(isValue("content.m\\.federate", true))
        #expect(!isValue("content.m\\.federate", "true"))
        #expect(!isValue("content.m\\.federate", 1))
        #expect(isValue("content.n", 1))
        #expect(!isValue("content.n", true))
        #expect(!isValue("content.n", "1"))
        #expect(isValue("content.s", "Text"))
        #expect(!isValue("content.s", "text"))
        #expect(isValue("content.z", .null))
        #expect(!isValue("content.none", .null))
        #expect(!isValue("content.l", [1]))
        #expect(isValue("type", "m.room.message"))
        #expect(!matches(["kind": "event_property_is", "key": "content.n"], content))
    }

    @Test func eventPropertyContains() {
        let content: JSONValue = ["list": ["#a:b", 1, true, .null, ["x"]], "text": "#a:b"]
        func contains(_ value: JSONValue, key: String = "content.list") -> Bool {
            matches(["kind": "event_property_contains", "key": .string(key), "value": value], content)
        }
        #expect(contains("#a:b"))
        #expect(contains(1))
        #expect(contains(true))
        #expect(contains(.null))
        #expect(!contains(":b"))
        #expect(!contains(false))
        #expect(!contains("x"))
        #expect(!contains(["x"]))
        #expect(!contains("#a:b", key: "content.text"))
        #expect(!contains("#a:b", key: "content.none"))
    }

    @Test func displayName() {
        let condition: JSONValue = ["kind": "contains_display_name"]
        #expect(matches(condition, ["body": "Hello, dave d.!"], displayName: "Dave D."))
        #expect(!matches(condition, ["body": "Hello, daves"], displayName: "Dave"))
        #expect(matches(condition, ["body": "a *?* b"], displayName: "*?*"))
        #expect(!matches(condition, ["body": "axxxb"], displayName: "*"))
        #expect(!matches(condition, ["body": "x"], displayName: ""))
        #expect(!matches(condition, ["body": "x"], displayName: nil))
        #expect(!matches(condition, [:], displayName: "Dave"))
    }

    @Test func memberCount() {
        let cases: [(String, [Int])] = [
            ("3", [3]), ("==3", [3]), ("<3", [1, 2]), ("<=3", [1, 2, 3]), (">3", [4, 5]), (">=3", [3, 4, 5]),
            ("=3", []), ("", []), ("x", []), ("3x", []), ("-3", []), ("=>3", []), ("<", []), (" 3", []),
        ]
        for (text, expected) in cases {
            let counts = (1...5).filter { matches(["kind": "room_member_count", "is": .string(text)], members: $0) }
            #expect(counts == expected, "\(text)")
        }
        #expect(!matches(["kind": "room_member_count", "is": 3]))
        #expect(!matches(["kind": "room_member_count"]))
    }

    @Test func senderNotificationPermission() {
        let condition: JSONValue = ["kind": "sender_notification_permission", "key": "room"]
        #expect(matches(condition, levels: ["users": [Who.bob: 50]]))
        #expect(!matches(condition, levels: ["users": [Who.bob: 49]]))
        #expect(!matches(condition, levels: ["users": [Who.bob: 50], "notifications": ["room": 60]]))
        #expect(matches(condition, levels: ["notifications": ["room": 0]]))
        #expect(!matches(condition, levels: nil))
        #expect(!matches(["kind": "sender_notification_permission"], levels: ["users": [Who.bob: 100]]))
    }

    @Test func whatIsUnknownMatchesNothing() {
        for condition in [["kind": "new_kind"], [:], ["kind": 1], "x", .null] as [JSONValue] {
            #expect(!matches(condition))
            #expect(PushCondition(condition).json == condition)
        }
    }

    @Test func conditionsAreWrittenAsRead() {
        let conditions: [JSONValue] = [
            ["kind": "event_match", "key": "content.m\\.x", "pattern": "a*"],
            ["kind": "event_property_is", "key": "content.x", "value": .null],
            ["kind": "event_property_contains", "key": "content.x", "value": 1], ["kind": "contains_display_name"],
            ["kind": "room_member_count", "is": "<=10"], ["kind": "room_member_count", "is": "2"],
            ["kind": "sender_notification_permission", "key": "room"],
        ]
        for condition in conditions { #expect(PushCondition(condition).json == condition) }
    }
}
