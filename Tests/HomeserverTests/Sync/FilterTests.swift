import Homeserver
import Matrix
import Testing

@Suite struct FilterTests {
    private func filter(_ text: String) throws -> Filter { try Filter(parsing: Array(text.utf8)) }

    private func errorCode(_ text: String) -> ErrorCode? {
        do {
            _ = try filter(text)
            return nil
        } catch {
            return (error as? MatrixError)?.code
        }
    }

    @Test func anEmptyFilterLetsEverythingThrough() throws {
        let filter = try filter("{}")
        #expect(filter.room.timeline.isAll && filter.room.state.isAll && filter.presence.isAll)
        #expect(filter.room.timeline.limit == nil && filter.eventFields == nil && filter.eventFormat == .client)
    }

    @Test func wildcardsMatchAnySequence() {
        let cases: [(pattern: String, type: EventType, matches: Bool)] = [
            ("m.room.*", "m.room.name", true), ("m.room.*", "m.room.", true), ("m.room.*", "m.room", false),
            ("*", "", true), ("*", "anything", true), ("*.name", "m.room.name", true),
            ("*.name", "m.room.names", false),
            ("m.*.na*e", "m.room.name", true), ("m.*.na*e", "m.room.nae", true), ("m.*.na*e", "m.room.ne", false),
            ("a*a", "a", false), ("a*a", "aa", true), ("a**b", "ab", true), ("*aab*", "aaab", true),
            ("m.room.name", "m.room.names", false),
        ]
        for (pattern, type, matches) in cases {
            #expect(TypePatterns([pattern]).match(type) == matches, "\(pattern) against \(type)")
        }
    }

    @Test func exclusionsWinOverInclusions() throws {
        let timeline = try filter(
            """
            {"room": {"timeline": {"types": ["m.room.*"], "not_types": ["m.room.member"], "senders": ["@a:x", "@b:x"],
                "not_senders": ["@b:x"], "not_rooms": ["!no:x"]}}}
            """
        ).room.timeline
        let a = UserID("@a:x")
        let b = UserID("@b:x")
        let room = try #require(RoomID("!yes:x"))
        let excluded = try #require(RoomID("!no:x"))
        #expect(timeline.allows(type: "m.room.name", sender: a, room: room, content: .emptyObject))
        #expect(!timeline.allows(type: "m.room.member", sender: a, room: room, content: .emptyObject))
        #expect(!timeline.allows(type: "m.room.name", sender: b, room: room, content: .emptyObject))
        #expect(!timeline.allows(type: "m.reaction", sender: a, room: room, content: .emptyObject))
        #expect(!timeline.allows(type: "m.room.name", sender: a, room: excluded, content: .emptyObject))
    }

    @Test func anEmptyListOfTypesLetsNothingThrough() throws {
        let timeline = try filter(#"{"room": {"timeline": {"types": []}}}"#).room.timeline
        let room = try #require(RoomID("!yes:x"))
        #expect(!timeline.allows(type: "m.room.name", sender: nil, room: room, content: .emptyObject))
    }

    @Test func containsURLLooksAtTheContent() throws {
        let room = try #require(RoomID("!yes:x"))
        let with = try JSON(parsing: #"{"url": "mxc://x/y"}"#)
        for wanted in [true, false] {
            let filter = try RoomEventFilter(parsing: #"{"contains_url": \#(wanted)}"#)
            #expect(filter.allows(type: "m.room.message", sender: nil, room: room, content: with) == wanted)
            #expect(filter.allows(type: "m.room.message", sender: nil, room: room, content: .emptyObject) != wanted)
        }
    }

    @Test func relationsMustMatchInTypeAndSenderAtOnce() throws {
        let filter = try RoomEventFilter(
            parsing: #"{"related_by_rel_types": ["m.thread"], "related_by_senders": ["@a:x"]}"#)
        let a = try #require(UserID("@a:x"))
        let b = try #require(UserID("@b:x"))
        #expect(filter.needsRelations)
        #expect(filter.allowsRelations([("m.annotation", a), ("m.thread", a)]))
        #expect(!filter.allowsRelations([("m.annotation", a), ("m.thread", b)]))
    }

    @Test func sectionsAreReadApart() throws {
        let filter = try filter(
            """
            {"event_format": "federation", "presence": {"not_types": ["*"]}, "account_data": {"types": ["m.direct"]},
             "room": {"rooms": ["!a:x"], "include_leave": true,
                "timeline": {"limit": 0, "lazy_load_members": true, "unread_thread_notifications": true},
                "state": {"lazy_load_members": true, "include_redundant_members": true}}}
            """)
        #expect(filter.eventFormat == .federation && filter.room.includeLeave)
        #expect(!filter.presence.allows(type: "m.presence", sender: nil))
        #expect(filter.accountData.allows(type: "m.direct", sender: nil))
        #expect(!filter.accountData.allows(type: "m.push_rules", sender: nil))
        #expect(filter.room.timeline.limit == 0 && filter.room.timeline.unreadThreadNotifications)
        #expect(filter.room.state.includeRedundantMembers && !filter.room.timeline.includeRedundantMembers)
        #expect(try filter.room.allows(#require(RoomID("!a:x"))))
        #expect(try !filter.room.allows(#require(RoomID("!b:x"))))
    }

    @Test func whatIsNoFilterIsRefused() {
        #expect(errorCode("{") == .notJSON)
        #expect(errorCode("[]") == .badJSON)
        #expect(errorCode(#"{"room": []}"#) == .badJSON)
        #expect(errorCode(#"{"room": {"timeline": {"types": "m.room.name"}}}"#) == .badJSON)
        #expect(errorCode(#"{"room": {"timeline": {"types": [1]}}}"#) == .badJSON)
        #expect(errorCode(#"{"room": {"timeline": {"senders": ["alice"]}}}"#) == .badJSON)
        #expect(errorCode(##"{"room": {"rooms": ["#a:x"]}}"##) == .badJSON)
        #expect(errorCode(#"{"room": {"timeline": {"limit": -1}}}"#) == .invalidParameter)
        #expect(errorCode(#"{"room": {"timeline": {"limit": "5"}}}"#) == .badJSON)
        #expect(errorCode(#"{"event_format": "xml"}"#) == .badJSON)
        #expect(
            errorCode(#"{"event_fields": ["\#(String(repeating: "x", count: Filter.maximumBytes))"]}"#) == .tooLarge)
    }

    @Test func eventFieldsSelectMembers() throws {
        let event = try JSON(
            parsing: #"{"type": "m", "content": {"body": "b", "a.b": {"c": 1, "d": 2}, "n": 3}, "sender": "@a:x"}"#)
        let cases: [(fields: [String], wanted: String)] = [
            (["type"], #"{"type":"m"}"#),
            (["content.body", "sender"], #"{"content":{"body":"b"},"sender":"@a:x"}"#),
            ([#"content.a\.b.d"#], #"{"content":{"a.b":{"d":2}}}"#),
            (["content.n", "content"], #"{"content":{"body": "b", "a.b": {"c": 1, "d": 2}, "n": 3}}"#),
            (["type.x"], "{}"), ([], "{}"),
        ]
        for (fields, wanted) in cases {
            var writer = JSONWriter()
            EventFieldSelection(fields).write(event, into: &writer)
            #expect(String(decoding: writer.bytes, as: UTF8.self) == wanted, "\(fields)")
        }
    }
}
