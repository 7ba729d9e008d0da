import Testing

@testable import Matrix

/// What counts as a relation, and what is none.
@Suite struct RelationParsingTests {
    private func relation(_ value: JSONValue) -> Relation? {
        Relation(content: JSONValue.object(["m.relates_to": value]).json)
    }

    @Test func relationsAreReadAsTheyAreStated() {
        let thread = relation(["rel_type": "m.thread", "event_id": "$root", "is_falling_back": true, "key": "x"])
        #expect(thread?.type == Relation.thread && thread?.target.string == "$root" && thread?.key == nil)
        let reaction = relation(["rel_type": "m.annotation", "event_id": "$e", "key": "👍"])
        #expect(reaction?.type == Relation.annotation && reaction?.key == "👍")
        #expect(relation(["rel_type": "org.example.other", "event_id": "$e"])?.type == "org.example.other")
    }

    @Test(
        arguments: [
            "m.thread", 1, true, .null, [], [:], ["rel_type": "m.thread"], ["event_id": "$e"],
            ["m.in_reply_to": ["event_id": "$e"]], ["rel_type": 1, "event_id": "$e"],
            ["rel_type": "", "event_id": "$e"],
            ["rel_type": "m.thread", "event_id": 1], ["rel_type": "m.thread", "event_id": "e"],
            ["rel_type": "m.annotation", "event_id": "$e"], ["rel_type": "m.annotation", "event_id": "$e", "key": 1],
            ["rel_type": "m.annotation", "event_id": "$e", "key": "\u{0}"], ["rel_type": "m.\u{0}", "event_id": "$e"],
            ["rel_type": .string(String(repeating: "x", count: 256)), "event_id": "$e"],
        ] as [JSONValue])
    func whatIsNoRelationIsNone(value: JSONValue) {
        #expect(relation(value) == nil)
    }
}
