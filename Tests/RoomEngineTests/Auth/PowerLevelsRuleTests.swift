import Matrix
import RoomEngine
import Testing

@Suite struct PowerLevelsRuleTests {
    /// What becomes of Bob (50) or another changing the levels from `old` to `new`. The creator is not in `users` since version 12.
    func change(
        _ version: RoomVersion, _ old: JSONValue, _ new: JSONValue, by sender: String = Who.bob
    ) -> AuthRejection? {
        let room = RoomFixture(version)
        let users: JSONValue = version.privilegedCreators ? [Who.bob: 50] : [Who.alice: 100, Who.bob: 50]
        func levels(_ content: JSONValue, _ id: String) -> Event {
            var content = content
            if content["users"] == nil { content["users"] = users }
            // Whoever may change them at all is not what is examined here.
            if content["events"] == nil { content["events"] = ["m.room.power_levels": 0] }
            return room.powerLevels(content, by: sender, id: id)
        }
        let create = room.create()
        let state = EventListState(
            [create, room.member(Who.alice, "join"), room.member(Who.bob, "join"), levels(old, "old")],
            creation: RoomCreation(create)
        )
        return rejection(levels(new, "new"), state)
    }

    static let properties = ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"]

    // MARK: form

    @Test(arguments: RoomVersion.all)
    func propertiesAreIntegers(version: RoomVersion) {
        for property in Self.properties {
            func check(_ value: JSONValue) -> AuthRejection? { change(version, [:], .object([property: value])) }
            #expect(check(5) == nil)
            let malformed = AuthRejection.malformedPowerLevels(.notAnInteger(property: property))
            #expect(check("5") == (version.integerPowerLevels ? malformed : nil))
            #expect(check(.number(ExactString("5.5"))) == (version.strictCanonicalJSON ? malformed : nil))
            #expect(check(.null) == (version.integerPowerLevels ? malformed : nil))
            for value in ["five", "", "5.0", "--5", "5 0", true, [], [:]] as [JSONValue] {
                #expect(check(value) == malformed, "\(property): \(value)")
            }
        }
    }

    @Test(arguments: RoomVersion.all)
    func entriesAreIntegers(version: RoomVersion) {
        for property in ["events", "notifications"] where property == "events" || version.limitNotificationsPowerLevels
        {
            func check(_ value: JSONValue) -> AuthRejection? { change(version, [:], .object([property: value])) }
            #expect(check(["m.room.power_levels": 0, "x": 5]) == nil)
            #expect(check([]) == .malformedPowerLevels(.notAnObject(property: property)))
            #expect(check(5) == .malformedPowerLevels(.notAnObject(property: property)))
            let flaw = AuthRejection.malformedPowerLevels(.entryNotAnInteger(property: property, key: "x"))
            #expect(check(["x": "5"]) == (version.integerPowerLevels ? flaw : nil))
            #expect(check(["x": "y"]) == flaw)
            #expect(check(["x": [:]]) == flaw)
        }
    }

