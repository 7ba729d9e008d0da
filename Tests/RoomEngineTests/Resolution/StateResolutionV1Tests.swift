import Matrix
import RoomEngine
import Testing

/// Room version 1: by depth, then by hash.
@Suite struct StateResolutionV1Tests {
    func base(_ changes: [String: String] = [:], _ more: String...) -> [String] {
        EventGraph.baseNames.map { changes[$0] ?? $0 } + more
    }

    /// Members are settled before topics: join (depth 5), then ban (depth 10), which the join allows. The highest topic is Bob's, who is
    /// banned; the next is Alice's.
    @Test func banBeatsTopicOfTheBanned() {
        let graph = EventGraph.base(.v1)
        graph.add("t0", .topic, by: Who.alice, auth: ["alice", "levels"], at: 7)
        graph.add(
            "ban", .member, by: Who.alice, key: Who.bob, ["membership": "ban"], auth: ["alice", "levels", "bob"], at: 10
        )
        graph.add("tb", .topic, by: Who.bob, auth: ["bob", "levels"], at: 30)
        #expect(graph.resolve(base(["bob": "ban"], "t0"), base([:], "tb")) == Set(base(["bob": "ban"], "t0")))
    }

    /// A topic that only one state has is no conflict, banned or not: what version 2 was made against.
    @Test func whatOneStateLacksIsNoConflict() {
        let graph = EventGraph.base(.v1)
        graph.add(
            "ban", .member, by: Who.alice, key: Who.bob, ["membership": "ban"], auth: ["alice", "levels", "bob"], at: 10
        )
        graph.add("tb", .topic, by: Who.bob, auth: ["bob", "levels"], at: 30)
        #expect(graph.resolve(base(["bob": "ban"]), base([:], "tb")) == Set(base(["bob": "ban"], "tb")))
    }

    /// Of the same depth, the lowest hash: SHA-1 of `$t1:one.example` is bd07…, of `$t2:one.example` f0d2… (see the assertion).
    @Test func lowestHashBreaksTies() {
        let graph = EventGraph.base(.v1)
        graph.add("t1", .topic, by: Who.alice, auth: ["alice", "levels"], at: 10, depth: 10)
        graph.add("t2", .topic, by: Who.alice, auth: ["alice", "levels"], at: 11, depth: 10)
        let digests = ["$t1:one.example", "$t2:one.example"].map { SHA1.digest(of: Array($0.utf8)) }
        #expect(digests[0].prefix(2) == [0xBD, 0x07])
        #expect(digests[1].prefix(2) == [0xF0, 0xD2])
        #expect(graph.resolve(base([:], "t1"), base([:], "t2")) == Set(base([:], "t1")))
    }

    /// Only the state counts, not what an event lists itself: Dave, of whom no state knows, cannot have set the topic.
    @Test func authEventsFillNoGap() {
        let graph = EventGraph.base(.v1)
        graph.add(
            "dave", .member, by: Who.dave, key: Who.dave, ["membership": "join"], auth: ["levels", "rules"], at: 7)
        graph.add(
            "levels1", .powerLevels, by: Who.alice, ["users": graph.users([Who.dave: 50])], auth: ["alice", "levels"],
            at: 8)
        graph.add("ta", .topic, by: Who.alice, auth: ["alice", "levels1"], at: 9)
        graph.add("td", .topic, by: Who.dave, auth: ["dave", "levels1"], at: 10)
        let states = ["ta", "td"].map { base(["levels": "levels1"], $0) }
        #expect(graph.resolve(states[0], states[1]) == Set(states[0]))
    }

    /// Power levels from the lowest depth upwards; the first that the one before does not allow ends it.
    @Test func levelsAreSettledUpwards() {
        let graph = EventGraph.base(.v1)
        graph.add("p1", .powerLevels, by: Who.alice, ["users": graph.users([:])], auth: ["alice", "levels"], at: 10)
        graph.add(
            "p2", .powerLevels, by: Who.bob, ["users": graph.users([Who.bob: 50, Who.carol: 1])],
            auth: ["bob", "levels"], at: 11)
        graph.add(
            "p3", .powerLevels, by: Who.alice, ["users": graph.users([Who.bob: 70])], auth: ["alice", "levels"], at: 12)
        let states = ["levels", "p1", "p2", "p3"].map { base(["levels": $0]) }
        // levels, p1 (Bob has no power any more), p2 by Bob: not allowed, and p3 is not looked at.
        #expect(graph.resolve(states[3], states[1], states[0], states[2]) == Set(base(["levels": "p1"])))
        // Without p1: levels, p2, p3.
        #expect(graph.resolve(states[3], states[0], states[2]) == Set(base(["levels": "p3"])))
    }
}
