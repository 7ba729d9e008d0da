import Homeserver
import Matrix
import Store
import Synchronization
import Testing

@Suite struct ToDeviceTests {
    private func send(
        _ fixture: KeysFixture, from sender: KeyUser, to user: KeyUser, target: ToDeviceTarget? = nil,
        _ text: String, transaction: String? = nil, type: EventType = "my.type"
    ) async throws {
        let message = ToDeviceMessage(
            user: user.id, target: target ?? .device(user.devices[0]),
            content: JSONValue.object(["text": .string(text)]).json
        )
        try await fixture.toDevice.send(
            [message], type: type, from: sender.number, sender.id, device: sender.devices[0],
            transaction: transaction ?? "\(fixture.clock.tick())"
        )
    }

    private func pending(
        _ fixture: KeysFixture, _ user: KeyUser, device: Int = 0, after start: StreamPosition = StreamPosition(0),
        limit: Int = 100
    ) async throws -> ToDeviceBatch {
        try await fixture.inboxes.pending(
            for: user.devices[device], of: user.number, after: start, through: fixture.store.journal.end, limit: limit
        )
    }

    private func texts(_ batch: ToDeviceBatch) throws -> [String?] {
        try batch.messages.map { try JSON(parsing: $0.content)["content"]?["text"]?.string }
    }

    @Test func messagesWaitUntilTheyAreAcknowledged() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            #expect(try await pending(fixture, bob).messages.isEmpty)
            try await send(fixture, from: alice, to: bob, "first")
            let batch = try await pending(fixture, bob)
            #expect(
                try JSON(parsing: try #require(batch.messages.first?.content)).value
                    == [
                        "type": "my.type", "sender": .string(alice.id.string), "content": ["text": "first"],
                    ]
            )
            // Not acknowledged: the same again. A later message does not change that.
            try await send(fixture, from: alice, to: bob, "second")
            #expect(try texts(try await pending(fixture, bob)) == ["first", "second"])
            let first = try #require(batch.messages.first).position
            try await fixture.inboxes.acknowledge(for: bob.devices[0], of: bob.number, through: first)
            #expect(try texts(try await pending(fixture, bob)) == ["second"])
            #expect(try texts(try await pending(fixture, bob, after: first)) == ["second"])
            try await fixture.inboxes.acknowledge(
                for: bob.devices[0], of: bob.number, through: fixture.store.journal.end)
            #expect(try await pending(fixture, bob).messages.isEmpty)
            let left = try await fixture.store.read { try $0.toDevice.range(for: bob.devices[0], of: bob.number) }
            #expect(left == nil)
        }
    }

    @Test func messagesOutliveTheProcess() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            try await send(fixture, from: alice, to: alice, "kept", transaction: "once")
            let again = KeysFixture(try await Store.open(fixture.store.database, cacheBytes: 1 << 20))
            #expect(try texts(try await pending(again, alice)) == ["kept"])
            // A retransmission is known as such after the restart, too.
            try await send(again, from: alice, to: alice, "twice", transaction: "once")
            #expect(try texts(try await pending(again, alice)) == ["kept"])
        }
    }

    @Test func aRetransmissionIsDeliveredOnce() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice", devices: ["ONE", "TWO"])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<10 {
                    group.addTask { try await send(fixture, from: alice, to: alice, "text", transaction: "txn") }
                }
                try await group.waitForAll()
            }
            #expect(try await pending(fixture, alice).messages.count == 1)
            // Another type is another path.
            try await send(fixture, from: alice, to: alice, "other", transaction: "txn", type: "another.type")
            #expect(try await pending(fixture, alice).messages.count == 2)
            // What was done long ago is forgotten.
            fixture.clock.advance(by: 8 * 86_400_000)
            try await send(fixture, from: alice, to: alice, "later", transaction: "txn")
            #expect(try texts(try await pending(fixture, alice)) == ["text", "other", "later"])
        }
    }

    @Test func aStarMeansAllDevices() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob", devices: ["ONE", "TWO", "THREE"])
            try await send(fixture, from: alice, to: bob, target: .all, "all")
            for device in 0..<3 { #expect(try texts(try await pending(fixture, bob, device: device)) == ["all"]) }
            // Nobody gets what was meant for a device that does not exist.
            let unknown = try #require(DeviceID("FOUR"))
            try await send(fixture, from: alice, to: bob, target: .device(unknown), "lost")
            let range = try await fixture.store.read { try $0.toDevice.range(for: unknown, of: bob.number) }
            #expect(range == nil)
            #expect(try await pending(fixture, alice).messages.isEmpty)
        }
    }

    @Test func longQueuesComeInParts() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            for index in 0..<7 { try await send(fixture, from: alice, to: alice, "\(index)") }
            var received: [String?] = []
            var position = StreamPosition(0)
            for expected in [3, 3, 1] {
                let batch = try await pending(fixture, alice, after: position, limit: 3)
                #expect(batch.messages.count == expected && batch.isLimited == (expected == 3))
                received += try texts(batch)
                position = try #require(batch.messages.last).position
                try await fixture.inboxes.acknowledge(for: alice.devices[0], of: alice.number, through: position)
            }
            #expect(received == (0..<7).map { "\($0)" })
        }
    }

    @Test func theOldestGoWhenTooManyWait() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice", devices: ["ONE", "TWO"])
            for index in 0..<5 { try await send(fixture, from: alice, to: alice, target: .all, "\(index)") }
            for count in [9, 5, 3] {
                try await fixture.store.write { writer in
                    try writer.toDevice.trim(for: alice.devices[0], of: alice.number, keeping: count)
                }
                let expected = (0..<5).suffix(count).map { "\($0)" }
                #expect(try texts(try await pending(fixture, alice)) == expected)
            }
            #expect(try await pending(fixture, alice, device: 1).messages.count == 5)
        }
    }

    @Test func messagesThatAreTooLargeAreRefused() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let error = await #expect(throws: MatrixError.self) {
                try await send(fixture, from: alice, to: alice, String(repeating: "x", count: 65_536))
            }
            #expect(error?.status == 413)
            #expect(try await pending(fixture, alice).messages.isEmpty)
        }
    }

    @Test func messagesForOtherServersAreHandedOverOnce() async throws {
        try await KeysFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let outbox = RecordingOutbox()
            let service = ToDeviceService(
                store: fixture.store, serverName: KeysFixture.serverName, clock: fixture.clock, outbox: outbox
            )
            let remote = try #require(UserID("@remote:there.example"))
            let message = ToDeviceMessage(user: remote, target: .all, content: JSON.emptyObject)
            for _ in 0..<2 {
                try await service.send(
                    [message], type: "my.type", from: alice.number, alice.id, device: alice.devices[0], transaction: "1"
                )
            }
            let (messages, id) = try #require(outbox.taken.first)
            #expect(outbox.taken.count == 1)
            #expect(id.utf8.count == 32)
            #expect(messages.map(\.user) == [remote] && messages.first?.device == nil)
        }
    }
}

/// Remembers what it was given.
private final class RecordingOutbox: ToDeviceOutbox {
    private let messages = Mutex<[([OutgoingDeviceMessage], String)]>([])

    var taken: [([OutgoingDeviceMessage], String)] { messages.withLock { $0 } }

    func enqueue(_ new: [OutgoingDeviceMessage], id: String, in writer: StoreWriter) throws {
        messages.withLock { $0.append((new, id)) }
    }
}
