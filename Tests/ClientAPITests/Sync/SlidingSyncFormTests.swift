import Homeserver
import Matrix
import Testing
import Web

@testable import ClientAPI

/// How the two forms of sliding sync's request are read.
@Suite struct SlidingSyncFormTests {
    private let alice: UserID

    init() throws { alice = try #require(UserID("@alice:x")) }

    private func body(_ text: String) throws -> JSONFields { JSONFields(try JSON(parsing: text)) }

    private func list(_ form: SlidingSyncRequest.Form, _ text: String) throws -> SlidingList? {
        try SlidingSyncForm(form: form, user: alice).rooms(body(#"{"lists": {"l": \#(text)}}"#)).lists["l"]
    }

    private func code(_ form: SlidingSyncRequest.Form, _ text: String) -> ErrorCode? {
        do {
            _ = try list(form, text)
            return nil
        } catch {
            return (error as? MatrixError)?.code
        }
    }

    @Test func bothFormsSayTheSame() throws {
        let experimental = try list(
            .experimental,
            """
            {"ranges": [[0, 9]], "timeline_limit": 3, "filters": {"is_invite": true, "room_types": [null, "m.space"]},
                "required_state": [["m.room.name", ""], ["*", "k"], ["m.room.member", "$ME"], ["m.room.member", "$LAZY"]]}
            """)
        let accepted = try list(
            .accepted,
            """
            {"range": [0, 9], "timeline_limit": 3, "filters": {"is_invited": true, "room_types": [null, "m.space"]},
                "required_state": {"lazy_members": true, "include": [{"type": "m.room.name", "state_key": ""},
                    {"state_key": "k"}, {"type": "m.room.member", "state_key": "@alice:x"}]}}
            """)
        #expect(experimental == accepted && experimental?.ranges == [0...9])
        #expect(experimental?.filter.types == [nil, "m.space"] && experimental?.config.state.lazyMembers == true)
    }

    @Test func whatIsNotSaidIsNotAskedFor() throws {
        let least = try #require(try list(.accepted, #"{"timeline_limit": 0, "required_state": {}}"#))
        #expect(least.ranges == nil && least.filter == RoomListFilter() && least.config.state == RequiredState.none)
        #expect(try list(.experimental, #"{"timeline_limit": 1, "ranges": [], "required_state": []}"#)?.ranges == [])
        let slow = #"{"timeline_limit": 1, "ranges": [[0, 1]], "slow_get_all_rooms": true}"#
        #expect(try list(.experimental, slow)?.ranges == nil)
    }

    @Test func limitsAreLoweredOrRefused() throws {
        #expect(try list(.experimental, #"{"timeline_limit": 9000}"#)?.config.timelineLimit == 100)
        #expect(code(.experimental, #"{"timeline_limit": 1, "ranges": [[2, 1]]}"#) == .invalidParameter)
        #expect(code(.experimental, #"{"timeline_limit": 1, "ranges": [[0, 1, 2]]}"#) == .badJSON)
        #expect(code(.experimental, #"{"required_state": []}"#) == .missingParameter)
        #expect(code(.accepted, #"{"timeline_limit": 1}"#) == .missingParameter)
        #expect(code(.accepted, #"{"timeline_limit": 1, "required_state": [["m.room.name", ""]]}"#) == .badJSON)
    }

    @Test func extensionsAreOffUnlessTheyAreSwitchedOn() throws {
        let form = SlidingSyncForm(form: .experimental, user: alice)
        let off =
            #"{"extensions": {"e2ee": {}, "to_device": {"since": "5"}, "typing": {"enabled": false}, "other": 1}}"#
        #expect(try form.extensions(body(off)) == SlidingExtensions())
        let on = try form.extensions(
            body(
                """
                {"extensions": {"to_device": {"enabled": true, "since": "5", "limit": 9000}, "e2ee": {"enabled": true},
                    "receipts": {"enabled": true, "lists": ["a", "*"], "rooms": ["!r:x", "none"]}}}
                """))
        #expect(on.toDevice == .init(since: StreamPosition(5), limit: 100) && on.encryption && on.typing == nil)
        let room = try #require(RoomID("!r:x"))
        #expect(on.receipts == .init(lists: nil, rooms: [room]))
    }
}
