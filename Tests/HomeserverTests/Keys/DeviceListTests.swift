import Homeserver
import Matrix
import Store
import Synchronization
import Testing

@Suite struct DeviceListTests {
    @Test func whoSharesARoomHearsOfChanges() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let carol = try await fixture.user("carol")
            let room = try await fixture.room([alice, bob])
            let before = fixture.store.journal.end
            try await fixture.upload(alice, deviceKeys: alice.deviceKeys(key: ClientKey(1)))
            #expect(try await fixture.changed(for: alice, after: before) == [alice.number])
            #expect(try await fixture.changed(for: bob, after: before) == [alice.number])
            #expect(try await fixture.changed(for: carol, after: before) == [])
            // One-time keys concern nobody, nor do the same keys once more.
            let after = fixture.store.journal.end
            try await fixture.upload(alice, deviceKeys: alice.deviceKeys(key: ClientKey(1)), oneTime: ["a:1": "x"])
            #expect(try await fixture.changed(for: bob, after: after) == [])
            // Who left hears no more.
            try await fixture.set(.leave, of: bob, in: room)
            #expect(try await fixture.changed(for: bob, after: before) == [])
        }
    }

    @Test func theDatabaseKnowsWhatTheTailForgot() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let carol = try await fixture.user("carol")
            try await fixture.room([alice, bob])
            let before = fixture.store.journal.end
            try await fixture.upload(alice, deviceKeys: alice.deviceKeys(key: ClientKey(1)))
            let between = fixture.store.journal.end
            try await fixture.store.write { writer in
                _ = try writer.journal.append(.deviceListView(of: alice.number, by: bob.number))
            }
            // The same process again, and one that knows nothing of what came before it.
            for store in [fixture.store, try await Store.open(fixture.store.database, cacheBytes: 1 << 20)] {
                let lists = DeviceListService(store: store)
                let changed = { (user: KeyUser, position: StreamPosition) in
                    try await lists.changed(for: user.number, after: position, through: store.journal.end)
                }
                #expect(try await changed(bob, before) == [alice.number])
                #expect(try await changed(bob, between) == [alice.number])
                #expect(try await changed(alice, between) == [])
                #expect(try await changed(alice, before) == [alice.number])
                #expect(try await changed(carol, before) == [])
            }
            let everyones = try await fixture.store.read { try $0.deviceLists.changed(after: before).map(\.user) }
            #expect(everyones == [alice.number])
        }
    }

    /// Readers that go from token to token miss nobody, while changes are made all the time.
    @Test func noChangeIsMissedBetweenTokens() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let viewer = try await fixture.user("viewer")
            var others: [KeyUser] = []
            for index in 0..<12 { others.append(try await fixture.user("user\(index)")) }
            try await fixture.room([viewer] + others)
            let start = fixture.store.journal.end
            let finished = Flag()
            let writers = Task { [others, finished] in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for user in others {
                        group.addTask {
                            for seed in 1...4 as ClosedRange<UInt8> {
                                try await fixture.upload(user, deviceKeys: user.deviceKeys(key: ClientKey(seed)))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                finished.set()
            }
            var seen: [UserNumber: Int] = [:]
            var token = start
            while true {
                let isLast = finished.isSet
                let end = fixture.store.journal.end
                // By way of the tail.
                for user in try await fixture.deviceLists.changed(for: viewer.number, after: token, through: end) {
                    seen[user, default: 0] += 1
                }
                token = end
                if isLast { break }
                await Task.yield()
            }
            try await writers.value
            #expect(Set(seen.keys) == Set(others.map(\.number)))
            // By way of the database: everyone's last change is after the beginning, and none after the end.
            let all = try await fixture.store.read { try $0.deviceLists.changed(for: viewer.number, after: start) }
            #expect(all == others.map(\.number).sorted())
            let end = fixture.store.journal.end
            #expect(try await fixture.store.read { try $0.deviceLists.changed(for: viewer.number, after: end) }.isEmpty)
        }
    }

    @Test func theDeltaKnowsWhoCameAndWent() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let carol = try await fixture.user("carol")
            let dan = try await fixture.user("dan")
            let room = try await fixture.room([alice, bob])
            let common = try await fixture.room([alice, dan])
            let before = fixture.store.journal.end
            var delta = try await fixture.deviceLists.delta(for: alice.number, after: before)
            #expect(delta.changed.isEmpty && delta.left.isEmpty)

            try await fixture.set(.join, of: carol, in: room)
            try await fixture.set(.join, of: dan, in: room)
            try await fixture.set(.leave, of: bob, in: room)
            try await fixture.set(.leave, of: dan, in: room)
            delta = try await fixture.deviceLists.delta(for: alice.number, after: before)
            // Dan is still met in the other room.
            #expect(delta.changed == [carol.id] && delta.left == [bob.id])

            let middle = fixture.store.journal.end
            try await fixture.set(.leave, of: alice, in: room)
            try await fixture.set(.leave, of: alice, in: common)
            delta = try await fixture.deviceLists.delta(for: alice.number, after: middle)
            #expect(delta.changed.isEmpty && Set(delta.left).isSuperset(of: [carol.id, dan.id]))
        }
    }
}

/// Becomes true once.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .acquiring) }

    func set() { value.store(true, ordering: .releasing) }
}
