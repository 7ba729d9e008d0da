import Matrix
import RoomEngine
import Testing

@Suite struct PushRulesetTests {
    func ruleset() throws -> PushRuleset { PushRuleset(user: try #require(UserID(Who.dave))) }

    func body(_ members: KeyValuePairs<String, JSONValue> = [:]) -> JSON {
        JSONValue.object(["actions": ["notify"]]).with(members).json
    }

    func error(_ change: () throws -> Void) -> PushRuleError? {
        do {
            try change()
            return nil
        } catch { return error as? PushRuleError }
    }

    @Test func placesOfNewRules() throws {
        var rules = try ruleset()
        func order() -> [String] { rules.userRules(.room).map(\.id) }
        try rules.put(.room, "a", body())
        try rules.put(.room, "b", body())
        #expect(order() == ["b", "a"])
        try rules.put(.room, "c", body(), before: "a")
        #expect(order() == ["b", "c", "a"])
        try rules.put(.room, "d", body(), after: "a")
        #expect(order() == ["b", "c", "a", "d"])
        try rules.put(.room, "e", body(), before: "c", after: "d")
        #expect(order() == ["b", "e", "c", "a", "d"])
        // A rule that there was keeps its place unless it is moved.
        try rules.put(.room, "c", body())
        #expect(order() == ["b", "e", "c", "a", "d"])
        try rules.put(.room, "c", body(), after: "d")
        #expect(order() == ["b", "e", "a", "d", "c"])
        #expect(error { try rules.put(.room, "f", body(), before: "z") } == .unknownNeighbor("z"))
        #expect(error { try rules.put(.room, "c", body(), before: "c") } == .unknownNeighbor("c"))
        #expect(
            error { try rules.put(.override, "f", body(), before: ".m.rule.master") }
                == .unknownNeighbor(".m.rule.master"))
        #expect(order() == ["b", "e", "a", "d", "c"])
    }

    @Test func rulesAreChecked() throws {
        var rules = try ruleset()
        #expect(error { try rules.put(.room, ".a", body()) } == .reservedID)
        for id in ["", "a/b", "a\\b", String(repeating: "x", count: 513)] {
            #expect(error { try rules.put(.room, id, body()) } == .invalidID)
        }
        for actions in [nil, "notify", [:], ["shout"], [1], [["set": "x"]]] as [JSONValue?] {
            var json: JSONValue = [:]
            json["actions"] = actions
            #expect(error { try rules.put(.room, "a", json.json) } == .invalidActions)
        }
        #expect(error { try rules.put(.content, "a", body()) } == .missingPattern)
        let long = JSONValue.string(String(repeating: "x", count: 1025))
        #expect(error { try rules.put(.content, "a", body(["pattern": long])) } == .patternTooLong)
        for conditions in ["x", [1], [[:]], [["kind": 1]]] as [JSONValue] {
            #expect(error { try rules.put(.override, "a", body(["conditions": conditions])) } == .invalidConditions)
        }
        #expect(PushRuleKind.allCases.allSatisfy { rules.userRules($0).isEmpty })
        try rules.put(.override, "a", body(["conditions": [["kind": "future"]]]))
        try rules.put(.content, "a", body(["pattern": "cake*lie"]))
        #expect(try rules.rule(.content, "a").pattern == "cake*lie")
    }

    @Test func historicalActionsAreKeptAndDoNothing() throws {
        var rules = try ruleset()
        try rules.put(.room, "a", JSONValue.object(["actions": ["dont_notify"]]).json)
        try rules.put(.room, "b", JSONValue.object(["actions": ["coalesce", "notify"]]).json)
        #expect(try rules.rule(.room, "a").json["actions"] == ["dont_notify"])
        #expect(try rules.rule(.room, "b").json["actions"] == ["coalesce", "notify"])
        #expect(try !PushOutcome(rules.rule(.room, "a").actions).notifies)
        #expect(try PushOutcome(rules.rule(.room, "b").actions).notifies)
    }

    @Test func nobodyAddsRulesOfTheServersOwnKind() throws {
        var rules = try ruleset()
        #expect(error { try rules.put(.postcontent, "a", body()) } == .reservedKind)
    }

    @Test func enablingRemovingAndActions() throws {
        var rules = try ruleset()
        try rules.put(.sender, Who.bob, body())
        #expect(try rules.rule(.sender, Who.bob).isEnabled)
        try rules.setEnabled(.sender, Who.bob, false)
        #expect(try rules.rule(.sender, Who.bob).isEnabled == false)
        try rules.put(.sender, Who.bob, JSONValue.object(["actions": []]).json)
        #expect(try rules.rule(.sender, Who.bob).isEnabled == false, "replacing does not enable")
        try rules.setActions(.sender, Who.bob, JSONValue.array(["notify"]).json)
        #expect(try rules.rule(.sender, Who.bob).actions == [.notify])
        try rules.remove(.sender, Who.bob)
        #expect(error { _ = try rules.rule(.sender, Who.bob) } == .notFound)
        #expect(error { try rules.remove(.sender, Who.bob) } == .notFound)
        #expect(error { try rules.setEnabled(.sender, Who.bob, true) } == .notFound)
        #expect(error { try rules.setActions(.sender, Who.bob, JSONValue.array([]).json) } == .notFound)
        #expect(error { try rules.remove(.override, ".m.rule.master") } == .reservedID)
        #expect(error { try rules.setActions(.override, ".m.rule.master", nil) } == .invalidActions)
    }

    @Test func whatIsStoredIsReadBack() throws {
        var rules = try ruleset()
        #expect(rules.stored == ["rules": [:], "defaults": [:]])
        try rules.put(.room, "!a:b", body())
        try rules.put(.room, "!c:d", body())
        try rules.setEnabled(.room, "!a:b", false)
        try rules.put(.content, "cake", body(["pattern": "cake"]))
        try rules.put(.override, "o", body(["conditions": [["kind": "future", "x": [1]]]]))
        try rules.setEnabled(.override, ".m.rule.master", true)
        let loud: JSONValue = ["notify", ["set_tweak": "sound", "value": "bell"]]
        try rules.setActions(.underride, ".m.rule.message", loud.json)
        let read = PushRuleset(stored: rules.stored.json, user: rules.user)
        #expect(read.content == rules.content)
        #expect(read.stored == rules.stored)
        // What is as it was predefined needs no storing.
        try rules.setEnabled(.override, ".m.rule.master", false)
        try rules.setActions(.underride, ".m.rule.message", JSONValue.array(["notify"]).json)
        #expect(rules.stored["defaults"] == [:])
        // Garbage is left out.
        let garbage: JSONValue = ["rules": ["room": [1, ["rule_id": 2], ["rule_id": "!x:y"]]], "defaults": 3]
        #expect(PushRuleset(stored: garbage.json, user: rules.user).userRules(.room).map(\.id) == ["!x:y"])
    }

    /// Which of several matching rules decides.
    @Test func orderOfKinds() throws {
        let room = RoomFixture(.v11)
        let event = room.event("m", .message, by: Who.bob, ["msgtype": "m.text", "body": "cake"])
        var rules = try ruleset()
        func sound() -> String? {
            let pushEvent = PushEvent(event, memberCount: 3, powerLevels: nil)
            return CompiledRules(rules).evaluate(pushEvent) { nil }.sound
        }
        func named(_ name: String, _ members: KeyValuePairs<String, JSONValue> = [:]) -> JSON {
            JSONValue.object(["actions": ["notify", ["set_tweak": "sound", "value": .string(name)]]]).with(members).json
        }
        #expect(sound() == nil)
        try rules.put(.underride, "u", named("underride"))
        #expect(sound() == "underride")
        try rules.put(.sender, Who.bob, named("sender"))
        try rules.put(.sender, Who.carol, named("carol"))
        #expect(sound() == "sender")
        try rules.put(.room, room.roomID, named("room"))
        try rules.put(.room, "!other:one.example", named("other"))
        #expect(sound() == "room")
        try rules.put(.content, "c", named("content", ["pattern": "ca?e"]))
        #expect(sound() == "content")
        try rules.put(.override, "o", named("override", ["conditions": [["kind": "room_member_count", "is": ">2"]]]))
        #expect(sound() == "override")
        try rules.put(.override, "p", named("never", ["conditions": [["kind": "future"]]]))
        #expect(sound() == "override")
        try rules.put(.override, "q", named("above"))
        #expect(sound() == "above")
        for (kind, id, next) in [
            (.override, "q", "override"), (.override, "o", "content"), (.content, "c", "room"),
            (.room, room.roomID, "sender"), (.sender, Who.bob, "underride"),
        ] as [(PushRuleKind, String, String)] {
            try rules.setEnabled(kind, id, false)
            #expect(sound() == next)
        }
    }

    @Test func tweaks() {
        #expect(PushOutcome([.notify, .setTweak("highlight", value: false)]).highlights == false)
        #expect(PushOutcome([.notify, .setTweak("highlight", value: true)]).highlights)
        #expect(PushOutcome([.setTweak("highlight", value: nil)]).highlights)
        #expect(PushOutcome([.setTweak("highlight", value: nil)]).notifies == false)
        #expect(PushOutcome([.notify, .setTweak("sound", value: 5)]).sound == nil)
    }
}
