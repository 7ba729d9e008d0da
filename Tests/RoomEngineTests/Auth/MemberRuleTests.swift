import Matrix
import RoomEngine
import Testing

@Suite struct MemberRuleTests {
    @Test(arguments: RoomVersion.all)
    func membershipsAreWellFormed(version: RoomVersion) {
        let room = RoomFixture(version)
        let noKey = room.event("m", .member, by: Who.dave, ["membership": "join"])
        #expect(rejection(noKey, room.state()) == .memberWithoutStateKey)
        let noMembership = room.event("m", .member, by: Who.dave, key: Who.dave)
        #expect(rejection(noMembership, room.state()) == .memberWithoutMembership)
        for unknown in ["JOIN", 1] as [JSONValue] {
            let event = room.event("m", .member, by: Who.dave, key: Who.dave, ["membership": unknown])
            #expect(rejection(event, room.state(joinRule: "public")) == .unknownMembership)
        }
    }

    // MARK: join

    @Test(arguments: RoomVersion.all)
    func creatorJoinsFirst(version: RoomVersion) {
        let room = RoomFixture(version)
        let create = room.create()
        let state = EventListState([create], creation: RoomCreation(create))
        func join(_ who: String, prev: String) -> Event {
            room.event("j", .member, by: who, key: who, ["membership": "join"], prev: [prev])
        }
        let first = String(create.eventID.string.dropFirst())
        #expect(rejection(join(Who.alice, prev: first), state) == nil)
        #expect(rejection(join(Who.bob, prev: first), state) == .joinWithoutInvite(.invite))
        #expect(rejection(join(Who.alice, prev: "later"), state) == .joinWithoutInvite(.invite))
    }

    @Test func creatorIsNamedByContentUpToVersion10() {
        for version in [RoomVersion.v10, .v11] {
            let room = RoomFixture(version)
            let create = room.event(
                "create", .create, by: Who.alice, key: "", ["creator": .string(Who.carol)], prev: []
            )
            let state = EventListState([create], creation: RoomCreation(create))
            func join(_ who: String) -> Event {
                room.event("j", .member, by: who, key: who, ["membership": "join"], prev: ["create"])
            }
            #expect((rejection(join(Who.carol), state) == nil) == (version == .v10))
            #expect((rejection(join(Who.alice), state) == nil) == (version == .v11))
        }
    }

    @Test(arguments: RoomVersion.all)
    func onlyOneselfJoins(version: RoomVersion) {
        let room = RoomFixture(version)
        let state = room.state(joinRule: "public")
        #expect(rejection(room.member(Who.dave, "join", by: Who.alice), state) == .joinByOther)
        #expect(rejection(room.member(Who.dave, "join"), state) == nil)
    }

    @Test(arguments: RoomVersion.all)
    func theBannedDoNotJoin(version: RoomVersion) {
        let room = RoomFixture(version)
        let state = room.state(room.member(Who.dave, "ban", by: Who.alice), joinRule: "public")
        #expect(rejection(room.member(Who.dave, "join"), state) == .joinWhileBanned)
    }

    @Test(arguments: RoomVersion.all)
    func joinRules(version: RoomVersion) {
        let room = RoomFixture(version)
        let join = room.member(Who.dave, "join", id: "join")
        func check(_ rule: String, from membership: String?) -> AuthRejection? {
            guard let membership else { return rejection(join, room.state(joinRule: rule)) }
            return rejection(join, room.state(room.member(Who.dave, membership), joinRule: rule))
        }
        for membership in [nil, "leave", "knock"] {
            #expect(check("public", from: membership) == nil)
            #expect(check("invite", from: membership) == .joinWithoutInvite(.invite))
            #expect(check("private", from: membership) == .joinWithoutInvite(.private))
            #expect(check("knock", from: membership) == .joinWithoutInvite(.knock))
            #expect(check("unheard of", from: membership) == .joinWithoutInvite(nil))
        }
        for membership in ["invite", "join"] {
            #expect(check("public", from: membership) == nil)
            #expect(check("invite", from: membership) == nil)
            #expect(check("private", from: membership) == .joinWithoutInvite(.private))
            #expect((check("knock", from: membership) == nil) == version.knocking)
            #expect((check("restricted", from: membership) == nil) == version.restrictedJoins)
            #expect((check("knock_restricted", from: membership) == nil) == version.knockRestricted)
        }
    }

