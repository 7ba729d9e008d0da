import Database
import Matrix
import TestSupport
import Testing

@testable import Store

/// Which events relate to which, on both engines.
@Suite struct RelationTests {
    private static func relates(_ type: String, to target: String, key: String? = nil) -> String {
        let key = key.map { #","key":"\#($0)""# } ?? ""
        return #""m.relates_to":{"event_id":"$\#(target)","rel_type":"\#(type)"\#(key)}"#
    }

    @Test func childrenAreFoundByKindAndOverOthers() async throws {
        try await withEachEngine { database in
            let room = try await TestRoom(database)
            try await room.put("root", at: 1)
            try await room.put("a", at: 2, Self.relates("m.thread", to: "root"))
            // History comes later and stands before.
            try await room.put("b", at: -5, by: room.bob, Self.relates("m.thread", to: "root"))
            try await room.put("c", at: 3, Self.relates("m.annotation", to: "a", key: "x"), type: "m.reaction")
            try await room.put("d", at: 4, Self.relates("m.annotation", to: "c", key: "x"), type: "m.reaction")
            try await room.put("out", at: nil, Self.relates("m.thread", to: "root"))
            #expect(try await room.children(of: "root") == ["a1", "b1"])
            #expect(try await room.children(of: "root", newestFirst: false) == ["b1", "a1"])
            #expect(try await room.children(of: "root", depth: 3) == ["d3", "c2", "a1", "b1"])
            #expect(try await room.children(of: "root", depth: 2) == ["c2", "a1", "b1"])
            #expect(try await room.children(of: "root", Relation.annotation, depth: 3).isEmpty)
            #expect(try await room.children(of: "a", event: "m.reaction") == ["c1"])
            #expect(try await room.children(of: "a", event: "m.room.message").isEmpty)
        }
    }

    @Test func theLastReplacementIsTheLatestThenTheLargest() async throws {
        try await withEachEngine { database in
            let room = try await TestRoom(database)
            let content = #","m.new_content":{}"#
            let replaces = Self.relates("m.replace", to: "e")
            try await room.put("e", at: 1)
            try await room.put("x1", at: 2, replaces, more: content, timestamp: 9)
            try await room.put("x3", at: 3, replaces, more: content, timestamp: 9)
            try await room.put("x2", at: 4, replaces, more: content, timestamp: 9)
            try await room.put("y", at: 5, replaces, more: content, timestamp: 8)
            try await room.put("z", at: 6, replaces, timestamp: 99)
            try await room.put("w", at: 7, by: room.bob, replaces, more: content, timestamp: 99)
            let found = try await room.store.read { reader in
                try reader.relations.replacements(of: [try #require(EventID("$e"))]).map { found in
                    try #require(try reader.events.event(found.replacement)).event.eventID.string
                }
            }
            #expect(found == ["$x3"])
        }
    }

    @Test func threadsAreListedByTheirLastEvent() async throws {
        try await withEachEngine { database in
            let room = try await TestRoom(database)
            for (place, root) in ["r1", "r2", "r3"].enumerated() { try await room.put(root, at: Int64(place + 1)) }
            try await room.put("a", at: 4, Self.relates("m.thread", to: "r1"))
            try await room.put("b", at: 5, by: room.bob, Self.relates("m.thread", to: "r2"))
            let last = try await room.put("c", at: 6, Self.relates("m.thread", to: "r1"))
            func listed(_ participant: UserNumber? = nil) async throws -> [String] {
                try await room.store.read { reader in
                    try reader.relations.threads(
                        in: RoomNumber(1), before: StreamPosition(.max), limit: 10, participant: participant
                    ).map { "\($0.root.string) \($0.last)" }
                }
            }
            #expect(try await listed() == ["$r1 6", "$r2 5"])
            #expect(try await listed(room.bob) == ["$r2 5"])
            #expect(try await listed(room.alice) == ["$r1 6", "$r2 5"])
            let ids = try ["$r1", "$r2", "$r3"].map { try #require(EventID($0)) }
            let (alice, bob) = (room.alice, room.bob)
            let threads = try await room.store.read { reader in
                Dictionary(
                    uniqueKeysWithValues: try reader.relations.threads(from: ids, for: bob, ignoring: []).map {
                        ($0.root.string, $0.thread)
                    })
            }
            #expect(threads.count == 2)
            #expect(threads["$r1"]?.count == 2 && threads["$r1"]?.last == last.number)
            #expect(threads["$r1"]?.hasParticipated == false && threads["$r2"]?.hasParticipated == true)
            let without = try await room.store.read { reader in
                try reader.relations.threads(from: ids, for: bob, ignoring: [alice]).map(\.root.string)
            }
            #expect(without == ["$r2"])
            // What is redacted relates to nothing any more; a thread of which nothing is left is none.
            try await room.store.write { writer in
                try writer.events.redact(last, to: try last.event.redacted(), by: EventNumber(1))
            }
            #expect(try await listed() == ["$r2 5", "$r1 4"])
        }
    }

    @Test func annotationsAreFoundByTheirKey() async throws {
        try await withEachEngine { database in
            let room = try await TestRoom(database)
            let event = try await room.put(
                "a", at: 1, Self.relates("m.annotation", to: "e", key: "👍"), type: "m.reaction")
            let target = try #require(EventID("$e"))
            func found(_ user: UserNumber, _ key: ExactString, _ type: EventType = "m.reaction") async throws
                -> EventNumber?
            {
                try await room.store.read { reader in
                    try reader.relations.annotation(of: target, in: RoomNumber(1), by: user, type: type, key: key)
                }
            }
            #expect(try await found(room.alice, "👍") == event.number)
            #expect(try await found(room.alice, "👎") == nil)
            #expect(try await found(room.bob, "👍") == nil)
            #expect(try await found(room.alice, "👍", "org.example") == nil)
        }
    }

    @Test func roomsWithoutRelationsAreKnown() async throws {
        try await withEachEngine { database in
            let room = try await TestRoom(database)
            try await room.put("e", at: 1)
            try await room.put("a", at: 2, Self.relates("m.annotation", to: "e", key: "x"), type: "m.reaction")
            #expect(try await room.store.roomsWithRelations([room.number, RoomNumber(7)]).isEmpty)
            try await room.put("b", at: 3, Self.relates("m.reference", to: "e"))
            #expect(try await room.store.roomsWithRelations([room.number, RoomNumber(7)]) == [room.number])
        }
    }

    @Test func whatIsOlderIsNotedAfterwards() async throws {
        try await withEachEngine { database in
            let room = try await TestRoom(database)
            try await room.put("e", at: 1)
            for name in ["a", "b", "c"] {
                try await room.put(name, at: Int64(Array(name.utf8)[0]), Self.relates("m.reference", to: "e"))
            }
            try await room.store.write { writer in
                try writer.sql.execute("DELETE FROM relations")
                try writer.sql.execute("UPDATE counters SET value = $1 WHERE name = 'relations'", 98)
            }
            #expect(try await room.store.write { try $0.relations.noteBacklog(limit: 1) })
            #expect(try await room.children(of: "e") == ["b1"])
            while try await room.store.write({ try $0.relations.noteBacklog(limit: 1) }) {}
            #expect(try await room.children(of: "e") == ["b1", "a1"])
        }
    }
}

extension TestRoom {
    fileprivate func children(
        of name: String, _ type: ExactString? = nil, event: EventType? = nil, depth: Int = 1, newestFirst: Bool = true
    ) async throws -> [String] {
        let selection = RelationSelection(
            target: try #require(EventID("$" + name)), room: number, relationType: type, eventType: event, depth: depth)
        return try await store.read { reader in
            try reader.relations.events(
                selection, after: StreamPosition(.min), through: StreamPosition(.max), limit: 100,
                newestFirst: newestFirst
            ).map { related in
                let event = try #require(try reader.events.event(related.event))
                return "\(event.event.eventID.string.dropFirst())\(related.depth)"
            }
        }
    }
}
