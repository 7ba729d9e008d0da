import Homeserver
import Matrix
import Store
import TestSupport
import Testing

@testable import FederationOutbound

/// What a server is sent that turns out to be in a room.
@Suite struct EndOfferTests {
    private static let there = ServerName(trusted: "there.example")
    private static let far = ServerName(trusted: "far.example")

    /// A room with a user of this server and one of another.
    private static func room(_ store: Store) async throws -> (room: ScriptedRoom, alice: UserID) {
        let alice = try SenderFixture.user("alice")
        var room = try await ScriptedRoom("room", in: store)
        try await room.set(.join, of: alice, in: store)
        try await room.set(.join, of: SenderFixture.user("bob", "there.example"), in: store)
        return (room, alice)
    }

    @Test func whoComesInUnnoticedIsSentWhatNothingFollows() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (store, network) = (fixture.store, fixture.network)
            var (room, alice) = try await Self.room(store)
            let before = try await room.send(by: alice, in: store).event.eventID.string
            let untold = try await room.send(by: alice, in: store).event.eventID.string
            // What users of another server say is that server's to send.
            try await room.send(by: SenderFixture.user("bob", "there.example"), besides: true, in: store)
            let carol = try SenderFixture.user("carol", "far.example")
            try await room.set(.join, of: carol, besides: true, in: store)
            try await eventually("the newcomer has it") { network.events(at: Self.far) == [untold] }
            let last = try await room.send(by: alice, in: store).event.eventID.string
            // What has been followed is found by whoever has what follows it; what has been sent is not sent again.
            try await room.send(.member, by: carol, key: carol.string, content: ["membership": "join"], in: store)
            let end = try await room.send(by: alice, in: store).event.eventID.string
            try await eventually("all have the last") {
                network.events(at: Self.far).last == end && network.events(at: Self.there).last == end
            }
            #expect(network.events(at: Self.far) == [untold, last, end])
            #expect(network.events(at: Self.there) == [before, untold, last, end])
            #expect(network.arrivals(at: Self.there).flatMap(\.events).count == 4)
        }
    }

    @Test func whatWasLetInForAnotherIsOfferedToo() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (store, network) = (fixture.store, fixture.network)
            var (room, _) = try await Self.room(store)
            let (carol, dora) = (
                try SenderFixture.user("carol", "far.example"), try SenderFixture.user("dora", "remote.example")
            )
            let join = try await room.set(.join, of: carol, relay: .onBehalf(of: Self.far), in: store)
            let own = try await room.set(
                .join, of: SenderFixture.user("zoe"), relay: .handedOver, besides: true, in: store)
            try await room.set(.join, of: dora, besides: true, in: store)
            try await eventually("the newcomer has both") {
                network.events(at: ServerName(trusted: "remote.example"))
                    == [join.event.eventID.string, own.event.eventID.string]
            }
            // Who was there for the one that let this user in is told by that one.
            #expect(network.events(at: Self.there) == [join.event.eventID.string])
        }
    }

    @Test func whatAServerMayNotSeeIsOfferedRedacted() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (store, network) = (fixture.store, fixture.network)
            var (room, alice) = try await Self.room(store)
            try await room.send(
                .historyVisibility, by: alice, key: "", content: ["history_visibility": "joined"], in: store)
            let secret = try await room.send(by: alice, content: ["body": "between us"], in: store)
            try await room.set(.join, of: SenderFixture.user("carol", "far.example"), besides: true, in: store)
            try await eventually("the newcomer has it") {
                network.events(at: Self.far) == [secret.event.eventID.string]
            }
            let sent = network.arrivals(at: Self.far).flatMap(\.bytes)
            #expect(!String(decoding: sent, as: UTF8.self).contains("between us"))
        }
    }

    @Test func anOfferSurvivesOutagesAndRestarts() async throws {
        try await withEachEngine { database in
            let network = FaultyNetwork()
            network.become { $0 == Self.far ? .isLost : .arrives }
            var fixture = try await SenderFixture(database, network)
            try await fixture.sender.start()
            var (room, alice) = try await Self.room(fixture.store)
            let untold = try await room.send(by: alice, in: fixture.store).event.eventID.string
            let carol = try SenderFixture.user("carol", "far.example")
            try await room.set(.join, of: carol, besides: true, in: fixture.store)
            try await eventually("it has been tried") { network.attempts(at: Self.far) > 0 }
            await fixture.sender.abandon()

            fixture = try await SenderFixture(database, network)
            network.become { _ in .arrives }
            try await fixture.sender.start()
            try await eventually("the newcomer has it") { network.events(at: Self.far) == [untold] }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            await fixture.sender.stop()
            #expect(network.violations == [])
        }
    }

    @Test func membershipsThatTurnOutToBeOthersCountAsNews() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (store, network) = (fixture.store, fixture.network)
            var (room, alice) = try await Self.room(store)
            let carol = try SenderFixture.user("carol", "far.example")
            let join = try await room.set(.leave, of: carol, in: store)
            let untold = try await room.send(by: alice, in: store).event.eventID.string
            let number = room.number
            // As it is when branches meet.
            try await store.write { writer in
                let user = try writer.identifiers.intern(carol)
                let position = try writer.journal.reserve(1)
                try writer.memberships.set(.join, of: user, in: number, event: join.number, position: position)
                try writer.journal.append(.memberships(number, of: [user]), at: position)
            }
            try await eventually("the newcomer has it") { network.events(at: Self.far) == [untold] }
            #expect(network.events(at: Self.there) == [untold])
        }
    }
}
