import Matrix
import RoomEngine
import Testing

@Suite struct CreateRuleTests {
    @Test(arguments: RoomVersion.all)
    func plainCreationIsAllowed(version: RoomVersion) {
        #expect(rejection(RoomFixture(version).create(), EventListState([])) == nil)
    }

    @Test(arguments: RoomVersion.all)
    func creationFollowsNothing(version: RoomVersion) {
        let room = RoomFixture(version)
        let event = room.event("create", .create, by: Who.alice, key: "", ["creator": .string(Who.alice)], prev: ["x"])
        #expect(rejection(event, EventListState([])) == .createHasPrevEvents)
    }

    @Test(arguments: versions(1...11))
    func roomIDNamesTheSendersServer(version: RoomVersion) {
        #expect(rejection(RoomFixture(version).create(by: Who.bob), EventListState([])) == .createRoomIDOfOtherServer)
    }

    @Test func roomIDIsForbiddenSinceVersion12() {
        let event = RoomFixture(.v12).event(
            "create", .create, by: Who.alice, key: "", prev: [], extra: ["room_id": "!create"]
        )
        #expect(rejection(event, EventListState([])) == .createHasRoomID)
    }

    @Test(arguments: RoomVersion.all)
    func unknownVersionsAreRejected(version: RoomVersion) {
        let room = RoomFixture(version)
        #expect(rejection(room.create(["room_version": .string(version.id)]), EventListState([])) == nil)
        for unknown in ["no.such.version", 1, nil] as [JSONValue?] {
            let content = JSONValue.object(["room_version": unknown ?? .null])
            #expect(rejection(room.create(content), EventListState([])) == .createUnknownRoomVersion)
        }
    }

    @Test func creatorIsNeededUpToVersion10() {
        for version in RoomVersion.all {
            let event = RoomFixture(version).event("create", .create, by: Who.alice, key: "", prev: [])
            let expected: AuthRejection? = version.implicitCreator ? nil : .createWithoutCreator
            #expect(rejection(event, EventListState([])) == expected, "version \(version)")
        }
    }

    @Test func additionalCreatorsAreUserIDs() {
        func check(_ creators: JSONValue, _ version: RoomVersion = .v12) -> AuthRejection? {
            rejection(RoomFixture(version).create(["additional_creators": creators]), EventListState([]))
        }
        #expect(check([]) == nil)
        #expect(check([.string(Who.bob), .string(Who.alice)]) == nil)
        for malformed in ["@a:b", [1], ["bob"], ["@bob"], [.string(Who.bob), .null], [:], .null] as [JSONValue] {
            #expect(check(malformed) == .createInvalidAdditionalCreators)
            #expect(check(malformed, .v11) == nil)
        }
    }
}
