import Matrix
import Store
import TestSupport
import Testing

/// What moderators are told, on both engines.
@Suite struct ReportTests {
    @Test func reportsAreKeptInOrderAndFound() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let room = try #require(RoomID("!room:example.org"))
            let event = try #require(EventID("$event"))
            let (alice, bob) = (try #require(UserID("@alice:example.org")), try #require(UserID("@bob:example.org")))
            let (first, second) = (try await store.intern(alice), try await store.intern(bob))
            try await store.write { writer in
                try writer.reports.add(.room(room), by: first, reason: "", score: nil, received: 1)
                try writer.reports.add(
                    .event(event, room, sender: bob), by: first, reason: "rude", score: -5, received: 2)
                try writer.reports.add(.user(alice), by: second, reason: "é", score: nil, received: 3)
            }
            func found(_ selection: ReportSelection = .init(), before: Int64? = nil, limit: Int = 10) async throws
                -> [Report]
            {
                try await store.read { try $0.reports.reports(selection, before: before, limit: limit) }
            }
            let all = try await found()
            #expect(all.map(\.subject) == [.user(alice), .event(event, room, sender: bob), .room(room)])
            #expect(all.map(\.reporter) == [bob, alice, alice])
            #expect(all.map(\.reason) == ["é", "rude", ""])
            #expect(all.map(\.score) == [nil, -5, nil])
            #expect(all.map(\.received) == [3, 2, 1])
            #expect(try await found(limit: 1) == [all[0]])
            #expect(try await found(before: all[0].number) == Array(all[1...]))
            #expect(try await found(.init(room: room)) == Array(all[1...]))
            #expect(try await found(.init(user: bob)) == [all[1]])
            #expect(try await found(.init(user: alice)) == [all[0]])
            #expect(try await found(.init(reporter: bob)) == [all[0]])
            #expect(try await found(.init(room: room, reporter: bob)).isEmpty)
            let counts = try await store.read { reader in
                [
                    try reader.reports.count(), try reader.reports.count(.init(room: room)),
                    try reader.reports.count(by: first, since: 2), try reader.reports.count(by: second, since: 4),
                ]
            }
            #expect(counts == [3, 2, 1, 0])
            #expect(try await store.write { try $0.reports.remove(all[1].number) })
            #expect(try await store.write { try $0.reports.remove(all[1].number) } == false)
            let gone = try await store.read { try $0.reports.report(all[1].number) }
            let left = try await store.read { try $0.reports.report(all[0].number) }
            #expect(gone == nil && left == all[0])
        }
    }
}
