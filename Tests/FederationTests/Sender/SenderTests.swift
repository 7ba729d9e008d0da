import Homeserver
import Matrix
import Store
import TestSupport
import Testing

@testable import FederationOutbound

/// The sender with everything around it, over a network that does as it is told.
@Suite struct SenderTests {
    private static let there = ServerName(trusted: "there.example")
    private static let far = ServerName(trusted: "far.example")

    /// A room with one user of this server and one of each of the others.
    private static func room(
        _ fixture: SenderFixture, _ others: [String] = ["there.example"]
    ) async throws -> (room: ScriptedRoom, alice: UserID) {
        let alice = try SenderFixture.user("alice")
        var room = try await ScriptedRoom("room", in: fixture.store)
        try await room.set(.join, of: alice, in: fixture.store)
        for other in others { try await room.set(.join, of: SenderFixture.user("bob", other), in: fixture.store) }
        return (room, alice)
    }

    @Test func eventsGoInOrderToTheServersThatAreInTheRoom() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (store, network) = (fixture.store, fixture.network)
            var (room, alice) = try await Self.room(fixture)
            var expected: [String] = []
            for _ in 0..<20 { expected.append(try await room.send(by: alice, in: store).event.eventID.string) }
            // Of another server: that one sends it.
            try await room.send(by: SenderFixture.user("bob", "there.example"), in: store)
            try await room.set(.join, of: SenderFixture.user("carol", "far.example"), in: store)
            let last = try await room.send(by: alice, in: store).event.eventID.string
            try await eventually("all have it") {
                network.events(at: Self.there).last == last && network.events(at: Self.far).last == last
            }
            #expect(network.events(at: Self.there) == expected + [last])
            #expect(network.events(at: Self.far) == [last])
        }
    }

    @Test func whoIsRemovedHearsOfItAndOfNothingElse() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (store, network) = (fixture.store, fixture.network)
            var (room, alice) = try await Self.room(fixture, ["there.example", "far.example"])
            let bob = try SenderFixture.user("bob", "there.example")
            let kick = try await room.set(.ban, of: bob, by: alice, in: store).event.eventID.string
            let invite = try await room.set(
                .invite, of: SenderFixture.user("dora", "elsewhere.example"), by: alice, in: store)
            let last = try await room.send(by: alice, in: store).event.eventID.string
            try await eventually("the last event arrives") { network.events(at: Self.far).last == last }
            try await eventually("the ban arrives") { network.events(at: Self.there) == [kick] }
            #expect(network.events(at: Self.far) == [kick, invite.event.eventID.string, last])
            #expect(network.attempts(at: ServerName(trusted: "elsewhere.example")) == 0)
        }
    }

    @Test func whatWasLetInForAnotherServerGoesToAllButThatOne() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (store, network) = (fixture.store, fixture.network)
            var (room, alice) = try await Self.room(fixture)
            let carol = try SenderFixture.user("carol", "far.example")
            let join = try await room.set(.join, of: carol, relay: .onBehalf(of: Self.far), in: store)
            // Handed to a server in the room, which sends it to the others.
            try await room.set(.join, of: SenderFixture.user("zoe"), relay: .handedOver, in: store)
            let last = try await room.send(by: alice, in: store).event.eventID.string
            try await eventually("the last event arrives") {
                network.events(at: Self.there).last == last && network.events(at: Self.far).last == last
            }
            #expect(network.events(at: Self.there) == [join.event.eventID.string, last])
            #expect(network.events(at: Self.far) == [last])
        }
    }

    @Test func anAnswerThatIsLostLeadsToTheSameTransactionAgain() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let network = fixture.network
            network.become { _ in .answerIsLost }
            var (room, alice) = try await Self.room(fixture)
            try await room.send(by: alice, in: fixture.store)
            try await eventually("it is tried again") { network.arrivals(at: Self.there).count >= 3 }
            #expect(Set(network.arrivals(at: Self.there).map(\.id)).count == 1)
            network.become { _ in .arrives }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            let record = try #require(
                try await fixture.store.read { try $0.destinations.destination(Self.there) })
            #expect(record.failures == 0 && record.sentThrough >= record.queuedThrough && record.lastSuccess != nil)
        }
    }

    @Test func aCrashBetweenAnAnswerAndWritingItDownCostsARepetition() async throws {
        try await withEachEngine { database in
            let network = FaultyNetwork()
            network.become { _ in .hangs }
            var fixture = try await SenderFixture(database, network)
            try await fixture.sender.start()
            var (room, alice) = try await Self.room(fixture)
            let event = try await room.send(by: alice, in: fixture.store).event.eventID.string
            try await eventually("it arrives") { network.events(at: Self.there) == [event] }
            for transaction in await fixture.sender.abandon() { await transaction.value }
            network.become { _ in .arrives }
            fixture = try await SenderFixture(database, network)
            try await fixture.sender.start()
            try await eventually("it arrives again") { network.arrivals(at: Self.there).count == 2 }
            // Its receiver knows it by its name.
            #expect(Set(network.arrivals(at: Self.there).map(\.id)).count == 1)
            try await eventually("it is written down") {
                try await fixture.store.read { try $0.destinations.destination(Self.there)?.lastSuccess } != nil
            }
            await fixture.sender.stop()
            fixture = try await SenderFixture(database, network)
            try await fixture.sender.start()
            let next = try await room.send(by: alice, in: fixture.store).event.eventID.string
            try await eventually("the next arrives") { network.events(at: Self.there) == [event, next] }
            #expect(network.arrivals(at: Self.there).count == 3)
            await fixture.sender.stop()
        }
    }

    @Test func aServerThatIsDownHoldsUpNobodyAndGetsEverythingLater() async throws {
        try await withEachEngine { database in
            let network = FaultyNetwork()
            network.become { $0 == Self.there ? .isLost : .arrives }
            var fixture = try await SenderFixture(database, network)
            try await fixture.sender.start()
            var (room, alice) = try await Self.room(fixture, ["there.example", "far.example"])
            var expected: [String] = []
            for _ in 0..<120 { expected.append(try await room.send(by: alice, in: fixture.store).event.eventID.string) }
            try await eventually("the other has it all") { network.events(at: Self.far) == expected }
            #expect(network.events(at: Self.there) == [])
            try await eventually("failures are counted") {
                try await fixture.store.read { try $0.destinations.destination(Self.there)?.failures ?? 0 } > 2
            }
            await fixture.sender.stop()

            // What waits survives, and so does the time of the next attempt.
            fixture = try await SenderFixture(database, network)
            let waiting = try await fixture.store.read { try $0.destinations.waiting() }
            #expect(waiting.map(\.server) == [Self.there] && (waiting.first?.failures ?? 0) > 2)
            let attempts = network.attempts(at: Self.far)
            network.become { _ in .arrives }
            try await fixture.sender.start()
            try await eventually("it gets everything") { network.events(at: Self.there) == expected }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            #expect(network.attempts(at: Self.far) == attempts)
            // Three transactions are enough for 120 events.
            #expect(network.arrivals(at: Self.there).count == 3)
            await fixture.sender.stop()
            #expect(network.violations == [])
        }
    }

    @Test func ofABusyRoomOnlyTheNewestIsSent() async throws {
        var configuration = SenderConfiguration.quick
        configuration.missedEventsPerRoom = 10
        try await SenderFixture.onEachEngine(configuration) { fixture in
            let (store, network) = (fixture.store, fixture.network)
            network.become { _ in .isLost }
            var (busy, alice) = try await Self.room(fixture)
            var quiet = try await ScriptedRoom("quiet", in: store)
            try await quiet.set(.join, of: alice, in: store)
            let bob = try SenderFixture.user("bob", "there.example")
            try await quiet.set(.join, of: bob, in: store)
            var expected = [try await quiet.send(by: alice, in: store).event.eventID.string]
            try await eventually("it has failed") { try await Self.failures(fixture) > 0 }
            for round in 0..<60 {
                try await busy.send(by: alice, in: store)
                if round % 10 == 0 { expected.append(try await quiet.send(by: alice, in: store).event.eventID.string) }
            }
            // What comes after the last that concerns it is none of its business.
            expected.append(try await busy.set(.leave, of: bob, by: alice, in: store).event.eventID.string)
            for _ in 0..<60 { try await busy.send(by: alice, in: store) }
            try await eventually("all of it is known to wait") {
                await fixture.sender.machines[Self.there]?.queuedThrough ?? StreamPosition(0) > StreamPosition(60)
            }
            network.become { _ in .arrives }
            try await eventually("it gets what it needs") { network.events(at: Self.there) == expected }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            #expect(network.events(at: Self.there) == expected)
        }
    }

    @Test func theLastThatConcernsAServerIsFoundHoweverMuchCameAfterIt() async throws {
        var configuration = SenderConfiguration.quick
        configuration.missedEventsPerRoom = 10
        try await SenderFixture.onEachEngine(configuration) { fixture in
            let (store, network) = (fixture.store, fixture.network)
            network.become { _ in .isLost }
            var (room, alice) = try await Self.room(fixture)
            let bob = try SenderFixture.user("bob", "there.example")
            let kick = try await room.set(.leave, of: bob, by: alice, in: store).event.eventID.string
            for _ in 0..<120 { try await room.send(by: alice, in: store) }
            // The room has to do with the server once more, but it is not in it.
            let invite = try await room.set(
                .invite, of: SenderFixture.user("eve", "there.example"), by: alice, in: store)
            try await eventually("it has failed") { try await Self.failures(fixture) > 0 }
            try await eventually("all has been looked at") {
                await fixture.sender.dispatched >= invite.position ?? StreamPosition(.max)
            }
            network.become { _ in .arrives }
            try await eventually("it hears of its removal") { network.events(at: Self.there) == [kick] }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            #expect(network.events(at: Self.there) == [kick])
        }
    }

    @Test func whoWasNotThereYetIsNotToldLater() async throws {
        // Catching up must not tell a server what was said before it came or while it was away.
        try await withEachEngine { database in
            let network = FaultyNetwork()
            network.become { _ in .isLost }
            var fixture = try await SenderFixture(database, network)
            try await fixture.sender.start()
            var (room, alice) = try await Self.room(fixture)
            let bob = try SenderFixture.user("bob", "there.example")
            var expected: [String] = []
            try await eventually("it has failed") {
                expected.append(try await room.send(by: alice, in: fixture.store).event.eventID.string)
                return try await Self.failures(fixture) > 0
            }
            try await room.set(.leave, of: bob, in: fixture.store)
            for _ in 0..<5 { try await room.send(by: alice, in: fixture.store) }
            try await room.set(.join, of: bob, in: fixture.store)
            expected.append(try await room.send(by: alice, in: fixture.store).event.eventID.string)
            await fixture.sender.stop()
            fixture = try await SenderFixture(database, network)
            network.become { _ in .arrives }
            try await fixture.sender.start()
            try await eventually("it has caught up") { network.events(at: Self.there).last == expected.last }
            #expect(network.events(at: Self.there) == expected)
            await fixture.sender.stop()
        }
    }

    @Test func aServerThatRefusesALargeTransactionGetsItInPieces() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (store, network) = (fixture.store, fixture.network)
            network.become { _ in .isLost }
            var (room, alice) = try await Self.room(fixture)
            var expected: [String] = []
            for _ in 0..<30 { expected.append(try await room.send(by: alice, in: store).event.eventID.string) }
            network.become(refusingMoreThan: 3)
            try await eventually("it gets everything") { network.events(at: Self.there) == expected }
        }
    }

    @Test func anInboundRequestWakesWhoWasThoughtToBeDown() async throws {
        var configuration = SenderConfiguration.quick
        configuration.backoff.startMilliseconds = 20
        configuration.backoff.capMilliseconds = 3_600_000
        try await SenderFixture.onEachEngine(configuration) { fixture in
            let network = fixture.network
            network.become { _ in .isLost }
            var (room, alice) = try await Self.room(fixture)
            let event = try await room.send(by: alice, in: fixture.store).event.eventID.string
            try await eventually("it has failed some times") { try await Self.failures(fixture) >= 7 }
            network.become { _ in .arrives }
            fixture.sender.reachable(Self.there)
            // The next attempt would have been due in more than a second.
            try await eventually("it is tried at once", within: 1) { network.events(at: Self.there) == [event] }
        }
    }

    @Test func manyServersAreServedWithoutBeingKeptInMind() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let names = (0..<300).map { "s\($0).example" }
            var (room, alice) = try await Self.room(fixture, names)
            let last = try await room.send(by: alice, in: fixture.store).event.eventID.string
            try await eventually("all have it") {
                names.allSatisfy { fixture.network.events(at: ServerName(trusted: $0)) == [last] }
            }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
        }
    }

    private static func failures(_ fixture: SenderFixture) async throws -> Int {
        try await fixture.store.read { try $0.destinations.destination(Self.there)?.failures ?? 0 }
    }
}

extension FaultyNetwork {
    /// From now on whoever is sent more than so many events at once refuses.
    func become(refusingMoreThan count: Int) {
        decide { _, transaction in transaction.pdus.count > count ? .isRefused(status: 413) : .arrives }
    }
}
