import Matrix
import RoomEngine
import Testing

@Suite struct BuildingTests {
    func extremity(_ name: String, _ depth: Int64) throws -> Placement.Extremity {
        Placement.Extremity(id: try #require(EventID("$" + name)), depth: depth)
    }

    @Test func oneAboveTheHighest() throws {
        let placement = Placement(after: [try extremity("a", 4), try extremity("b", 7)], version: .v11)
        #expect(placement.prevEvents.map(\.string) == ["$b", "$a"])
        #expect(placement.depth == 8)
        let first = Placement(after: [], version: .v11)
        #expect(first.prevEvents == [])
        #expect(first.depth == 1)
    }

    @Test func depthStopsAtItsLimit() throws {
        let limit = JSON.maximumInteger
        #expect(Placement(after: [try extremity("a", limit)], version: .v6).depth == limit)
        #expect(Placement(after: [try extremity("a", limit - 1)], version: .v6).depth == limit)
        #expect(Placement(after: [try extremity("a", limit)], version: .v5).depth == limit + 1)
        #expect(Placement(after: [try extremity("a", .max)], version: .v1).depth == .max)
    }

    @Test func manyBranchesAreJoinedFromBothEnds() throws {
        let extremities = try (0..<50).map { try extremity("e\($0)", Int64($0)) }
        let placement = Placement(after: extremities.shuffled(), version: .v11)
        let expected = (40..<50).reversed() + (0..<10).reversed()
        #expect(placement.prevEvents.map(\.string) == expected.map { "$e\($0)" })
        #expect(placement.depth == 50)
        let twenty = Placement(after: extremities.prefix(20), version: .v11)
        #expect(twenty.prevEvents.count == 20)
    }

    @Test(arguments: RoomVersion.all)
    func authEventsAreThoseOfTheState(version: RoomVersion) throws {
        let room = RoomFixture(version)
        let proposal = EventProposal(
            type: .member, stateKey: ExactString(Who.dave), sender: try #require(UserID(Who.bob)),
            content: JSONValue.object(["membership": "invite"]).json)
        let state = room.state()
        let events = proposal.authEvents(in: state, version: version)
        #expect(Set(events.compactMap(\.state)).isSubset(of: proposal.requiredKeys(version: version)))
        let types = events.map(\.type)
        #expect(types.contains(.create) == version.createInAuthEvents)
        // Dave has no membership yet; Bob's is there.
        #expect(Set(types) == Set([.powerLevels, .joinRules, .member] + (version.createInAuthEvents ? [.create] : [])))
        let builder = proposal.builder(
            in: state, at: Placement(after: [try extremity("p", 3)], version: version), room: RoomID(room.roomID),
            version: version, originServerTS: 5)
        #expect(builder.authEvents == events.map(\.eventID))
        #expect(builder.depth == 4)
        #expect(builder.originServerTS == 5)
    }

    @Test func contentRules() throws {
        func check(
            _ content: JSONValue, _ type: EventType = .powerLevels, key: String? = "", _ version: RoomVersion = .v9
        ) -> ContentRule.Violation? {
            let creation = RoomCreation(RoomFixture(version).create())
            let result = ContentRule.check(
                content.json, type: type, stateKey: key.map { ExactString($0) }, creation: creation, version: version)
            if case .failure(let violation) = result { return violation }
            return nil
        }
        #expect(check(["ban": 50, "users": [Who.bob: 50]]) == nil)
        #expect(check(["ban": "50"]) == .malformedPowerLevels(.notAnInteger(property: "ban")))
        #expect(
            check(["users": [Who.bob: "50"]])
                == .malformedPowerLevels(.entryNotAnInteger(property: "users", key: Who.bob)))
        #expect(check(["users": [Who.alice: 100]]) == nil)
        #expect(
            check(["users": [Who.alice: 100]], .powerLevels, key: "", .v12)
                == .powerLevelOfCreator(try #require(UserID(Who.alice))))
        #expect(check(["membership": "join"], .member, key: "bob") == .memberWithoutUser)
        #expect(check(["membership": "join"], .member, key: Who.bob) == nil)
        let fraction: JSONValue = ["geo": ["lat": [.number(ExactString("1.5"))]]]
        #expect(check(fraction, .message, key: nil) == .numberNotCanonical)
        #expect(check(fraction, .message, key: nil, .v5) == nil)
    }
}
