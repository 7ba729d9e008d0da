import Database
import Matrix
import TestSupport
import Testing

@testable import Store

/// What is found by which words, on both engines.
@Suite struct SearchIndexTests {
    /// A room in which these have been said, one a second.
    private func said(_ bodies: [String], _ database: Database) async throws -> (room: TestRoom, events: [StoredEvent])
    {
        let room = try await TestRoom(database)
        var events: [StoredEvent] = []
        for (index, body) in bodies.enumerated() {
            let text = String(decoding: JSONValue.string(body).serialized(), as: UTF8.self)
            let event = try await room.put(
                "e\(index)", at: Int64(index + 1), "\"body\":\(text)", timestamp: Int64(1_000 * (index + 1)))
            try await room.store.write { try $0.search.add(event) }
            events.append(event)
        }
        return (room, events)
    }

    private func found(
        _ term: String, in room: TestRoom, rooms: [RoomNumber] = [RoomNumber(1)], keys: [SearchKey] = SearchKey.allCases
    ) async throws -> [Int64] {
        let terms = SearchTerms(term, rooms: rooms, keys: keys)
        guard !terms.words.isEmpty else { return [] }
        return try await room.store.read { reader in
            let latest = try reader.search.latest(terms, before: nil, limit: 100)
            let best = try reader.search.best(terms, offset: 0, limit: 100)
            #expect(Set(latest.map(\.event)) == Set(best.map(\.event)))
            #expect(best.map(\.rank) == best.map(\.rank).sorted(by: >))
            #expect(try reader.search.counts(terms, limit: 1_000).map(\.count).reduce(0, +) == latest.count)
            return latest.map { $0.originServerTS / 1_000 }
        }
    }

    @Test func allWordsMustBeginSo() async throws {
        try await withEachEngine { database in
            let (room, _) = try await said(
                ["The quick brown fox", "quicker foxes", "ΚΑΛΗΜΈΡΑ 今天", "it's \\ 'quoted' \"so\" & |!:*()"], database)
            #expect(try await found("quick", in: room) == [2, 1])
            #expect(try await found("FOX Quick", in: room) == [2, 1])
            #expect(try await found("quicker", in: room) == [2])
            #expect(try await found("fo", in: room).isEmpty)
            #expect(try await found("uick", in: room).isEmpty)
            #expect(try await found("καλημ", in: room) == [3])
            #expect(try await found("天", in: room) == [3])
            #expect(try await found("s it so", in: room) == [4])
            #expect(try await found("'quoted' & | !", in: room) == [4])
        }
    }

    @Test func roomsAndKeysCount() async throws {
        try await withEachEngine { database in
            let (room, _) = try await said(["word"], database)
            for (type, member) in [("m.room.name", "name"), ("m.room.topic", "topic")] {
                let event = try await room.put(member, at: 9, "\"\(member)\":\"word\"", type: type, stateKey: "")
                // Both at one place would be one too many.
                try await room.store.write {
                    try $0.sql.execute("UPDATE events SET position = NULL WHERE num = $1", event.number)
                }
                try await room.store.write { try $0.search.add(event) }
            }
            #expect(try await found("word", in: room).count == 3)
            for key in SearchKey.allCases { #expect(try await found("word", in: room, keys: [key]).count == 1) }
            #expect(try await found("word", in: room, rooms: [RoomNumber(2)]).isEmpty)
            #expect(try await found("word", in: room, rooms: []).isEmpty)
        }
    }

    @Test func whatIsRedactedIsGone() async throws {
        try await withEachEngine { database in
            let (room, events) = try await said(["secret", "no secret"], database)
            let redacted = try events[0].event.redacted()
            try await room.store.write { try $0.events.redact(events[0], to: redacted, by: events[1].number) }
            #expect(try await found("secret", in: room) == [2])
            // Somebody who read it before does not bring it back.
            try await room.store.write { try $0.search.add(events[0]) }
            #expect(try await found("secret", in: room) == [2])
            let words = try await room.store.read { reader in
                try reader.sql.first("SELECT COUNT(*) FROM search_words") { try $0.int(0) }
            }
            #expect(words == 1)
        }
    }

    @Test func pagesGoOnWhereTheyEnded() async throws {
        try await withEachEngine { database in
            let (room, _) = try await said((0..<7).map { "page \($0)" }, database)
            let terms = SearchTerms("page", rooms: [RoomNumber(1)], keys: SearchKey.allCases)
            let (latest, best) = try await room.store.read { reader in
                var latest: [SearchHit] = []
                while true {
                    let before = latest.last.map { (originServerTS: $0.originServerTS, event: $0.event) }
                    let page = try reader.search.latest(terms, before: before, limit: 3)
                    if page.isEmpty { break }
                    latest += page
                }
                let best = try stride(from: 0, to: 9, by: 3).flatMap {
                    try reader.search.best(terms, offset: $0, limit: 3)
                }
                return (latest, best)
            }
            #expect(latest.map { $0.originServerTS / 1_000 } == [7, 6, 5, 4, 3, 2, 1])
            #expect(Set(best.map(\.event)).count == 7)
            #expect(try await room.store.read { try $0.search.counts(terms, limit: 5).map(\.count) } == [5])
        }
    }
}
