import Homeserver
import Matrix
import Store
import TestSupport
import Testing

/// Which servers are in which rooms.
@Suite struct RoomServersTests {
    private static let there = ServerName(trusted: "there.example")
    private static let far = ServerName(trusted: "far.example")

    private static func onEachEngine(
        budget: Int = 1_000, _ body: (Store, RoomServers) async throws -> Void
    ) async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database, cacheBytes: 1 << 20)
            try await body(store, RoomServers(store: store, serverName: SenderFixture.serverName, budget: budget))
        }
    }

    @Test func aServerIsThereAsLongAsOneOfItsUsersIs() async throws {
        try await Self.onEachEngine { store, servers in
            let (bob, eve) = (
                try SenderFixture.user("bob", "there.example"), try SenderFixture.user("eve", "there.example")
            )
            let alice = try SenderFixture.user("alice")
            var room = try await ScriptedRoom("room", in: store)
            try await room.set(.join, of: alice, in: store)
            try await room.set(.join, of: bob, in: store)
            #expect(try await servers.servers(in: room.number) == [Self.there])
            try await room.set(.join, of: eve, in: store)
            try await room.set(.invite, of: SenderFixture.user("carol", "far.example"), by: alice, in: store)
            try await room.set(.leave, of: bob, in: store)
            #expect(try await servers.servers(in: room.number) == [Self.there])
            #expect(try await servers.contains(Self.there, in: room.number))
            try await room.set(.ban, of: eve, by: alice, in: store)
            #expect(try await servers.servers(in: room.number) == [])
            // Nobody whom the room's state does not know is in it.
            try await room.set(.join, of: bob, in: store)
            #expect(try await servers.servers(in: room.number) == [Self.there])
            let (number, bobNumber) = (room.number, try await store.intern(bob))
            try await store.write { try $0.memberships.remove(of: bobNumber, in: number) }
            #expect(try await servers.servers(in: room.number) == [])
        }
    }

    @Test func earlierEventsAreAskedOfTheirState() async throws {
        try await Self.onEachEngine { store, servers in
            let bob = try SenderFixture.user("bob", "there.example")
            let alice = try SenderFixture.user("alice")
            var room = try await ScriptedRoom("room", in: store)
            try await room.set(.join, of: alice, in: store)
            let before = try await room.send(by: alice, in: store)
            let join = try await room.set(.join, of: bob, in: store)
            let during = try await room.send(by: alice, in: store)
            try await room.set(.join, of: SenderFixture.user("carol", "far.example"), in: store)
            let kick = try await room.set(.leave, of: bob, by: alice, in: store)
            let after = try await room.send(by: alice, in: store)
            let expected: [(StoredEvent, Set<ServerName>)] = [
                (before, []), (join, [Self.there]), (during, [Self.there]), (kick, [Self.far]), (after, [Self.far]),
            ]
            for (event, there) in expected {
                #expect(try await servers.servers(at: event) == there)
                #expect(try await servers.contains(Self.there, at: event) == there.contains(Self.there))
                #expect(try await servers.contains(Self.far, at: event) == there.contains(Self.far))
            }
        }
    }

    @Test func roomsAndUsersAreFoundByServer() async throws {
        try await Self.onEachEngine { store, servers in
            let bob = try SenderFixture.user("bob", "there.example")
            let alice = try SenderFixture.user("alice")
            var (one, two) = (try await ScriptedRoom("one", in: store), try await ScriptedRoom("two", in: store))
            for user in [alice, bob] { try await one.set(.join, of: user, in: store) }
            // A room that nobody of this server is in is not shared.
            try await two.set(.join, of: bob, in: store)
            try await two.set(.join, of: SenderFixture.user("carol", "far.example"), in: store)
            let number = try await store.intern(alice)
            #expect(try await servers.rooms(sharedWith: Self.there) == [one.number])
            #expect(try await servers.servers(sharingRoomsWith: number) == [Self.there])
            #expect(try await servers.shares(Self.there, roomWith: number))
            #expect(try await !servers.shares(Self.far, roomWith: number))
            try await two.set(.join, of: alice, in: store)
            #expect(try await servers.rooms(sharedWith: Self.there) == [one.number, two.number])
            #expect(try await servers.servers(sharingRoomsWith: number) == [Self.there, Self.far])
            #expect(try await servers.shares(Self.far, roomWith: number))
        }
    }

    @Test func serversOfARoomThatIsNotKnownInFullCountAsThere() async throws {
        try await Self.onEachEngine { store, servers in
            let alice = try SenderFixture.user("alice")
            var room = try await ScriptedRoom("room", in: store)
            let join = try await room.set(.join, of: alice, in: store)
            let number = room.number
            #expect(try await servers.servers(in: number) == [])
            let partial = PartialJoin(
                room: number, event: join.number, via: Self.there,
                servers: [Self.there, Self.far, SenderFixture.serverName])
            try await store.write { try $0.graph.setPartial(partial) }
            #expect(try await servers.servers(in: number) == [Self.there, Self.far])
            let event = try await room.send(by: alice, in: store)
            try await room.set(.leave, of: SenderFixture.user("bob", "there.example"), in: store)
            #expect(try await servers.servers(at: event) == [Self.there, Self.far])
            #expect(try await servers.contains(Self.far, at: event))
            #expect(try await store.read { try $0.serverMembers.rooms(of: Self.far) } == [number])
            try await store.write { try $0.graph.setComplete(number) }
            #expect(try await servers.servers(in: number) == [])
            #expect(try await store.read { try $0.serverMembers.rooms(of: Self.far) } == [])
        }
    }

    @Test func roomsThatDoNotFitIntoMemoryAreReadAgain() async throws {
        try await Self.onEachEngine(budget: 10) { store, servers in
            var rooms: [ScriptedRoom] = []
            for index in 0..<8 {
                var room = try await ScriptedRoom("room\(index)", in: store)
                for user in 0...index {
                    try await room.set(.join, of: SenderFixture.user("u\(user)", "s\(user).example"), in: store)
                }
                rooms.append(room)
            }
            for _ in 0..<3 {
                for (index, room) in rooms.enumerated() {
                    #expect(try await servers.servers(in: room.number).count == index + 1)
                }
            }
            try await rooms[0].set(.join, of: SenderFixture.user("bob", "there.example"), in: store)
            #expect(try await servers.contains(Self.there, in: rooms[0].number))
        }
    }

    @Test func changesWhileARoomIsLoadedAreNotMissed() async throws {
        try await Self.onEachEngine { store, servers in
            var room = try await ScriptedRoom("room", in: store)
            let number = room.number
            for round in 0..<40 {
                let user = try SenderFixture.user("u\(round)", "s\(round).example")
                // A fresh cache, so that loading and following meet.
                let fresh = RoomServers(store: store, serverName: SenderFixture.serverName)
                async let loaded = fresh.servers(in: number)
                try await room.set(.join, of: user, in: store)
                _ = try await loaded
                #expect(try await fresh.servers(in: number).count == round + 1)
            }
            #expect(try await servers.servers(in: number).count == 40)
        }
    }
}
