import Matrix
import RoomEngine
import Testing

@Suite struct SelectionTests {
    func keys(
        _ version: RoomVersion, _ type: EventType, key: String? = nil, by sender: String = Who.alice,
        _ content: JSONValue = [:]
    ) throws -> Set<StateKey> {
        let sender = try #require(UserID(sender))
        let list = Authorization.requiredKeys(
            type: type, stateKey: key.map { ExactString($0) }, sender: sender, content: content.json, version: version
        )
        #expect(Set(list).count == list.count)
        return Set(list)
    }

    func member(_ user: String) -> StateKey { StateKey(.member, user) }

    @Test(arguments: RoomVersion.all)
    func keysOfEachKindOfEvent(version: RoomVersion) throws {
        var base: Set<StateKey> = [StateKey(.powerLevels), member(Who.alice)]
        if version.createInAuthEvents { base.insert(StateKey(.create)) }
        #expect(try keys(version, .create, key: "") == [])
        #expect(try keys(version, .message) == base)
        #expect(try keys(version, .topic, key: "") == base)
        #expect(try keys(version, .member, key: Who.bob, ["membership": "leave"]) == base.union([member(Who.bob)]))
        #expect(try keys(version, .member, key: Who.bob, ["membership": "ban"]) == base.union([member(Who.bob)]))
        let rules = base.union([StateKey(.joinRules)])
        #expect(try keys(version, .member, key: Who.alice, ["membership": "join"]) == rules)
        #expect(try keys(version, .member, key: Who.alice, ["membership": "knock"]) == rules)
        #expect(try keys(version, .member, key: Who.bob, ["membership": "invite"]) == rules.union([member(Who.bob)]))
        let thirdParty: JSONValue = ["membership": "invite", "third_party_invite": ["signed": ["token": "t"]]]
        #expect(
            try keys(version, .member, key: Who.bob, thirdParty)
                == rules.union([member(Who.bob), StateKey(.thirdPartyInvite, "t")]))
        let restricted: JSONValue = ["membership": "join", "join_authorised_via_users_server": .string(Who.bob)]
        #expect(
            try keys(version, .member, key: Who.alice, restricted)
                == (version.restrictedJoins ? rules.union([member(Who.bob)]) : rules))
    }

    /// What becomes of Bob's topic with these auth events.
    func check(_ room: RoomFixture, _ events: [Event], rejected: Set<String> = []) -> AuthRejection? {
        let topic = room.event("t", .topic, by: Who.bob, key: "")
        let result = Authorization.checkAuthEventsSelection(topic, authEvents: events) {
            rejected.contains($0.eventID.string)
        }
        if case .failure(let rejection) = result { return rejection }
        return nil
    }

    @Test(arguments: RoomVersion.all)
    func whatIsListed(version: RoomVersion) throws {
        let room = RoomFixture(version)
        let create = room.create()
        let base = [room.member(Who.bob, "join"), room.powerLevels([:])] + (version.createInAuthEvents ? [create] : [])
        #expect(check(room, base) == nil)
        #expect(check(room, Array(base.dropFirst())) == nil)
        let second = room.member(Who.bob, "join", id: "again")
        #expect(check(room, base + [second]) == .duplicateAuthEvent(StateKey(.member, Who.bob)))
        let stranger = room.member(Who.alice, "join")
        #expect(check(room, base + [stranger]) == .unexpectedAuthEvent(stranger.eventID))
        let message = room.event("m", .message, by: Who.bob)
        #expect(check(room, base + [message]) == .unexpectedAuthEvent(message.eventID))
        #expect(check(room, base, rejected: [base[0].eventID.string]) == .rejectedAuthEvent(base[0].eventID))
        if version.createInAuthEvents {
            #expect(check(room, Array(base.dropLast())) == .noCreateEvent)
        } else {
            #expect(check(room, base + [create]) == .unexpectedAuthEvent(create.eventID))
        }
        var elsewhere = room
        elsewhere.roomID = "!elsewhere:one.example"
        let foreign = elsewhere.powerLevels([:])
        let mixed = base.map { $0.type == .powerLevels ? foreign : $0 }
        #expect(check(room, mixed) == .authEventOfOtherRoom(foreign.eventID))
    }
}
