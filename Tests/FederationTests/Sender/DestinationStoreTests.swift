import Database
import Matrix
import Schema
import Store
import TestSupport
import Testing

/// What the store promises about destinations, on both engines.
@Suite struct DestinationStoreTests {
    private static let server = ServerName(trusted: "there.example")
    private static let local = ServerName(trusted: "here.example")

    private static func position(_ value: Int64) -> StreamPosition { StreamPosition(value) }

    private static func onEachEngine(_ body: (Store) async throws -> Void) async throws {
        try await withEachEngine { try await body(try await Store.open($0, cacheBytes: 1 << 20)) }
    }

    // MARK: Destinations

    @Test func positionsOnlyGrowWhateverTheOrderOfWrites() async throws {
        try await Self.onEachEngine { store in
            try await store.write { writer in
                try writer.destinations.queue(
                    Self.server, sentThrough: Self.position(5), queuedThrough: Self.position(9))
                try writer.destinations.queue(
                    Self.server, sentThrough: Self.position(7), queuedThrough: Self.position(8))
                var record = DestinationRecord(
                    server: Self.server, sentThrough: Self.position(6), queuedThrough: Self.position(6))
                record.lastSuccess = 77
                try writer.destinations.set(record)
            }
            let record = try #require(try await store.read { try $0.destinations.destination(Self.server) })
            #expect(record.sentThrough == Self.position(7) && record.queuedThrough == Self.position(9))
            #expect(record.lastSuccess == 77)
            #expect(try await store.read { try $0.destinations.waiting() } == [record])
            #expect(
                try await store.read { try $0.destinations.sent(beyond: Self.position(6)) } == [
                    Self.server: Self.position(7)
                ])
            #expect(try await store.read { try $0.destinations.sent(beyond: Self.position(7)) } == [:])
        }
    }

    @Test func aFailureIsKeptUntilASuccess() async throws {
        try await Self.onEachEngine { store in
            var record = DestinationRecord(
                server: Self.server, sentThrough: Self.position(5), queuedThrough: Self.position(5))
            record.failures = 2
            record.intervalMilliseconds = 20_000
            record.retryAt = 99
            record.firstFailure = 1
            record.lastAttempt = 2
            record.lastError = "no route"
            try await store.write { [record] in try $0.destinations.set(record) }
            #expect(try await store.read { try $0.destinations.waiting() } == [record])
            var better = DestinationRecord(
                server: Self.server, sentThrough: Self.position(6), queuedThrough: Self.position(6))
            better.lastSuccess = 100
            better.lastAttempt = 100
            try await store.write { [better] in try $0.destinations.set(better) }
            #expect(try await store.read { try $0.destinations.waiting() } == [])
            #expect(try await store.read { try $0.destinations.destinations(after: nil, limit: 10) } == [better])
            #expect(try await store.read { try $0.destinations.destinations(after: Self.server, limit: 10) } == [])
        }
    }

    @Test func theDispatchedPositionOnlyGrows() async throws {
        try await Self.onEachEngine { store in
            #expect(try await store.read { try $0.destinations.dispatchedThrough() } == Self.position(0))
            for value: Int64 in [7, 3] {
                try await store.write { try $0.destinations.setDispatched(through: Self.position(value)) }
            }
            #expect(try await store.read { try $0.destinations.dispatchedThrough() } == Self.position(7))
        }
    }

    @Test func strangersAreForgottenWhenNothingIsOwedToThem() async throws {
        try await Self.onEachEngine { store in
            let bob = try #require(UserID("@bob:there.example"))
            var room = try await ScriptedRoom("room", in: store)
            try await room.set(.join, of: try #require(UserID("@alice:here.example")), in: store)
            try await room.set(.join, of: bob, in: store)
            try await store.write { writer in
                for name in ["there", "owed", "message", "gone"] {
                    try writer.destinations.queue(
                        ServerName(trusted: "\(name).example"), sentThrough: Self.position(1),
                        queuedThrough: Self.position(name == "owed" ? 2 : 1))
                }
                try writer.outgoingDeviceMessages.append([], for: ServerName(trusted: "message.example"))
            }
            func forget(_ time: Int64) async throws -> [String] {
                try await store.write {
                    try $0.destinations.forgetStrangers(to: Self.local, idleSince: time).map(\.string)
                }
            }
            #expect(try await forget(0) == [])
            #expect(try await forget(1) == ["gone.example"])
            try await room.set(.leave, of: bob, in: store)
            #expect(try await forget(1) == ["there.example"])
        }
    }

    // MARK: Messages for devices

    @Test func messagesForDevicesWaitInOrderUntilTheyAreAcknowledged() async throws {
        try await Self.onEachEngine { store in
            let other = ServerName(trusted: "far.example")
            try await store.write { writer in
                for number: UInt8 in 1...5 {
                    try writer.outgoingDeviceMessages.append([number], for: Self.server)
                    try writer.outgoingDeviceMessages.append([number + 100], for: other)
                }
            }
            let first = try await store.read { try $0.outgoingDeviceMessages.pending(for: Self.server, limit: 3) }
            #expect(first.map(\.content) == [[1], [2], [3]])
            try await store.write { try $0.outgoingDeviceMessages.delete(first.map(\.number)) }
            let rest = try await store.read { try $0.outgoingDeviceMessages.pending(for: Self.server, limit: 10) }
            #expect(rest.map(\.content) == [[4], [5]])
            #expect(try await store.read { try $0.outgoingDeviceMessages.count(for: other) } == 5)
            #expect(try await store.read { try $0.outgoingDeviceMessages.servers() } == [other, Self.server])
            try await store.write { try $0.outgoingDeviceMessages.trim(other, keeping: 2) }
            let kept = try await store.read { try $0.outgoingDeviceMessages.pending(for: other, limit: 10) }
            #expect(kept.map(\.content) == [[104], [105]])
        }
    }

    // MARK: Announcements of devices

    private static func device(_ name: String, _ display: String? = nil, keys: String? = nil) throws -> AnnouncedDevice
    {
        AnnouncedDevice(device: try #require(DeviceID(name)), displayName: display, keys: keys.map { Array($0.utf8) })
    }

    @Test func eachDifferenceIsAnnouncedOnceAndNamesTheOneBefore() async throws {
        try await Self.onEachEngine { store in
            let alice = try await store.intern(try #require(UserID("@alice:here.example")))
            var room = try await ScriptedRoom("room", in: store)
            try await room.set(.join, of: try #require(UserID("@alice:here.example")), in: store)
            try await room.set(.join, of: try #require(UserID("@bob:there.example")), in: store)
            func update(_ devices: [AnnouncedDevice], keys: [[UInt8]] = [], at place: Int64) async throws -> Bool {
                try await store.write {
                    try $0.deviceAnnouncements.update(
                        alice, devices: devices, crossSigningKeys: keys, at: Self.position(place))
                }
            }
            func announced(_ after: Int64, _ server: ServerName = Self.server) async throws -> [[String]] {
                try await store.read { reader in
                    try reader.deviceAnnouncements.announcements(
                        for: server, after: Self.position(after), through: Self.position(1_000), limit: 100
                    ).map {
                        [
                            $0.device?.string ?? "-", "\($0.streamID)", $0.previousID.map { "\($0)" } ?? "-",
                            $0.isDeleted ? "gone" : "there",
                        ]
                    }
                }
            }
            #expect(try await store.read { try $0.deviceAnnouncements.streamID(of: alice) } == 0)
            #expect(try await update([try Self.device("A"), try Self.device("B", "Bee")], at: 100))
            #expect(try await announced(99) == [["A", "100", "-", "there"], ["B", "101", "100", "there"]])
            // The same again, as after a crash: nothing is new.
            #expect(try await !update([try Self.device("A"), try Self.device("B", "Bee")], at: 101))
            // The position is already taken as a stream_id.
            #expect(try await update([try Self.device("A", keys: "{}"), try Self.device("B", "Bee")], at: 101))
            #expect(try await announced(100) == [["A", "102", "101", "there"]])
            #expect(try await update([try Self.device("B", "Bee")], keys: [[1], [2]], at: 200))
            #expect(try await announced(199) == [["-", "0", "-", "there"], ["A", "200", "102", "gone"]])
            #expect(try await !update([try Self.device("B", "Bee")], keys: [[1], [2]], at: 201))
            #expect(try await update([try Self.device("B", "Bee")], keys: [[1, 2], []], at: 202))
            // A device that comes back is another.
            #expect(
                try await update([try Self.device("A"), try Self.device("B", "Bee")], keys: [[1, 2], []], at: 203))
            #expect(try await announced(202) == [["A", "203", "200", "there"]])
            #expect(try await store.read { try $0.deviceAnnouncements.streamID(of: alice) } == 203)
            #expect(try await announced(0, ServerName(trusted: "far.example")) == [])
        }
    }

    // MARK: Migration

    @Test func usersOfBeforeAndAfterTheMigrationCarryTheirServer() async throws {
        let before = Schema.migrations.prefix { $0.name != "destinations" }
        try await withEachEngine(migrations: Array(before)) { database in
            try await database.write { writer in
                try writer.execute(
                    "INSERT INTO users (num, user_id) VALUES (1, '@a:there.example'), (2, '@b:[::1]:8448')")
                try writer.execute("UPDATE counters SET value = 2 WHERE name = 'user'")
                try writer.execute("UPDATE counters SET value = 40 WHERE name = 'journal'")
            }
            let store = try await Store.open(database, cacheBytes: 1 << 20)
            _ = try await store.intern(try #require(UserID("@c:far.example:80")))
            let servers = try await store.read { reader in
                try reader.sql.all("SELECT server FROM users ORDER BY num") { try $0.text(0) }
            }
            #expect(servers == ["there.example", "[::1]:8448", "far.example:80"])
            // What happened before is nobody's business.
            #expect(try await store.read { try $0.destinations.dispatchedThrough() } == Self.position(40))
        }
    }
}
