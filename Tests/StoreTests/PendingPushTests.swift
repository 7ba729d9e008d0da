import Matrix
import Store
import TestSupport
import Testing

/// What waits to be pushed, on both engines.
@Suite struct PendingPushTests {
    private func pusher(_ user: UserNumber, _ device: DeviceID, _ key: String) -> PusherRecord {
        PusherRecord(
            user: user, device: device, kind: "http", appID: "app", pushKey: key, appDisplayName: "A",
            deviceDisplayName: "D", profileTag: nil, language: "fr", data: Array(#"{"url":"x"}"#.utf8))
    }

    private func push(_ position: Int64, event: Int64? = nil) -> PendingPush {
        PendingPush(
            position: StreamPosition(position), event: event.map { EventNumber($0) },
            actions: Array(#"["notify"]"#.utf8), addedTimestamp: 5)
    }

    @Test func whatWaitsIsKeptInOrderTrimmedAndGoesWithItsPusher() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let names = [
                try #require(UserID("@alice:example.org")), try #require(UserID("@bob:example.org")),
            ]
            let (alice, bob) = (try await store.intern(names[0]), try await store.intern(names[1]))
            let (first, second) = (try #require(DeviceID("FIRST")), try #require(DeviceID("SECOND")))
            try await store.write { writer in
                for user in names {
                    _ = try writer.accounts.insert(
                        user, passwordHash: nil, flags: [], appService: nil, createdAt: 0)
                }
                for (user, device) in [(alice, first), (alice, second), (bob, first)] {
                    _ = try writer.devices.insert(device, of: user, displayName: nil, createdAt: 0)
                }
                try writer.pushers.set(pusher(alice, first, "one"), now: 10)
                try writer.pushers.set(pusher(alice, second, "two"), now: 20)
                try writer.pushers.set(pusher(bob, first, "three"), now: 10)
            }
            let one = PusherKey(user: alice, appID: "app", pushKey: "one")
            let two = PusherKey(user: alice, appID: "app", pushKey: "two")
            func waiting(_ key: PusherKey) async throws -> [PendingPush] {
                try await store.read { try $0.pendingPushes.pushes(of: key, limit: 100) }
            }
            // What happened before a pusher was made is not its concern; the same is not stored twice.
            try await store.write { writer in
                try writer.pendingPushes.add(push(1, event: 7), of: alice, happened: 15)
                try writer.pendingPushes.add(push(1, event: 8), of: alice, happened: 15)
                for position in 2...6 { try writer.pendingPushes.add(push(Int64(position)), of: alice, happened: 20) }
            }
            #expect(try await waiting(one) == [push(1, event: 7)] + (2...6).map { push($0) })
            #expect(try await waiting(two) == (2...6).map { push($0) })
            #expect(try await store.read { try $0.pendingPushes.waiting().map(\.key) } == [one, two])
            #expect(try await store.read { try $0.pendingPushes.waiting(of: [bob]).isEmpty })
            try await store.write { try $0.pendingPushes.trim(alice, to: 3) }
            #expect(try await waiting(one) == (4...6).map { push($0) })
            try await store.write { try $0.pendingPushes.trim(alice, to: 3) }
            #expect(try await waiting(two) == (4...6).map { push($0) })
            try await store.write { try $0.pendingPushes.remove(of: one, through: StreamPosition(5)) }
            #expect(try await waiting(one) == [push(6)])
            #expect(try await waiting(two) == (4...6).map { push($0) })
            // A pusher that is set again keeps what it has to tell; one that is removed does not, nor one whose device is.
            try await store.write { try $0.pushers.set(pusher(alice, first, "one"), now: 99) }
            #expect(try await waiting(one) == [push(6)])
            #expect(try await store.read { try $0.pushers.pusher(one)?.createdTimestamp } == 10)
            try await store.write { try $0.pushers.delete(appID: "app", pushKey: "one", of: alice) }
            #expect(try await waiting(one).isEmpty)
            _ = try await store.write { try $0.devices.delete([second], of: alice) }
            #expect(try await waiting(two).isEmpty)
            #expect(try await store.read { try $0.pushers.users() } == [bob])
        }
    }
}