    @Test(arguments: RoomVersion.all)
    func restrictedJoins(version: RoomVersion) {
        let room = RoomFixture(version)
        func join(_ authoriser: JSONValue?, signedBy server: String = "two.example") -> Event {
            var content: JSONValue = ["membership": "join"]
            content["join_authorised_via_users_server"] = authoriser
            return room.event(
                "j", .member, by: Who.dave, key: Who.dave, content,
                extra: ["signatures": .object([server: ["ed25519:1": "c2ln"]])]
            )
        }
        for rule in ["restricted", "knock_restricted"] {
            let supported = rule == "restricted" ? version.restrictedJoins : version.knockRestricted
            let state = room.state(joinRule: rule, levels: ["invite": 50])
            guard supported else {
                #expect(rejection(join(.string(Who.bob)), state) == .joinWithoutInvite(JoinRule(rawValue: rule)))
                continue
            }
            #expect(rejection(join(.string(Who.bob)), state) == nil)
            #expect(rejection(join(nil), state) == .joinNotAuthorised)
            // Carol may not invite; Dave is no member; a server that did not sign cannot have authorised.
            #expect(rejection(join(.string(Who.carol), signedBy: "one.example"), state) == .joinNotAuthorised)
            #expect(rejection(join(.string(Who.evil), signedBy: "evil.example"), state) == .joinNotAuthorised)
            #expect(
                rejection(join(.string(Who.bob), signedBy: "one.example"), state) == .joinNotSignedByAuthorisingServer)
            #expect(rejection(join("nobody"), state) == .joinNotSignedByAuthorisingServer)
        }
    }

    // MARK: invite

    @Test(arguments: RoomVersion.all)
    func invitations(version: RoomVersion) {
        let room = RoomFixture(version)
        let state = room.state(levels: ["invite": 50])
        #expect(rejection(room.member(Who.dave, "invite", by: Who.bob), state) == nil)
        #expect(
            rejection(room.member(Who.dave, "invite", by: Who.carol), state)
                == .cannotInvite(has: .level(0), needs: .level(50))
        )
        #expect(rejection(room.member(Who.dave, "invite", by: Who.evil), state) == .senderNotJoined)
        #expect(rejection(room.member(Who.carol, "invite", by: Who.bob), state) == .inviteOf(.join))
        let banned = room.state(room.member(Who.dave, "ban", by: Who.alice))
        #expect(rejection(room.member(Who.dave, "invite", by: Who.bob), banned) == .inviteOf(.ban))
        let left = room.state(room.member(Who.dave, "leave"))
        #expect(rejection(room.member(Who.dave, "invite", by: Who.carol), left) == nil)
    }

    // MARK: leave

    @Test(arguments: RoomVersion.all)
    func leaving(version: RoomVersion) {
        let room = RoomFixture(version)
        let leave = room.member(Who.dave, "leave", id: "leave")
        for membership in ["invite", "join"] {
            #expect(rejection(leave, room.state(room.member(Who.dave, membership))) == nil)
        }
        let knocked = rejection(leave, room.state(room.member(Who.dave, "knock")))
        #expect(knocked == (version.knocking ? nil : .leaveFrom(.knock)))
        #expect(rejection(leave, room.state(room.member(Who.dave, "ban", by: Who.alice))) == .leaveFrom(.ban))
        #expect(rejection(leave, room.state(room.member(Who.dave, "leave"))) == .leaveFrom(.leave))
        #expect(rejection(leave, room.state()) == .leaveFrom(nil))
    }

    @Test(arguments: RoomVersion.all)
    func kicking(version: RoomVersion) {
        let room = RoomFixture(version)
        let state = room.state()
        #expect(rejection(room.member(Who.carol, "leave", by: Who.bob), state) == nil)
        #expect(rejection(room.member(Who.bob, "leave", by: Who.evil), state) == .senderNotJoined)
        #expect(
            rejection(room.member(Who.bob, "leave", by: Who.carol), state)
                == .cannotKick(has: .level(0), needs: .level(50)))
        let alice: PowerLevel = version.privilegedCreators ? .infinite : .level(100)
        #expect(
            rejection(room.member(Who.alice, "leave", by: Who.bob), state)
                == .targetAsPowerful(has: .level(50), target: alice))
        #expect(rejection(room.member(Who.bob, "leave", by: Who.alice), state) == nil)
    }

    @Test(arguments: RoomVersion.all)
    func liftingBansTakesBothLevels(version: RoomVersion) {
        let room = RoomFixture(version)
        let lift = room.member(Who.dave, "leave", by: Who.bob, id: "lift")
        func state(_ levels: JSONValue) -> EventListState {
            room.state(room.member(Who.dave, "ban", by: Who.alice), levels: levels)
        }
        #expect(rejection(lift, state([:])) == nil)
        #expect(rejection(lift, state(["ban": 60])) == .cannotUnban(has: .level(50), needs: .level(60)))
        #expect(rejection(lift, state(["kick": 60])) == .cannotKick(has: .level(50), needs: .level(60)))
    }

    // MARK: ban

    @Test(arguments: RoomVersion.all)
    func banning(version: RoomVersion) {
        let room = RoomFixture(version)
        let state = room.state()
        #expect(rejection(room.member(Who.carol, "ban", by: Who.bob), state) == nil)
        // One can ban who has never been there.
        #expect(rejection(room.member(Who.evil, "ban", by: Who.bob), state) == nil)
        #expect(rejection(room.member(Who.carol, "ban", by: Who.evil), state) == .senderNotJoined)
        #expect(
            rejection(room.member(Who.bob, "ban", by: Who.carol), state)
                == .cannotBan(has: .level(0), needs: .level(50)))
        let alice: PowerLevel = version.privilegedCreators ? .infinite : .level(100)
        #expect(
            rejection(room.member(Who.alice, "ban", by: Who.bob), state)
                == .targetAsPowerful(has: .level(50), target: alice))
        #expect(
            rejection(room.member(Who.bob, "ban", by: Who.bob), state)
                == .targetAsPowerful(has: .level(50), target: .level(50)))
    }

    // MARK: knock

    @Test(arguments: RoomVersion.all)
    func knocking(version: RoomVersion) {
        let room = RoomFixture(version)
        let knock = room.member(Who.dave, "knock", id: "knock")
        guard version.knocking else {
            #expect(rejection(knock, room.state(joinRule: "knock")) == .unknownMembership)
            return
        }
        #expect(rejection(knock, room.state(joinRule: "knock")) == nil)
        let both = rejection(knock, room.state(joinRule: "knock_restricted"))
        #expect(both == (version.knockRestricted ? nil : .cannotKnock(.knockRestricted)))
        for rule in ["public", "invite", "restricted", "private"] {
            #expect(rejection(knock, room.state(joinRule: rule)) == .cannotKnock(JoinRule(rawValue: rule)))
        }
        let byOther = room.member(Who.dave, "knock", by: Who.bob)
        #expect(rejection(byOther, room.state(joinRule: "knock")) == .knockByOther)
        for membership in [Membership.ban, .invite, .join] {
            let state = room.state(room.member(Who.dave, membership.rawValue), joinRule: "knock")
            #expect(rejection(knock, state) == .knockFrom(membership))
        }
        for membership in ["leave", "knock"] {
            #expect(rejection(knock, room.state(room.member(Who.dave, membership), joinRule: "knock")) == nil)
        }
    }
}