    @Test(arguments: RoomVersion.all)
    func usersAreUsers(version: RoomVersion) {
        func check(_ users: JSONValue) -> AuthRejection? {
            change(version, ["users": [:]], ["users": users], by: Who.alice)
        }
        #expect(check([Who.dave: 0]) == nil)
        #expect(check([]) == .malformedPowerLevels(.notAnObject(property: "users")))
        for id in ["dave", "@dave", "", "!dave:one.example"] {
            #expect(check(.object([id: 0])) == .malformedPowerLevels(.invalidUserID(id)))
        }
        #expect(
            check([Who.dave: "x"]) == .malformedPowerLevels(.entryNotAnInteger(property: "users", key: Who.dave)))
        let text = check([Who.dave: "0"])
        #expect((text == nil) == !version.integerPowerLevels)
    }

    @Test func textsAsLevels() {
        func level(_ text: String) -> Int64? {
            PowerLevelContent(JSONValue.object(["ban": .string(text)]).json, version: .v9)[.ban]
        }
        let levels: [(String, Int64)] = [
            ("100", 100), ("000100", 100), ("+100", 100), ("-100", -100), (" 100 ", 100), (" 00100 ", 100),
            ("\t+100\n", 100), (" -100 ", -100), ("99999999999999999999", .max), ("-99999999999999999999", .min),
        ]
        for (text, expected) in levels { #expect(level(text) == expected, "\(text)") }
        for text in ["", " ", "+", "1e2", "1.0", "0x10", "1_000", "٣", "+ 1", "1 1"] {
            #expect(level(text) == nil, "\(text)")
        }
    }

    @Test func fractionsAsLevels() {
        func level(_ number: String, _ version: RoomVersion = .v5) -> Int64? {
            let content = try? JSON(parsing: "{\"ban\":\(number)}")
            return content.flatMap { PowerLevelContent($0, version: version)[.ban] }
        }
        #expect(level("50.57") == 50)
        #expect(level("-50.57") == -50)
        #expect(level("5.114698E4") == 51146)
        #expect(level("1e300") == .max)
        #expect(level("1e999") == nil)
        #expect(level("50.57", .v6) == nil)
    }

    // MARK: creators

    @Test func creatorsHaveNoLevel() throws {
        let room = RoomFixture(.v12)
        let create = room.create(["additional_creators": [.string(Who.carol)]])
        let state = room.state(create: create)
        for creator in [Who.alice, Who.carol] {
            let event = room.powerLevels(["users": [creator: 100]], id: "new")
            let id = try #require(UserID(creator))
            #expect(rejection(event, state) == .powerLevelOfCreator(id))
        }
        #expect(rejection(room.powerLevels(["users": [Who.bob: 100]], id: "new"), state) == nil)
    }

    @Test func creatorsStandAboveAll() {
        let room = RoomFixture(.v12)
        let state = room.state(
            levels: ["users": [Who.bob: .integer(JSON.maximumInteger)], "events": ["m.room.topic": 1000]],
            create: room.create(["additional_creators": [.string(Who.carol)]])
        )
        for creator in [Who.alice, Who.carol] {
            #expect(rejection(room.event("e", .topic, by: creator, key: ""), state) == nil)
            #expect(rejection(room.powerLevels(["users": [:]], by: creator, id: "new"), state) == nil)
            #expect(
                rejection(room.member(creator, "ban", by: Who.bob), state)
                    == .targetAsPowerful(has: .level(JSON.maximumInteger), target: .infinite))
        }
        #expect(
            rejection(room.member(Who.carol, "leave", by: Who.alice), state)
                == .targetAsPowerful(has: .infinite, target: .infinite))
    }

    // MARK: changes

    @Test(arguments: RoomVersion.all)
    func firstLevelsAreFree(version: RoomVersion) {
        let room = RoomFixture(version)
        let create = room.create()
        let state = EventListState([create, room.member(Who.alice, "join")], creation: RoomCreation(create))
        #expect(rejection(room.powerLevels(["ban": 1000, "users": [Who.bob: 1000]]), state) == nil)
    }

    @Test(arguments: RoomVersion.all)
    func propertiesUpToOnesOwnLevel(version: RoomVersion) {
        for property in Self.properties where property != "users_default" {
            func value(_ level: Int64) -> JSONValue { .object([property: .integer(level)]) }
            #expect(change(version, value(50), value(40)) == nil)
            #expect(change(version, value(50), [:]) == nil)
            #expect(change(version, [:], value(50)) == nil)
            #expect(change(version, value(60), value(60)) == nil)
            let above = AuthRejection.powerLevelPropertyAbove(property, current: 60, has: .level(50))
            #expect(change(version, value(60), value(40)) == above)
            #expect(change(version, value(60), [:]) == above)
            let raised = AuthRejection.powerLevelPropertyRaisedAbove(property, new: 60, has: .level(50))
            #expect(change(version, value(40), value(60)) == raised)
            #expect(change(version, [:], value(60)) == raised)
        }
    }

    @Test(arguments: RoomVersion.all)
    func entriesUpToOnesOwnLevel(version: RoomVersion) {
        for property in ["events", "notifications"] {
            func entry(_ level: Int64?) -> JSONValue {
                var entries: JSONValue = ["m.room.power_levels": 0]
                if let level { entries["x"] = .integer(level) }
                return .object([property: entries])
            }
            #expect(change(version, entry(50), entry(40)) == nil)
            #expect(change(version, entry(60), entry(60)) == nil)
            #expect(change(version, entry(nil), entry(50)) == nil)
            #expect(change(version, entry(50), entry(nil)) == nil)
            // `notifications` was not protected before version 6.
            let isProtected = property == "events" || version.limitNotificationsPowerLevels
            let above = AuthRejection.powerLevelEntryAbove(property, key: "x", current: 60, has: .level(50))
            #expect(change(version, entry(60), entry(40)) == (isProtected ? above : nil))
            #expect(change(version, entry(60), entry(nil)) == (isProtected ? above : nil))
            let raised = AuthRejection.powerLevelEntryRaisedAbove(property, key: "x", new: 60, has: .level(50))
            #expect(change(version, entry(40), entry(60)) == (isProtected ? raised : nil))
            #expect(change(version, entry(nil), entry(60)) == (isProtected ? raised : nil))
        }
    }

    @Test(arguments: RoomVersion.all)
    func usersBelowOneself(version: RoomVersion) {
        func users(_ carol: Int64?, bob: Int64? = 50) -> JSONValue {
            var users: JSONValue = version.privilegedCreators ? [:] : [Who.alice: 100]
            users[Who.carol] = carol.map { .integer($0) }
            users[Who.bob] = bob.map { .integer($0) }
            return ["users": users]
        }
        #expect(change(version, users(40), users(50)) == nil)
        #expect(change(version, users(nil), users(50)) == nil)
        #expect(change(version, users(49), users(nil)) == nil)
        let peer = AuthRejection.powerLevelOfPeer(Who.carol, current: 50, has: .level(50))
        #expect(change(version, users(50), users(40)) == peer)
        #expect(change(version, users(50), users(nil)) == peer)
        let granted = AuthRejection.powerLevelGrantedAbove(Who.carol, new: 51, has: .level(50))
        #expect(change(version, users(40), users(51)) == granted)
        #expect(change(version, users(nil), users(51)) == granted)
        // One may give up one's own level, not raise it.
        #expect(change(version, users(40), users(40, bob: 10)) == nil)
        #expect(change(version, users(40), users(40, bob: nil)) == nil)
        #expect(
            change(version, users(40), users(40, bob: 51)) == .powerLevelGrantedAbove(Who.bob, new: 51, has: .level(50))
        )
    }

    @Test func sameLevelInAnotherNotationIsNoChange() {
        #expect(change(.v9, ["ban": 60], ["ban": " +060"]) == nil)
        #expect(change(.v5, ["ban": 60], ["ban": .number(ExactString("60.9"))]) == nil)
    }

    // MARK: the view

    @Test func defaults() throws {
        let bob = try #require(UserID(Who.bob))
        let alice = try #require(UserID(Who.alice))
        for version in RoomVersion.all {
            let creation = RoomCreation(RoomFixture(version).create())
            let none = PowerLevels(nil, creation: creation)
            #expect(none.level(of: alice) == (version.privilegedCreators ? .infinite : .level(100)))
            #expect(none.level(of: bob) == .level(0))
            let empty = PowerLevels(PowerLevelContent(.emptyObject, version: version), creation: creation)
            #expect(empty.level(of: alice) == (version.privilegedCreators ? .infinite : .level(0)))
            for levels in [none, empty] {
                #expect(levels.required(toSend: .topic, isState: true) == .level(50))
                #expect(levels.required(toSend: .message, isState: false) == .level(0))
                #expect(levels.required(toNotify: "room") == .level(50))
                #expect([levels.ban, levels.kick, levels.redact] == [.level(50), .level(50), .level(50)])
                #expect(levels.invite == .level(0))
            }
        }
        #expect(PowerLevel.level(.max) < .infinite)
    }

    @Test func identifiersAreComparedAsBytes() throws {
        // "é" in one scalar and in two: equal for people, not for power.
        let composed = "@caf\u{E9}:one.example"
        let decomposed = "@cafe\u{301}:one.example"
        let content = JSONValue.object(["users": .object([composed: 100])]).json
        let levels = PowerLevels(
            PowerLevelContent(content, version: .v11), creation: RoomCreation(RoomFixture(.v11).create()))
        #expect(levels.level(of: try #require(UserID(composed))) == .level(100))
        #expect(levels.level(of: try #require(UserID(decomposed))) == .level(0))
    }

    @Test func redactions() throws {
        let (alice, bob, carol) = (
            try #require(UserID(Who.alice)), try #require(UserID(Who.bob)), try #require(UserID(Who.carol))
        )
        let content = JSONValue.object(["users": .object([Who.bob: 50])]).json
        let levels = PowerLevels(
            PowerLevelContent(content, version: .v11), creation: RoomCreation(RoomFixture(.v11).create()))
        #expect(levels.mayRedact(bob, eventOf: alice))
        #expect(levels.mayRedact(carol, eventOf: alice))
        #expect(!levels.mayRedact(carol, eventOf: bob))
    }
}
