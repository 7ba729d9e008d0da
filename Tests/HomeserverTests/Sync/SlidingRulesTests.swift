import Matrix
import Store
import Testing

@testable import Homeserver

/// What a request of sliding sync wants, apart from any server.
@Suite struct SlidingRulesTests {
    private let alice: UserID

    init() throws { alice = try #require(UserID("@alice:x")) }

    private func pairs(_ pairs: (String, String)...) -> RequiredState {
        RequiredState(pairs: pairs.map { (type: $0.0, key: $0.1) }, for: alice)
    }

    // MARK: Required state

    @Test func pairsMatchTypesKeysAndWildcards() {
        let state = pairs(("m.room.name", ""), ("org.x", "*"), ("*", "key"), ("m.room.member", "$ME"))
        let cases: [(StateKey, Bool)] = [
            (StateKey(.name), true), (StateKey(.name, "other"), false), (StateKey("org.x", "anything"), true),
            (StateKey("org.y", "key"), true), (StateKey(.topic), false), (.member(alice), true),
            (StateKey(.member, "@bob:x"), false),
        ]
        for (key, expected) in cases { #expect(state.matches(key) == expected, "\(key)") }
        #expect(state.needsWholeState)
        #expect(!pairs(("org.x", "*")).needsWholeState)
    }

    @Test func lazyMembersAreNotCoveredByWildcards() {
        let state = pairs(("*", "*"), ("m.room.member", "$LAZY"), ("m.room.member", "@named:x"))
        #expect(state.lazyMembers && !state.includesAllMembers)
        #expect(state.matches(StateKey(.topic)))
        #expect(!state.matches(StateKey(.member, "@bob:x")))
        #expect(state.matches(StateKey(.member, "@named:x")))
        #expect(!pairs(("m.room.topic", "$LAZY")).lazyMembers)
    }

    @Test func exclusionsWin() {
        let state = RequiredState(
            including: [.init(type: nil, key: nil)],
            excluding: [.init(type: .create, key: ""), .init(type: .member, key: nil), .init(type: nil, key: "k")],
            lazyMembers: false)
        #expect(!state.matches(StateKey(.create)) && !state.matches(StateKey(.member, "@a:x")))
        #expect(!state.matches(StateKey("org.x", "k")) && state.matches(StateKey("org.x", "l")))
        #expect(!state.includesAllMembers)
    }

    @Test func keysAreComparedAsBytes() {
        let state = pairs(("org.x", "\u{e9}"))
        #expect(state.matches(StateKey("org.x", "\u{e9}")))
        #expect(!state.matches(StateKey("org.x", "e\u{301}")))
    }

    @Test func rulesAreCombinedToWhatAnyOfThemWants() {
        let lazy = pairs(("m.room.member", "$LAZY"))
        let name = pairs(("m.room.name", ""))
        let members = pairs(("m.room.member", "*"))
        let both = CombinedState([lazy, name])
        #expect(both.lazyMembers && both.matches(StateKey(.name)) && !both.matches(StateKey(.topic)))
        // Who wants all of them wins over who wants some.
        #expect(!CombinedState([lazy, members]).lazyMembers)
        #expect(CombinedState([lazy, members]).matches(StateKey(.member, "@b:x")))
        let union = CombinedState([name]).union(CombinedState([lazy]))
        #expect(union == both && union.union(both) === union)
    }

    @Test func whatIsRememberedOfWishesIsBounded() {
        var state = CombinedState([pairs(("org.x", "0"))])
        for number in 1...20 { state = state.union(CombinedState([pairs(("org.x", "\(number)"))])) }
        #expect(state.parts.count <= 8)
        #expect(state.matches(StateKey("org.x", "20")))
    }

    // MARK: Filters

    @Test func anEmptyFilterLetsEverythingIn() {
        #expect(RoomListFilter().allows(RoomListFilter.Room()))
    }

    @Test func filtersAskForAllTheySay() {
        var encryptedDirect = RoomListFilter()
        encryptedDirect.isDirect = true
        encryptedDirect.isEncrypted = true
        var room = RoomListFilter.Room(isDirect: true, facts: RoomFacts(isEncrypted: true))
        #expect(encryptedDirect.allows(room))
        room.facts?.isEncrypted = false
        #expect(!encryptedDirect.allows(room))
        room.facts = nil
        #expect(!encryptedDirect.allows(room), "of a room nothing is known of it cannot be said")
        encryptedDirect.isEncrypted = nil
        #expect(encryptedDirect.allows(room))
    }

    @Test func roomTypesMayBeAbsent() {
        let space = RoomListFilter.Room(facts: RoomFacts(type: "m.space"))
        let plain = RoomListFilter.Room(facts: RoomFacts())
        var filter = RoomListFilter()
        filter.types = ["m.space", nil]
        #expect(filter.allows(space) && filter.allows(plain))
        filter.notTypes = [nil]
        #expect(filter.allows(space) && !filter.allows(plain))
        filter.types = []
        #expect(!filter.allows(space))
    }

    @Test func tagsAreAlternativesAndExclusionsWin() {
        var filter = RoomListFilter()
        filter.tags = ["a", "b"]
        #expect(
            filter.allows(RoomListFilter.Room(tags: ["b", "c"])) && !filter.allows(RoomListFilter.Room(tags: ["c"])))
        filter.notTags = ["c"]
        #expect(!filter.allows(RoomListFilter.Room(tags: ["b", "c"])))
    }

    @Test func namesAreComparedWithoutCase() {
        var filter = RoomListFilter()
        filter.nameLike = "foo"
        #expect(filter.allows(RoomListFilter.Room(facts: RoomFacts(name: "abFooab"))))
        #expect(!filter.allows(RoomListFilter.Room(facts: RoomFacts(name: "bar"))))
        #expect(!filter.allows(RoomListFilter.Room(facts: RoomFacts())))
    }

    // MARK: Order

    private func ordered(_ entries: (Int64, Int64)...) -> OrderedRooms {
        OrderedRooms(
            RoomListFilter(),
            entries.map { OrderedRooms.Entry(room: RoomNumber($0.0), position: StreamPosition($0.1)) })
    }

    private func numbers(_ rooms: [RoomNumber]) -> [Int64] { rooms.map(\.rawValue) }

    @Test func theLastActiveRoomComesFirst() {
        let list = ordered((1, 10), (2, 30), (3, 20), (4, 20))
        #expect(numbers(list.window(nil)) == [2, 3, 4, 1])
    }

    @Test func aRoomMovesUpAndNeverDown() {
        var list = ordered((1, 10), (2, 30), (3, 20))
        list.touch(RoomNumber(1), at: StreamPosition(25))
        #expect(numbers(list.window(nil)) == [2, 1, 3])
        list.touch(RoomNumber(1), at: StreamPosition(5))
        list.touch(RoomNumber(9), at: StreamPosition(50))
        #expect(numbers(list.window(nil)) == [2, 1, 3])
        #expect(list.place(of: RoomNumber(3)) == 2 && list.place(of: RoomNumber(9)) == nil)
    }

    @Test func windowsOverlapAndEnd() {
        let list = ordered((1, 50), (2, 40), (3, 30), (4, 20), (5, 10))
        #expect(numbers(list.window([0...1])) == [1, 2])
        #expect(numbers(list.window([3...99, 0...0, 3...3])) == [1, 4, 5])
        #expect(numbers(list.window([0...2, 1...3])) == [1, 2, 3, 4])
        #expect(numbers(list.window([7...9])).isEmpty && numbers(list.window([])).isEmpty)
        #expect(numbers(list.window([0...Int.max])).count == 5)
    }

    @Test func touchingAgreesWithSorting() {
        var seed: UInt64 = 4
        func next(_ limit: Int64) -> Int64 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64(seed >> 33) % limit
        }
        var positions: [Int64: Int64] = [:]
        for room in 1...20 { positions[Int64(room)] = next(100) }
        func sorted() -> OrderedRooms {
            OrderedRooms(
                RoomListFilter(),
                positions.map { OrderedRooms.Entry(room: RoomNumber($0.key), position: StreamPosition($0.value)) })
        }
        var list = sorted()
        for _ in 0..<500 {
            let room = next(20) + 1
            let position = next(1_000)
            list.touch(RoomNumber(room), at: StreamPosition(position))
            positions[room] = max(positions[room] ?? 0, position)
            #expect(list.entries == sorted().entries)
        }
    }
}
