import Matrix
import RoomEngine
import Testing

@Suite struct DefaultPushRulesTests {
    let room = RoomFixture(.v11)

    func evaluate(
        _ event: Event, members: Int = 3, levels: JSONValue = ["users": [Who.bob: 50]],
        defaults: DefaultPushRules = .standard, displayName: String? = nil, _ ruleset: PushRuleset? = nil
    ) -> PushOutcome {
        guard let dave = UserID(Who.dave) else { return .nothing }
        let event = PushEvent(
            event, memberCount: members,
            powerLevels: PowerLevels(
                PowerLevelContent(levels.json, version: .v11), creation: RoomCreation(room.create())),
            defaults: defaults)
        let ruleset = ruleset ?? PushRuleset(user: dave, defaults: defaults)
        return CompiledRules(ruleset).evaluate(event) { displayName }
    }

    /// What Dave's rules make of an event after he has changed them.
    func evaluate(_ event: Event, after edit: (inout PushRuleset) throws -> Void) throws -> PushOutcome {
        var ruleset = PushRuleset(user: try #require(UserID(Who.dave)))
        try edit(&ruleset)
        return evaluate(event, ruleset)
    }

    func message(_ content: JSONValue, by sender: String = Who.bob) -> Event {
        room.event("m", .message, by: sender, JSONValue.object(["msgtype": "m.text"]).merging(content))
    }

    static let plain = PushOutcome([.notify])
    static let sound = PushOutcome([.notify, .setTweak("sound", value: "default")])
    static let mention = PushOutcome([
        .notify, .setTweak("sound", value: "default"), .setTweak("highlight", value: nil),
    ])
    static let highlight = PushOutcome([.notify, .setTweak("highlight", value: nil)])

    @Test func messages() {
        #expect(evaluate(message(["body": "x"])) == Self.plain)
        #expect(evaluate(message(["body": "x"]), members: 2) == Self.sound)
        #expect(evaluate(room.event("e", .encrypted, by: Who.bob)) == Self.plain)
        #expect(evaluate(room.event("e", .encrypted, by: Who.bob), members: 2) == Self.sound)
        #expect(evaluate(message(["body": "x", "msgtype": "m.notice"]), members: 2) == .nothing)
        #expect(evaluate(room.event("e", "x.other", by: Who.bob)) == .nothing)
        #expect(evaluate(room.event("e", .topic, by: Who.bob, key: "")) == .nothing)
    }

    @Test func oneIsNotToldOfOneself() {
        #expect(
            evaluate(message(["body": "x", "m.mentions": ["user_ids": [.string(Who.dave)]]], by: Who.dave)) == .nothing)
    }

    @Test func memberships() {
        #expect(evaluate(room.member(Who.dave, "invite", by: Who.bob)) == Self.sound)
        #expect(evaluate(room.member(Who.carol, "invite", by: Who.bob)) == .nothing)
        #expect(evaluate(room.member(Who.dave, "leave", by: Who.bob)) == .nothing)
        #expect(evaluate(room.member(Who.carol, "join")) == .nothing)
    }

    @Test func mentions() {
        func mentions(_ mentions: JSONValue, by sender: String = Who.bob) -> PushOutcome {
            evaluate(message(["body": "x", "m.mentions": mentions], by: sender))
        }
        #expect(mentions(["user_ids": [.string(Who.alice), .string(Who.dave)]]) == Self.mention)
        #expect(mentions(["user_ids": [.string(Who.alice)]]) == Self.plain)
        #expect(mentions(["user_ids": .string(Who.dave)]) == Self.plain)
        #expect(mentions(["room": true]) == Self.highlight)
        #expect(mentions(["room": true], by: Who.carol) == Self.plain)
        #expect(mentions(["room": "true"]) == Self.plain)
        // Both: that of the user comes first.
        #expect(mentions(["room": true, "user_ids": [.string(Who.dave)]]) == Self.mention)
    }

    @Test func quietEvents() {
        #expect(evaluate(room.event("e", .reaction, by: Who.bob)) == .nothing)
        #expect(evaluate(room.event("e", .serverACL, by: Who.bob, key: "")) == .nothing)
        let edit = message(["body": "x", "m.relates_to": ["rel_type": "m.replace"]])
        #expect(evaluate(edit, members: 2) == .nothing)
        let mentioningEdit = message([
            "body": "x", "m.relates_to": ["rel_type": "m.replace"], "m.mentions": ["user_ids": [.string(Who.dave)]],
        ])
        #expect(evaluate(mentioningEdit) == Self.mention)
    }

    @Test func tombstonesAndCalls() {
        #expect(evaluate(room.event("e", .tombstone, by: Who.bob, key: "")) == Self.highlight)
        #expect(evaluate(room.event("e", .tombstone, by: Who.bob, key: "x")) == .nothing)
        #expect(evaluate(room.event("e", .tombstone, by: Who.bob)) == .nothing)
        let call = evaluate(room.event("e", "m.call.invite", by: Who.bob))
        #expect(call.sound == "ring" && call.notifies && !call.highlights)
    }

    @Test func masterSilencesAll() throws {
        let event = message(["body": "x", "m.mentions": ["user_ids": [.string(Who.dave)]]])
        let outcome = try evaluate(event) {
            try $0.put(.override, "mine", JSONValue.object(["actions": ["notify"]]).json)
            try $0.setEnabled(.override, ".m.rule.master", true)
        }
        #expect(outcome == .nothing)
    }

