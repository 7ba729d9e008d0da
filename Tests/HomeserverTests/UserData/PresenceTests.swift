import Matrix
import Store
import Testing

@testable import Homeserver

@Suite struct PresenceTests {
    @Test func syncingAloneWritesNothingAgain() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            try await fixture.presence.active(alice.number, .online, timeoutMilliseconds: 30_000)
            let end = fixture.store.journal.end
            for _ in 0..<5 {
                fixture.clock.advance(5_000)
                try await fixture.presence.active(alice.number, .online, timeoutMilliseconds: 30_000)
                try await fixture.presence.act(alice.number)
                await fixture.presence.sweep()
            }
            #expect(fixture.store.journal.end == end)
            let status = try await fixture.presence.presence(of: alice.id, seenBy: alice.id)
            #expect(
                status.state == .online && status.isCurrentlyActive == true && status.lastActiveAgoMilliseconds == 0)
        }
    }

    @Test func usersBecomeIdleAndGo() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let presence = fixture.presence
            func state() async throws -> PresenceState {
                try await presence.presence(of: alice.id, seenBy: alice.id).state
            }
            try await presence.active(alice.number, .online, timeoutMilliseconds: 600_000)
            fixture.clock.advance(300_000)
            await presence.sweep()
            #expect(try await state() == .unavailable)
            // Syncing on is not doing something; sending is.
            try await presence.active(alice.number, .online, timeoutMilliseconds: 600_000)
            #expect(try await state() == .unavailable)
            try await presence.act(alice.number)
            #expect(try await state() == .online)
            try await presence.active(alice.number, .unavailable)
            #expect(try await state() == .unavailable)
            try await presence.active(alice.number, .online)
            #expect(try await state() == .online)
            fixture.clock.advance(700_000)
            await presence.sweep()
            #expect(try await state() == .offline)
            let stored = try await fixture.store.read { try $0.presence.presence(of: alice.number) }
            #expect(stored?.state == .offline)
        }
    }

    @Test func sendingIsDoingSomething() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let (alice, bob) = (try await fixture.user("alice"), try await fixture.user("bob"))
            let room = try await fixture.room(alice, [bob])
            let (store, presence) = (fixture.store, fixture.presence)
            presence.follow(sendersOf: UserDataFixture.serverName)
            func told() async throws -> PresenceRecord? {
                try await store.read { try $0.presence.presence(of: alice.number) }
            }
            // Of somebody whose client is not there, when they did something is told, but not each time.
            let first = fixture.clock.now
            try await fixture.send("one", to: room, by: alice)
            try await eventually { try await told()?.lastActive ?? 0 >= first }
            #expect(try await told()?.state == .offline)
            // Making the room was doing something too, and may be told later.
            var end = store.journal.end
            repeat {
                end = store.journal.end
                try await Task.sleep(for: .milliseconds(300))
            } while store.journal.end != end
            fixture.clock.advance(100_000)
            await presence.sweep()
            try await fixture.send("two", to: room, by: alice)
            try await fixture.send("three", to: room, by: alice)
            #expect(store.journal.end.rawValue == end.rawValue + 2)
            #expect(try await presence.presence(of: alice.id, seenBy: bob.id).lastActiveAgoMilliseconds ?? .max < 100)
            fixture.clock.advance(300_000)
            await presence.sweep()
            let later = fixture.clock.now
            try await fixture.send("four", to: room, by: alice)
            try await eventually { try await told()?.lastActive ?? 0 >= later }
            // What others do says nothing of this user.
            fixture.clock.advance(300_000)
            try await fixture.send("five", to: room, by: bob)
            #expect(try await presence.presence(of: alice.id, seenBy: bob.id).lastActiveAgoMilliseconds ?? 0 >= 300_000)

            // Who is there but has done nothing for long is there again.
            try await presence.active(alice.number, .online, timeoutMilliseconds: 600_000)
            fixture.clock.advance(300_000)
            await presence.sweep()
            #expect(try await told()?.state == .unavailable)
            try await fixture.send("six", to: room, by: alice)
            try await eventually { try await told()?.state == .online }
        }
    }

    /// Waits until something holds, for some seconds at the most.
    private func eventually(
        sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
    ) async throws {
        for _ in 0..<2_000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("it did not come about", sourceLocation: sourceLocation)
    }

    @Test func theStatusIsKeptAndShownToThoseWhoShareARoom() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let presence = fixture.presence
            let before = fixture.store.journal.end
            try await presence.set(alice.id, .unavailable, statusMessage: "away")
            #expect(try await errorCode { _ = try await presence.presence(of: alice.id, seenBy: bob.id) } == .forbidden)
            _ = try await fixture.room(alice, [bob])
            let seen = try await presence.presence(of: alice.id, seenBy: bob.id)
            #expect(seen.state == .unavailable && seen.statusMessage == "away" && seen.isCurrentlyActive == nil)
            #expect(try await presence.changes(after: before, through: fixture.store.journal.end) == [alice.number])
            let event = try #require(try await presence.events(about: [alice.number], naming: false).first)
            #expect(
                String(decoding: event, as: UTF8.self)
                    == #"{"type":"m.presence","sender":"@alice:here.example","content":{"presence":"unavailable","status_msg":"away"}}"#
            )
        }
    }

    @Test func afterARestartNobodyIsThere() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            try await fixture.presence.set(alice.id, .online, statusMessage: "here")
            let restarted = PresenceService(store: fixture.store, clock: fixture.clock, scheduler: fixture.scheduler)
            try await restarted.start()
            let status = try await restarted.presence(of: alice.id, seenBy: alice.id)
            #expect(status.state == .offline && status.statusMessage == "here")
        }
    }

    @Test func switchedOffItKeepsNothing() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let off = PresenceService(
                store: fixture.store, clock: fixture.clock, scheduler: fixture.scheduler, isEnabled: false)
            let end = fixture.store.journal.end
            try await off.set(alice.id, .online, statusMessage: "x")
            try await off.active(alice.number, .online)
            #expect(try await off.presence(of: alice.id, seenBy: alice.id) == PresenceStatus(state: .offline))
            #expect(fixture.store.journal.end == end && fixture.scheduler.delays.isEmpty)
        }
    }
}
