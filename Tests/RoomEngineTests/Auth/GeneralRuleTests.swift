import Matrix
import RoomEngine
import Testing

@Suite struct GeneralRuleTests {
    @Test(arguments: RoomVersion.all)
    func nothingWithoutACreation(version: RoomVersion) {
        let room = RoomFixture(version)
        let message = room.event("m", .message, by: Who.alice)
        #expect(rejection(message, EventListState([room.member(Who.alice, "join")])) == .noCreateEvent)
        #expect(rejection(message, room.state()) == nil)
    }

    @Test func roomIDIsTheCreationsHashInVersion12() {
        var room = RoomFixture(.v12)
        let state = room.state()
        room.roomID = "!other"
        #expect(rejection(room.event("m", .message, by: Who.alice), state) == .roomIDNotFromCreateEvent)
    }

    @Test(arguments: RoomVersion.all)
    func closedRoomsAreForTheCreatorsServer(version: RoomVersion) {
        let room = RoomFixture(version)
        let state = room.state(create: room.create(["m.federate": false]))
        #expect(rejection(room.event("m", .message, by: Who.bob), state) == .notFederated)
        #expect(rejection(room.event("m", .message, by: Who.carol), state) == nil)
        let open = room.state(create: room.create(["m.federate": true]))
        #expect(rejection(room.event("m", .message, by: Who.bob), open) == nil)
    }

    @Test func aliasesHadARuleOfTheirOwn() {
        for version in RoomVersion.all {
            let room = RoomFixture(version)
            // Not even a member: the old rule came before membership.
            let own = room.event("a", .aliases, by: Who.dave, key: "three.example")
            let other = room.event("a", .aliases, by: Who.dave, key: "one.example")
            let none = room.event("a", .aliases, by: Who.dave)
            let old = version.aliasesSpecialAuth
            #expect(rejection(own, room.state()) == (old ? nil : .senderNotJoined), "version \(version)")
            #expect(rejection(other, room.state()) == (old ? .aliasesOfOtherServer : .senderNotJoined))
            #expect(rejection(none, room.state()) == (old ? .aliasesWithoutStateKey : .senderNotJoined))
        }
    }

    @Test(arguments: RoomVersion.all)
    func onlyMembersSend(version: RoomVersion) {
        let room = RoomFixture(version)
        let message = room.event("m", .message, by: Who.dave)
        #expect(rejection(message, room.state()) == .senderNotJoined)
        for membership in ["invite", "leave", "ban", "knock"] {
            #expect(rejection(message, room.state(room.member(Who.dave, membership))) == .senderNotJoined)
        }
        #expect(rejection(message, room.state(room.member(Who.dave, "join"))) == nil)
    }

    @Test(arguments: RoomVersion.all)
    func thirdPartyInvitesNeedTheInviteLevel(version: RoomVersion) {
        let room = RoomFixture(version)
        // state_default 100 does not count for them.
        let state = room.state(levels: ["invite": 50, "state_default": 100])
        let byBob = room.event("t", .thirdPartyInvite, by: Who.bob, key: "token")
        let byCarol = room.event("t", .thirdPartyInvite, by: Who.carol, key: "token")
        #expect(rejection(byBob, state) == nil)
        #expect(rejection(byCarol, state) == .cannotInviteThirdParty(has: .level(0), needs: .level(50)))
    }

    @Test(arguments: RoomVersion.all)
    func typesNeedTheirLevel(version: RoomVersion) {
        let room = RoomFixture(version)
        let state = room.state(levels: ["events": ["m.room.name": 60, "m.room.topic": 0], "events_default": 10])
        func topic(_ who: String) -> Event { room.event("e", .topic, by: who, key: "") }
        func name(_ who: String) -> Event { room.event("e", .name, by: who, key: "") }
        func other(_ who: String) -> Event { room.event("e", "x.other", by: who, key: "") }
        func message(_ who: String) -> Event { room.event("e", .message, by: who) }
        #expect(rejection(topic(Who.carol), state) == nil)
        #expect(rejection(name(Who.alice), state) == nil)
        #expect(rejection(name(Who.bob), state) == .cannotSend(.name, has: .level(50), needs: .level(60)))
        #expect(rejection(other(Who.bob), state) == nil)
        #expect(rejection(other(Who.carol), state) == .cannotSend("x.other", has: .level(0), needs: .level(50)))
        #expect(rejection(message(Who.bob), state) == nil)
        #expect(rejection(message(Who.carol), state) == .cannotSend(.message, has: .level(0), needs: .level(10)))
    }

    @Test(arguments: RoomVersion.all)
    func withoutPowerLevelsTheCreatorRules(version: RoomVersion) {
        let room = RoomFixture(version)
        let create = room.create()
        let state = EventListState(
            [create, room.member(Who.alice, "join"), room.member(Who.bob, "join")], creation: RoomCreation(create)
        )
        #expect(rejection(room.event("e", .topic, by: Who.alice, key: ""), state) == nil)
        #expect(
            rejection(room.event("e", .topic, by: Who.bob, key: ""), state)
                == .cannotSend(.topic, has: .level(0), needs: .level(50))
        )
        #expect(rejection(room.event("e", .message, by: Who.bob), state) == nil)
    }

    @Test(arguments: RoomVersion.all)
    func stateKeysOfUsersAreTheirOwn(version: RoomVersion) {
        let room = RoomFixture(version)
        let state = room.state()
        #expect(rejection(room.event("e", "x.own", by: Who.bob, key: Who.bob), state) == nil)
        #expect(rejection(room.event("e", "x.own", by: Who.bob, key: Who.alice), state) == .stateKeyOfOtherUser)
        #expect(rejection(room.event("e", "x.own", by: Who.bob, key: "@"), state) == .stateKeyOfOtherUser)
        #expect(rejection(room.event("e", "x.own", by: Who.bob, key: "x@"), state) == nil)
    }

    @Test func redactionWasAMatterOfAuthorization() {
        for version in RoomVersion.all {
            let room = RoomFixture(version)
            func redaction(_ who: String, of id: JSONValue) -> Event {
                room.event("r", .redaction, by: who, extra: ["redacts": id])
            }
            let state = room.state()
            #expect(rejection(redaction(Who.bob, of: "$x:three.example"), state) == nil, "version \(version)")
            let foreign = rejection(redaction(Who.carol, of: "$x:three.example"), state)
            #expect(
                foreign == (version.redactionAuthRule ? .cannotRedact(has: .level(0), needs: .level(50)) : nil),
                "version \(version)"
            )
            #expect(rejection(redaction(Who.carol, of: "$x:one.example"), state) == nil, "version \(version)")
        }
    }
}