    @Test func predefinedRulesCanBeChanged() throws {
        let event = message(["body": "x"])
        #expect(try evaluate(event) { try $0.setEnabled(.underride, ".m.rule.message", false) } == .nothing)
        let loud = JSONValue.array(["notify", ["set_tweak": "highlight"]]).json
        #expect(try evaluate(event) { try $0.setActions(.underride, ".m.rule.message", loud) } == Self.highlight)
        let silent = JSONValue.array([]).json
        #expect(try evaluate(event) { try $0.setActions(.underride, ".m.rule.message", silent) } == .nothing)
    }

    @Test func legacyMentions() {
        func outcome(_ content: JSONValue, _ defaults: DefaultPushRules, by sender: String = Who.bob) -> PushOutcome {
            evaluate(message(content, by: sender), defaults: defaults, displayName: "Dave D.")
        }
        let cases: [(String, PushOutcome)] = [
            ("hi dave", Self.mention), ("hi Dave D.", Self.mention), ("hi @room", Self.highlight),
            ("hi daves", Self.plain),
        ]
        for (body, expected) in cases {
            #expect(outcome(["body": .string(body)], .withLegacyMentions) == expected, "\(body)")
            #expect(outcome(["body": .string(body)], .standard) == Self.plain, "\(body)")
            // Clients that mark mentions are believed.
            #expect(outcome(["body": .string(body), "m.mentions": [:]], .withLegacyMentions) == Self.plain, "\(body)")
        }
        #expect(outcome(["body": "hi @room"], .withLegacyMentions, by: Who.carol) == Self.plain)
    }

    @Test func threads() throws {
        let dave = try #require(UserID(Who.dave))
        let defaults = DefaultPushRules.standard.withThreadSubscriptions
        let root = try #require(EventID("$root"))
        let relation: JSONValue = ["rel_type": "m.thread", "event_id": "$root"]
        func outcome(_ content: JSONValue, follows: Bool, mutes: Bool = false) throws -> PushOutcome {
            var rules = PushRuleset(user: dave, defaults: defaults)
            if mutes { try rules.put(.room, room.roomID, JSONValue.object(["actions": []]).json) }
            let event = PushEvent(message(content), memberCount: 3, powerLevels: nil, defaults: defaults)
            return CompiledRules(rules).evaluate(event, follows: { follows && $0 == root }) { nil }
        }
        let reply: JSONValue = ["body": "x", "m.relates_to": relation]
        #expect(try outcome(reply, follows: false) == .nothing)
        #expect(try outcome(reply, follows: true) == Self.sound)
        #expect(try outcome(reply, follows: true, mutes: true) == Self.sound, "a thread that is followed is not muted")
        #expect(try outcome(["body": "x"], follows: true) == Self.plain)
        #expect(try outcome(["body": "x"], follows: true, mutes: true) == .nothing)
        let mention: JSONValue = [
            "body": "x", "m.relates_to": relation, "m.mentions": ["user_ids": [.string(Who.dave)]],
        ]
        #expect(try outcome(mention, follows: false) == Self.mention)
        let global = PushRuleset(user: dave, defaults: defaults).global
        #expect(global["postcontent"] != nil && PushRuleset(user: dave).global["postcontent"] == nil)
    }

    @Test func listAsClientsSeeIt() throws {
        let dave = try #require(UserID(Who.dave))
        let global = PushRuleset(user: dave).global
        func ids(_ kind: String) -> [String] {
            guard case .array(let rules) = global[kind] else { return [] }
            return rules.compactMap { $0["rule_id"]?.string }
        }
        #expect(
            ids("override") == [
                ".m.rule.master", ".m.rule.suppress_notices", ".m.rule.invite_for_me", ".m.rule.member_event",
                ".m.rule.is_user_mention", ".m.rule.is_room_mention", ".m.rule.tombstone", ".m.rule.reaction",
                ".m.rule.room.server_acl", ".m.rule.suppress_edits",
            ])
        #expect(
            ids("underride") == [
                ".m.rule.call", ".m.rule.encrypted_room_one_to_one", ".m.rule.room_one_to_one", ".m.rule.message",
                ".m.rule.encrypted",
            ])
        #expect(global["content"] == [] && global["room"] == [] && global["sender"] == [])
        let mention = try PushRuleset(user: dave).rule(.override, ".m.rule.is_user_mention").json
        #expect(
            mention == [
                "actions": ["notify", ["set_tweak": "sound", "value": "default"], ["set_tweak": "highlight"]],
                "default": true, "enabled": true, "rule_id": ".m.rule.is_user_mention",
                "conditions": [
                    [
                        "kind": "event_property_contains", "key": "content.m\\.mentions.user_ids",
                        "value": .string(Who.dave),
                    ]
                ],
            ])
        let legacy = try PushRuleset(user: dave, defaults: .withLegacyMentions).rule(
            .content, ".m.rule.contains_user_name")
        #expect(legacy.pattern == "dave")
    }
}

extension JSONValue {
    fileprivate func merging(_ other: JSONValue) -> JSONValue {
        var copy = self
        for member in other.object?.members ?? [] { copy[member.name.string] = member.value }
        return copy
    }
}
