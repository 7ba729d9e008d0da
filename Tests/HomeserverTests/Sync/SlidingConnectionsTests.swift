import Matrix
import Store
import Testing

@testable import Homeserver

/// What a server remembers of connections, and for how long.
@Suite struct SlidingConnectionsTests {
    private let clock = KeysClock()

    private func key(_ name: ExactString = "", user: Int64 = 1, device: String = "D") -> SlidingConnections.Key {
        .init(user: UserNumber(user), device: DeviceID(device), name: name)
    }

    /// A state that can be told from others by its position.
    private func state(_ position: Int64, rooms: Int = 0) -> SlidingState {
        var state = SlidingState()
        state.token = SyncToken(StreamPosition(position))
        for room in 0..<rooms {
            state.rooms[RoomNumber(Int64(room))] = SentRoom(
                kind: .joined, isDirect: false, timelineLimit: 1, through: nil, state: CombinedState([.none]))
        }
        return state
    }

    private func finish(_ connections: SlidingConnections, _ opening: SlidingConnections.Opening, _ state: SlidingState)
        throws -> Int64?
    {
        connections.finish(try #require(opening.ticket), state) { _ in opening.cache }
    }

    private func position(_ opening: SlidingConnections.Opening?) -> Int64? {
        opening?.state.token?.position.rawValue
    }

    @Test func anAnswerCanBeGivenAgainUntilTheNextIsAskedFor() throws {
        let connections = SlidingConnections(clock: clock)
        let first = try #require(try finish(connections, connections.open(key()), state(1)))
        let opening = try #require(connections.resume(key(), from: first))
        #expect(position(opening) == 1)
        let second = try #require(try finish(connections, opening, state(2)))
        // The answer was lost: the same is asked for once more.
        #expect(position(connections.resume(key(), from: first)) == 1)
        #expect(connections.resume(key(), from: second) == nil, "what the client did not process is gone")
        let again = try #require(connections.resume(key(), from: first))
        let third = try #require(try finish(connections, again, state(3)))
        #expect(third != second)
        #expect(position(connections.resume(key(), from: third)) == 3)
        #expect(connections.resume(key(), from: first) == nil)
    }

    @Test func aRequestThatWasReplacedDoesNotCount() throws {
        let connections = SlidingConnections(clock: clock)
        let first = try #require(try finish(connections, connections.open(key()), state(1)))
        let slow = try #require(connections.resume(key(), from: first))
        let quick = try #require(connections.resume(key(), from: first))
        let serial = try #require(try finish(connections, quick, state(2)))
        #expect(try finish(connections, slow, state(9)) == nil)
        #expect(position(connections.resume(key(), from: serial)) == 2)
    }

    @Test func positionsBelongToOneConnectionOfOneDevice() throws {
        let connections = SlidingConnections(clock: clock)
        let serial = try #require(try finish(connections, connections.open(key()), state(1)))
        #expect(connections.resume(key("other"), from: serial) == nil)
        #expect(connections.resume(key(user: 2), from: serial) == nil)
        #expect(connections.resume(key(device: "E"), from: serial) == nil)
        #expect(connections.resume(key(), from: serial) != nil)
    }

    @Test func aDeviceHasFewConnections() throws {
        let connections = SlidingConnections(limitPerDevice: 2, clock: clock)
        var serials: [Int64] = []
        for name in ["a", "b"] as [ExactString] {
            serials.append(try #require(try finish(connections, connections.open(key(name)), state(1))))
        }
        let used = try #require(connections.resume(key("a"), from: serials[0]))
        _ = try finish(connections, used, state(2))
        _ = try finish(connections, connections.open(key("c")), state(1))
        #expect(connections.resume(key("b"), from: serials[1]) == nil, "it was used longest ago")
        #expect(connections.resume(key("a"), from: serials[0]) != nil)
        // Other devices are not concerned.
        #expect(connections.usage.count == 2)
        _ = try finish(connections, connections.open(key(user: 2)), state(1))
        #expect(connections.usage.count == 3)
    }

    @Test func memoryIsBounded() throws {
        let connections = SlidingConnections(budgetBytes: 1 << 20, clock: clock)
        for user in 1...200 {
            _ = try finish(connections, connections.open(key(user: Int64(user))), state(1, rooms: 500))
        }
        #expect(connections.usage.bytes <= 1 << 20)
        #expect(connections.usage.count < 30 && connections.usage.count > 10)
        // Replacing a connection frees what it took.
        let before = connections.usage
        for _ in 0..<10 { _ = try finish(connections, connections.open(key(user: 200)), state(1, rooms: 500)) }
        #expect(connections.usage.count == before.count && connections.usage.bytes == before.bytes)
    }

    @Test func numbersAreNotUsedAgainAfterARestart() throws {
        let before = SlidingConnections(clock: clock)
        let serial = try #require(try finish(before, before.open(key()), state(1)))
        clock.advance(by: 1_000)
        let after = SlidingConnections(clock: clock)
        _ = try finish(after, after.open(key()), state(1))
        #expect(after.resume(key(), from: serial) == nil)
    }

    @Test func positionsAreWrittenAndRead() {
        let token = SyncToken(StreamPosition(17), typing: 3)
        let remembered = SlidingPosition(token, .remembered(serial: 42))
        #expect(SlidingPosition(remembered.text) == remembered)
        let bare = SlidingPosition(token, .bare(seal: SlidingPosition.seal(key())))
        #expect(SlidingPosition(bare.text) == bare)
        #expect(SlidingPosition.seal(key()) != SlidingPosition.seal(key(device: "E")))
        for text in ["", "s1", "s1.", "s1.x", "s1.1.1", ".1", "x.1", "s1.99999999999999999999", "s1.xx", "s1._"] {
            #expect(SlidingPosition(text) == nil, "\(text)")
        }
        // The same text tells where a page of history begins.
        #expect((try? SyncToken(parsing: remembered.text)) == token)
    }

    @Test func whatWasSentOfRoomsTakesLittleMemory() {
        #expect(MemoryLayout<SentRoom>.size <= 48)
    }

    @Test func anExtensionThatIsNotWantedForAWhileBeginsAnew() {
        var era = SlidingState.Era()
        era.note(true)
        let first = era.number
        era.note(true)
        #expect(era.number == first)
        era.note(false)
        era.note(false)
        era.note(true)
        #expect(era.number == first + 1)
    }

    @Test func membersThatWereSentAreForgottenRatherThanKeptWithoutEnd() {
        var state = SlidingState()
        for number in 0..<25_000 { state.noteMembers([EventNumber(Int64(number))]) }
        #expect(state.members.count < 20_002 && state.members.contains(EventNumber(24_999)))
    }
}
