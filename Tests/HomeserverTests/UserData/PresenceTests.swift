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
