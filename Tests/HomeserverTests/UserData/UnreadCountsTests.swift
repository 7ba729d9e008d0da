import Homeserver
import Matrix
import Store
import Testing

@Suite struct UnreadCountsTests {
    @Test func messagesCountUntilTheyAreRead() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice)
            try await fixture.send("before bob came", to: room, by: alice)
            try await fixture.rooms.join(room, by: bob)
            #expect(try await fixture.counts(bob, room) == RoomCounts())
            let first = try await fixture.send("1", to: room, by: alice)
            try await fixture.send("loud", to: room, by: alice)
            try await fixture.send("quiet", to: room, by: alice)
            #expect(try await fixture.counts(bob, room).main == .init(notification: 2, highlight: 1))
            try await fixture.receipts.set(.read, event: first, of: bob.id, in: room)
            #expect(try await fixture.counts(bob, room).main == .init(notification: 1, highlight: 1))
            let last = try await fixture.send("last", to: room, by: alice)
            #expect(try await fixture.counts(bob, room).main == .init(notification: 2, highlight: 1))
            try await fixture.receipts.set(.readPrivate, event: last, of: bob.id, in: room)
            #expect(try await fixture.counts(bob, room) == RoomCounts())
            #expect(try await fixture.counts(alice, room) == RoomCounts())
        }
    }

    @Test func manyRoomsAreCountedAtOnce() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            var numbers: [RoomNumber] = []
            // More than are looked up in one read.
            for index in 0..<103 {
                let room = try await fixture.room(alice, [bob])
                for _ in 0..<index % 3 { try await fixture.send("loud", to: room, by: alice) }
                numbers.append(try #require(try await fixture.store.number(of: room)))
            }
            let elsewhere = try await fixture.room(alice)
            try await fixture.send("not for bob", to: elsewhere, by: alice)
            numbers.append(try #require(try await fixture.store.number(of: elsewhere)))
            for _ in 0..<2 {
                // The second time from memory, and with a journal that has gone on elsewhere.
                let end = fixture.store.journal.end
                let counts = try await fixture.unread.counts(bob.number, numbers, through: end)
                for (index, room) in numbers.dropLast().enumerated() {
                    #expect(counts[room]?.main == .init(notification: index % 3, highlight: index % 3))
                }
                #expect(counts[try #require(numbers.last)] == RoomCounts())
                try await fixture.send("elsewhere", to: elsewhere, by: alice)
            }
        }
    }

    @Test func whatOneSendsMarksTheThreadAsRead() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            let root = try await fixture.send("root", to: room, by: alice)
            try await fixture.send("reply", to: room, by: alice, thread: root)
            try await fixture.send("answer", to: room, by: bob)
            let counts = try await fixture.counts(bob, room)
            #expect(counts.main == .init() && counts.threads == [root: .init(notification: 1)])
            #expect(counts.total == .init(notification: 1))
            try await fixture.send("answer", to: room, by: bob, thread: root)
            #expect(try await fixture.counts(bob, room) == RoomCounts())
        }
    }

    @Test func receiptsOfThreadsAndOfTheRoomAreApart() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            let root = try await fixture.send("root", to: room, by: alice)
            let reply = try await fixture.send("reply", to: room, by: alice, thread: root)
            try await fixture.send("loud", to: room, by: alice, thread: root)
            let after = try await fixture.send("after", to: room, by: alice)
            func counts() async throws -> (RoomCounts.Thread, RoomCounts.Thread?) {
                let counts = try await fixture.counts(bob, room)
                return (counts.main, counts.threads[root])
            }
            #expect(try await counts() == (.init(notification: 2), .init(notification: 2, highlight: 1)))
            try await fixture.receipts.set(.read, event: reply, thread: root.string, of: bob.id, in: room)
            #expect(try await counts() == (.init(notification: 2), .init(notification: 1, highlight: 1)))
            try await fixture.receipts.set(.read, event: after, thread: "main", of: bob.id, in: room)
            #expect(try await counts() == (.init(), .init(notification: 1, highlight: 1)))
            try await fixture.receipts.set(.read, event: after, of: bob.id, in: room)
            #expect(try await fixture.counts(bob, room) == RoomCounts())
        }
    }

    @Test func aRedactedMessageIsNotUnread() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            let root = try await fixture.send("root", to: room, by: alice)
            let reply = try await fixture.send("loud", to: room, by: alice, thread: root)
            try await fixture.send("reply", to: room, by: alice, thread: root)
            #expect(try await fixture.counts(bob, room).threads[root] == .init(notification: 2, highlight: 1))
            _ = try await fixture.rooms.redact(reply, content: .emptyObject, transactionID: "x", in: room, by: alice)
            #expect(try await fixture.counts(bob, room).threads[root] == .init(notification: 1))
        }
    }

    @Test func whoLeavesAndComesBackBeginsAgain() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            let root = try await fixture.send("1", to: room, by: alice)
            try await fixture.send("2", to: room, by: alice, thread: root)
            #expect(try await fixture.counts(bob, room).total.notification == 2)
            try await fixture.rooms.leave(room, by: bob)
            #expect(try await fixture.counts(bob, room) == RoomCounts())
            try await fixture.send("3", to: room, by: alice, thread: root)
            try await fixture.rooms.join(room, by: bob)
            #expect(try await fixture.counts(bob, room) == RoomCounts())
            try await fixture.send("4", to: room, by: alice)
            #expect(try await fixture.counts(bob, room).total.notification == 1)
        }
    }

    @Test func whatHasBeenCountedIsNotLookedAtAgain() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            for _ in 0..<5 { try await fixture.send("x", to: room, by: alice) }
            #expect(try await fixture.counts(bob, room).main.notification == 5)
            let shown = fixture.judges.shown.withLock { $0 }
            #expect(try await fixture.counts(bob, room).main.notification == 5)
            #expect(fixture.judges.shown.withLock { $0 } == shown)
            try await fixture.send("x", to: room, by: alice)
            #expect(try await fixture.counts(bob, room).main.notification == 6)
            #expect(fixture.judges.shown.withLock { $0 } == shown + 1)
        }
    }

    @Test func farBehindIsCheckpointedAndExact() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            for _ in 0..<620 { try await fixture.send("x", to: room, by: alice) }
            #expect(try await fixture.counts(bob, room).main.notification == 620)
            let number = try #require(try await fixture.store.number(of: room))
            let record = try await fixture.store.read { try $0.unread.record(of: bob.number, in: number) }
            #expect((record?.threads["main"]?.notification ?? 0) >= 500)

            // A server that has forgotten goes on from there.
            let shown = fixture.judges.shown.withLock { $0 }
            let restarted = UnreadCounts(store: fixture.store, judges: fixture.judges)
            let counts = try await restarted.counts(bob.number, number, through: fixture.store.journal.end)
            #expect(counts.main.notification == 620)
            #expect(fixture.judges.shown.withLock { $0 } - shown <= 125)
        }
    }
}
