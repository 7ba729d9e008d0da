import Homeserver
import Matrix
import RoomEngine
import Store
import Testing

@Suite struct PushRulesTests {
    @Test func changesAreAnnouncedWithTheServersRules() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let rules = PushRulesService(store: fixture.store)
            let body = try JSON(parsing: #"{"pattern": "cake", "actions": ["notify"]}"#)
            let before = fixture.store.journal.end
            try await rules.put(.content, "cake", body, before: nil, after: nil, of: alice.id)
            let end = fixture.store.journal.end
            let entries = try #require(fixture.store.journal.entries(after: before, through: end))
            guard case .accountData(let data) = try #require(entries.first).change else {
                Issue.record("not account data")
                return
            }
            let told = try JSON(parsing: data.content)["global"]
            #expect(told?["content"]?.elements.first { _ in true }?["rule_id"]?.string == "cake")
            #expect(told?["override"]?.elements.first { _ in true }?["rule_id"]?.string == ".m.rule.master")

            let service = AccountDataService(store: fixture.store, pushRules: rules)
            #expect(try await service.content(of: alice.id, type: "m.push_rules") == data.content)
            let all = try await fixture.store.read { try service.all(of: alice.id, number: alice.number, in: $0) }
            #expect(all.map(\.content) == [data.content])
            // The same again is no change.
            try await rules.put(.content, "cake", body, before: nil, after: nil, of: alice.id)
            #expect(fixture.store.journal.end == end)
        }
    }

    @Test func whatIsNotThereCannotBeChanged() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let rules = PushRulesService(store: fixture.store)
            let actions = try JSON(parsing: #"["notify"]"#)
            let rule = try JSON(parsing: #"{"actions": ["notify"]}"#)
            #expect(try await errorCode { try await rules.remove(.room, "!a:x", of: alice.id) } == .notFound)
            #expect(
                try await errorCode { try await rules.setEnabled(.override, ".m.rule.none", true, of: alice.id) }
                    == .notFound)
            #expect(
                try await errorCode { try await rules.setActions(.sender, "@x:y", actions, of: alice.id) } == .notFound)
            #expect(
                try await errorCode { try await rules.put(.room, ".x", rule, before: nil, after: nil, of: alice.id) }
                    == .invalidParameter)
            #expect(
                try await errorCode { try await rules.put(.content, "x", rule, before: nil, after: nil, of: alice.id) }
                    == .missingParameter)
        }
    }

    @Test func countsFollowTheRules() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let carol = try await fixture.user("carol")
            let room = try await fixture.room(alice, [bob, carol])
            let rules = PushRulesService(store: fixture.store)
            let unread = UnreadCounts(
                store: fixture.store, judges: RuleJudges(rules: rules, rooms: fixture.rooms, store: fixture.store))
            let number = try #require(try await fixture.store.number(of: room))
            func counts() async throws -> RoomCounts.Thread {
                try await unread.counts(bob.number, number, through: fixture.store.journal.end).main
            }
            try await fixture.send("hello", to: room, by: alice)
            #expect(try await counts() == .init(notification: 1))
            let word = try JSON(
                parsing: #"{"pattern": "cake", "actions": ["notify", {"set_tweak": "highlight"}]}"#)
            try await rules.put(.content, "cake", word, before: nil, after: nil, of: bob.id)
            try await fixture.send("there is cake", to: room, by: alice)
            #expect(try await counts() == .init(notification: 2, highlight: 1))
            try await rules.setEnabled(.override, ".m.rule.master", true, of: bob.id)
            try await fixture.send("more cake", to: room, by: alice)
            #expect(try await counts() == .init(notification: 2, highlight: 1))
        }
    }
}
