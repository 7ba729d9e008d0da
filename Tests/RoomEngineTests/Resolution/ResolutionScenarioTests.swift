import Matrix
import RoomEngine
import Testing

/// Races between branches, the winner of each derived by hand.
@Suite struct ResolutionScenarioTests {
    static let modern = versions(2...12)

    func base(_ changes: [String: String?] = [:], _ more: String...) -> [String] {
        EventGraph.baseNames.compactMap { changes[$0, default: $0] } + more
    }

    @Test(arguments: RoomVersion.all)
    func nothingToResolve(version: RoomVersion) {
        let graph = EventGraph.base(version)
        #expect(graph.resolve() == [])
        #expect(graph.resolve(base()) == Set(base()))
        #expect(graph.resolve(base(), base()) == Set(base()))
    }

    /// Alice bans Bob while Bob, who does not know it yet, gives Carol power.
    ///
    /// Full conflicted set: bob, ban, levels, promotion; all are power events or in their auth chains. Topological order: levels, then bob
    /// (lists levels), then ban before promotion, since Alice has more power, although it was sent later. Bob being banned, his promotion of
    /// Carol is not allowed.
    @Test(arguments: modern)
    func banBeatsPromotionByTheBanned(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add(
            "ban", .member, by: Who.alice, key: Who.bob, ["membership": "ban"], auth: ["alice", "levels", "bob"], at: 20
        )
        graph.add(
            "promotion", .powerLevels, by: Who.bob, ["users": graph.users([Who.bob: 50, Who.carol: 50])],
            auth: ["bob", "levels"], at: 10)
        let result = graph.resolve(base(["bob": "ban"]), base(["levels": "promotion"]))
        #expect(result == Set(base(["bob": "ban"])))
    }

    /// Bob demotes himself and bans Carol on one branch, while Carol's membership changes on the other.
    ///
    /// The kick is a power event, Carol's new name is none: the ban comes first and the name is then a join of a banned user.
    @Test(arguments: modern)
    func banBeatsProfileChange(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add(
            "ban", .member, by: Who.bob, key: Who.carol, ["membership": "ban"], auth: ["bob", "levels", "carol"], at: 10
        )
        graph.add(
            "name", .member, by: Who.carol, key: Who.carol, ["membership": "join", "displayname": "C"],
            auth: ["carol", "levels", "rules"], at: 20)
        #expect(graph.resolve(base(["carol": "ban"]), base(["carol": "name"])) == Set(base(["carol": "ban"])))
    }

    /// Two topics under the same power levels: same mainline position, so the later wins; at the same time, the greater event ID.
    @Test(arguments: modern)
    func laterTopicWins(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add("a", .topic, by: Who.alice, auth: ["alice", "levels"], at: 11)
        graph.add("b", .topic, by: Who.bob, auth: ["bob", "levels"], at: 10)
        graph.add("c", .topic, by: Who.bob, auth: ["bob", "levels"], at: 11)
        #expect(graph.resolve(base([:], "a"), base([:], "b")) == Set(base([:], "a")))
        #expect(graph.resolve(base([:], "a"), base([:], "c")) == Set(base([:], "c")))
        #expect(graph.resolve(base([:], "c"), base(), base([:], "a"), base([:], "b")) == Set(base([:], "c")))
    }

    /// Alice demotes Bob and sets a topic; Bob sets one too, much later by his clock, under the levels that he knows.
    ///
    /// Power events: levels, demotion, in this order (the second lists the first). Mainline of demotion: demotion 0, levels 1. Bob's topic
    /// has position 1 and comes first, where Bob lacks the power; Alice's has 0 and is set.
    @Test(arguments: modern)
    func demotionBeatsLateTopic(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add(
            "demotion", .powerLevels, by: Who.alice, ["users": graph.users([:])], auth: ["alice", "levels"], at: 8)
        graph.add("a", .topic, by: Who.alice, auth: ["alice", "demotion"], at: 9)
        graph.add("b", .topic, by: Who.bob, auth: ["bob", "levels"], at: 1000)
        let result = graph.resolve(base(["levels": "demotion"], "a"), base([:], "b"))
        #expect(result == Set(base(["levels": "demotion"], "a")))
    }

    /// Position in the mainline goes before time: of two topics that are both allowed, that under the newer levels wins.
    @Test(arguments: modern)
    func mainlineGoesBeforeTime(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add(
            "promotion", .powerLevels, by: Who.alice, ["users": graph.users([Who.bob: 60])], auth: ["alice", "levels"],
            at: 8)
        graph.add("new", .topic, by: Who.alice, auth: ["alice", "promotion"], at: 9)
        graph.add("old", .topic, by: Who.bob, auth: ["bob", "levels"], at: 1000)
        let result = graph.resolve(base(["levels": "promotion"], "new"), base([:], "old"))
        #expect(result == Set(base(["levels": "promotion"], "new")))
    }

    /// Alice closes the room while Dave joins through the open door.
    ///
    /// Both join rules are power events and come first, the second by time on top; Dave's join needs an invitation then. In version 1 a
    /// membership that only one state has is no conflict: Dave stays.
    @Test(arguments: RoomVersion.all)
    func closedDoorBeatsJoin(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add("closed", .joinRules, by: Who.alice, ["join_rule": "invite"], auth: ["alice", "levels"], at: 20)
        graph.add(
            "dave", .member, by: Who.dave, key: Who.dave, ["membership": "join"], auth: ["levels", "rules"], at: 10)
        let closed = base(["rules": "closed"])
        let result = graph.resolve(closed, base([:], "dave"))
        #expect(result == Set(version.stateResolution == .v1 ? closed + ["dave"] : closed))
    }

