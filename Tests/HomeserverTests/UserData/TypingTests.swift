import Homeserver
import Matrix
import Store
import Synchronization
import Testing

@Suite struct TypingTests {
    @Test func typistsAreToldUntilTheyStop() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let typing = fixture.typing
            let told = Told()
            typing.listen { told.add($0) }
            let room = RoomNumber(1)
            let before = typing.serial
            #expect(typing.set(true, alice.id, in: room))
            #expect(typing.typists(in: room) == [alice.id])
            #expect(typing.changed([room, RoomNumber(2)], after: before) == [room])
            let after = typing.serial
            #expect(!typing.set(true, alice.id, in: room))
            #expect(typing.changed([room], after: after) == [])
            #expect(typing.set(false, alice.id, in: room))
            #expect(typing.changed([room], after: after) == [room] && typing.typists(in: room) == [])
            #expect(!typing.set(false, alice.id, in: room))
            #expect(told.rooms.withLock { $0 } == [room, room])
        }
    }

    @Test func typingEndsByItself() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let typing = fixture.typing
            let room = RoomNumber(1)
            typing.set(true, alice.id, in: room, timeoutMilliseconds: 10_000)
            typing.set(true, bob.id, in: room, timeoutMilliseconds: 30_000)
            #expect(fixture.scheduler.delays == [10_000])
            fixture.clock.advance(10_000)
            fixture.scheduler.fire()
            #expect(typing.typists(in: room) == [bob.id])
            #expect(fixture.scheduler.delays == [20_000])
            typing.set(true, bob.id, in: room, timeoutMilliseconds: 30_000)
            fixture.clock.advance(20_000)
            fixture.scheduler.fire()
            #expect(typing.typists(in: room) == [bob.id])
            fixture.clock.advance(10_000)
            fixture.scheduler.fire()
            #expect(typing.typists(in: room) == [] && fixture.scheduler.delays == [])
        }
    }

    @Test func onlyMembersType() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let eve = try await fixture.user("eve")
            let room = try await fixture.room(alice)
            try await fixture.typing.set(true, alice.id, in: room)
            let code = try await errorCode { try await fixture.typing.set(true, eve.id, in: room) }
            #expect(code == .forbidden)
            let number = try #require(try await fixture.store.number(of: room))
            #expect(fixture.typing.typists(in: number) == [alice.id])
        }
    }

    final class Told: Sendable {
        let rooms = Mutex<[RoomNumber]>([])
        func add(_ room: RoomNumber) { rooms.withLock { $0.append(room) } }
    }
}
