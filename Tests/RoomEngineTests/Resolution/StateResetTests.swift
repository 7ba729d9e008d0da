import Matrix
import RoomEngine
import Testing

/// The state resets that version 2.1 of the algorithm was made against
/// ([MSC4297](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4297-state-resolution-v2_1.md)): one server has been
/// told an outdated state.
@Suite struct StateResetTests {
    /// Problem A. Alice opens the room, closes it again and leaves; one state has the outdated join rule.
    ///
    /// Conflicted: rules and closed, both by Alice. Version 2 starts with what is not conflicted, where Alice has left: neither is allowed
    /// and the room has no join rule any more. Version 2.1 starts empty and takes Alice's membership from their auth events: both are
    /// allowed, the later one (same sender, so by time) stays.
    @Test(arguments: versions(2...12))
    func senderHasLeftSince(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add("closed", .joinRules, by: Who.alice, ["join_rule": "invite"], auth: ["alice", "levels"], at: 10)
        graph.add(
            "left", .member, by: Who.alice, key: Who.alice, ["membership": "leave"], auth: ["alice", "levels"], at: 11)
        let common = ["create", "left", "levels", "bob", "carol"]
        let result = graph.resolve(common + ["closed"], common + ["rules"])
        let expected = version.stateResolution == .v2_1 ? common + ["closed"] : common
        #expect(result == Set(expected))
    }

    /// Problem B. Alice promotes Bob (levels), Bob promotes Carol; one state has the levels from before both.
    ///
    /// "topic", which both states have, lists Bob's promotion: that and all before it is in both auth chains, so that the auth difference is
    /// empty. Conflicted: none (no power but Alice's) and second. Version 2 applies none, on top of which Bob may not do what he did: a reset
    /// to the oldest levels. Version 2.1 adds levels, which lies between the two: none, levels, second are allowed one after the other.
    @Test(arguments: versions(2...12))
    func linkBetweenIsNotConflicted(version: RoomVersion) {
        let graph = EventGraph(version)
        graph.add("create", .create, by: Who.alice, at: 1)
        graph.add("alice", .member, by: Who.alice, key: Who.alice, ["membership": "join"], prev: ["create"], at: 2)
        graph.add("rules", .joinRules, by: Who.alice, ["join_rule": "public"], auth: ["alice"], at: 3)
        for (name, user) in [("bob", Who.bob), ("carol", Who.carol)] {
            graph.add(name, .member, by: user, key: user, ["membership": "join"], auth: ["rules"], at: 4)
        }
        graph.add("none", .powerLevels, by: Who.alice, ["users": graph.users([:])], auth: ["alice"], at: 5)
        graph.add(
            "levels", .powerLevels, by: Who.alice, ["users": graph.users([Who.bob: 50])], auth: ["alice", "none"], at: 6
        )
        graph.add(
            "second", .powerLevels, by: Who.bob, ["users": graph.users([Who.bob: 50, Who.carol: 50])],
            auth: ["bob", "levels"], at: 7)
        graph.add("topic", .topic, by: Who.carol, auth: ["carol", "second"], at: 8)
        let common = ["create", "alice", "rules", "bob", "carol", "topic"]
        let result = graph.resolve(common + ["second"], common + ["none"])
        #expect(result == Set(common + [version.stateResolution == .v2_1 ? "second" : "none"]))
    }
}