    /// Alice demotes Bob, Bob demotes Carol, who had power, at the same time.
    ///
    /// Conflicted: two power levels that both list the first. The first by power is Alice's; Bob, who lost his, cannot change anything.
    @Test(arguments: modern)
    func strongerChangeOfPowerWins(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add(
            "byAlice", .powerLevels, by: Who.alice, ["users": graph.users([:])], auth: ["alice", "levels"], at: 30)
        graph.add(
            "byBob", .powerLevels, by: Who.bob, ["users": graph.users([Who.bob: 50, Who.carol: 10])],
            auth: ["bob", "levels"], at: 20)
        let result = graph.resolve(base(["levels": "byAlice"]), base(["levels": "byBob"]))
        #expect(result == Set(base(["levels": "byAlice"])))
    }

    /// Alice promotes Bob, who promotes Carol and Dave, on one branch; the other branch still has the first levels.
    ///
    /// Conflicted: levels and third. The promotions between are in the auth chain of one state only: the auth difference. With them, levels,
    /// first, second, third are allowed one after the other; without, Bob could not have done what he did.
    @Test(arguments: modern)
    func authDifferenceIsReplayed(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add(
            "first", .powerLevels, by: Who.alice, ["users": graph.users([Who.bob: 90])], auth: ["alice", "levels"],
            at: 10)
        graph.add(
            "second", .powerLevels, by: Who.bob, ["users": graph.users([Who.bob: 90, Who.carol: 80])],
            auth: ["bob", "first"], at: 11)
        graph.add(
            "third", .powerLevels, by: Who.carol, ["users": graph.users([Who.bob: 90, Who.carol: 80, Who.dave: 70])],
            auth: ["carol", "second"], at: 12)
        #expect(graph.resolve(base(["levels": "third"]), base()) == Set(base(["levels": "third"])))
    }

    /// The store's own index of auth chains is used where there is one: with a wrong answer, the result is wrong.
    @Test func authDifferenceCanBeGiven() {
        let graph = EventGraph.base(.v11)
        let first = graph.add(
            "first", .powerLevels, by: Who.alice, ["users": graph.users([Who.bob: 90])], auth: ["alice", "levels"],
            at: 10)
        graph.add(
            "second", .powerLevels, by: Who.bob, ["users": graph.users([Who.bob: 90, Who.carol: 80])],
            auth: ["bob", "first"], at: 11)
        graph.difference = [first]
        #expect(graph.resolve(base(["levels": "second"]), base()) == Set(base(["levels": "second"])))
        graph.difference = []
        #expect(graph.resolve(base(["levels": "second"]), base()) == Set(base()))
    }

    /// Both states agree on Bob's present membership; one has a topic that lists his former one.
    ///
    /// Full conflicted set: the topic and, as auth difference, the former membership. Both are allowed, which puts the former membership
    /// into the state; in the end what the states agree on is put back.
    @Test(arguments: modern)
    func whatIsAgreedOnIsPutBack(version: RoomVersion) {
        let graph = EventGraph.base(version)
        graph.add(
            "bob1", .member, by: Who.bob, key: Who.bob, ["membership": "join", "displayname": "Bob"],
            auth: ["levels", "rules"], at: 10)
        graph.add("topic", .topic, by: Who.bob, auth: ["bob", "levels"], at: 11)
        let common = base(["bob": "bob1"])
        #expect(graph.resolve(common + ["topic"], common) == Set(common + ["topic"]))
    }

    /// Auth events that were rejected do not stand in for what the state lacks.
    ///
    /// The states differ in Bob's membership only; "name" lists a rejected join of Bob as its own authorization. In version 12 the start
    /// is empty, so that this join would be looked up there.
    @Test func rejectedAuthEventsFillNoGap() {
        for rejected in [false, true] {
            let graph = EventGraph.base(.v12)
            graph.add(
                "dave", .member, by: Who.dave, key: Who.dave, ["membership": "join"], auth: ["levels", "rules"], at: 10,
                rejected: rejected)
            graph.add("own", "x.own", by: Who.dave, key: Who.dave, auth: ["levels", "dave"], at: 11)
            graph.add("levels0", .powerLevels, by: Who.alice, ["state_default": 0], auth: ["alice", "levels"], at: 9)
            let zero = base(["levels": "levels0"], "dave")
            // dave is in both states: unconflicted, and put back in the end; "own" is decided on its auth events.
            let result = graph.resolve(zero + ["own"], zero)
            #expect(result.contains("own") == false, "needs state_default 50 by its own auth events")
            graph.add("own0", "x.own", by: Who.dave, key: Who.dave, auth: ["levels0", "dave"], at: 12)
            #expect(graph.resolve(zero + ["own0"], zero).contains("own0") == !rejected)
        }
    }

    /// Without the events the resolver says what it needs, and with them goes on.
    @Test(arguments: RoomVersion.all)
    func asksForWhatIsMissing(version: RoomVersion) {
        let graph = EventGraph.base(version)
        let first = graph.add("a", .topic, by: Who.alice, auth: ["alice", "levels"], at: 10)
        let second = graph.add("b", .topic, by: Who.bob, auth: ["bob", "levels"], at: 11)
        let states = [graph.state(base([:], "a")), graph.state(base([:], "b"))]
        graph.absent = ["a", "b"]
        #expect(StateResolver.resolve(states, version: version, source: graph) == .needs([first, second]))
        graph.absent = []
        #expect(StateResolver.resolve(states, version: version, source: graph) == .resolved(states[1]))
    }
}
