import Homeserver
import Matrix
import Store
import TestSupport
import Testing

@testable import FederationOutbound

/// What is part of no room's history, as other servers get it.
///
/// The shapes are those of the specification's
/// [EDU definitions](https://spec.matrix.org/v1.19/server-server-api/#edus).
@Suite struct EphemeralSendingTests {
    private static let there = ServerName(trusted: "there.example")
    private static let far = ServerName(trusted: "far.example")

    /// A room of alice, who has an account, with bob of another server.
    private static func room(
        _ fixture: SenderFixture, devices: [String] = ["DEVICE"]
    ) async throws -> (room: ScriptedRoom, alice: (number: UserNumber, id: UserID)) {
        let alice = try await fixture.account("alice", devices: devices)
        var room = try await ScriptedRoom("room", in: fixture.store)
        try await room.set(.join, of: alice.id, in: fixture.store)
        try await room.set(.join, of: SenderFixture.user("bob", "there.example"), in: fixture.store)
        return (room, alice)
    }

    @Test func receiptsOfThisServersUsersAreSentAndPrivateOnesAreNot() async throws {
        try await SenderFixture.onEachEngine { fixture in
            var (room, alice) = try await Self.room(fixture)
            let event = try await room.send(by: SenderFixture.user("bob", "there.example"), in: fixture.store)
            let id = event.event.eventID
            try await fixture.receipts.set(.readPrivate, event: id, of: alice.id, in: room.id)
            let receipts = fixture.receipts
            let bob = try SenderFixture.user("bob", "there.example")
            let number = try #require(try await fixture.store.number(of: room.id))
            try await fixture.store.write { writer in
                try receipts.receive(id, thread: nil, timestamp: 1, of: bob, in: number, writer)
            }
            try await fixture.receipts.set(.read, event: id, thread: "main", of: alice.id, in: room.id)
            try await eventually("the receipt arrives") { !fixture.network.edus("m.receipt", at: Self.there).isEmpty }
            let edus = fixture.network.edus("m.receipt", at: Self.there)
            #expect(edus.count == 1 && edus.first?.count == 1)
            let readers = edus.first?[room.id.string]?["m.read"]
            #expect(edus.first?[room.id.string]?.count == 1 && readers?.count == 1)
            let receipt = readers?[alice.id.string]
            #expect(receipt?["event_ids"]?.elements.compactMap(\.string) == [id.string])
            #expect(receipt?["data"]?["ts"]?.int != nil && receipt?["data"]?["thread_id"]?.string == "main")
        }
    }

    @Test func receiptsOfALongOutageAreCollapsed() async throws {
        try await SenderFixture.onEachEngine { fixture in
            fixture.network.become { _ in .isLost }
            var (room, alice) = try await Self.room(fixture)
            var last: EventID?
            for _ in 0..<30 {
                let event = try await room.send(by: alice.id, in: fixture.store)
                try await fixture.receipts.set(.read, event: event.event.eventID, of: alice.id, in: room.id)
                last = event.event.eventID
            }
            try await eventually("it has failed") { fixture.network.attempts(at: Self.there) > 1 }
            fixture.network.become { _ in .arrives }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            let edus = fixture.network.edus("m.receipt", at: Self.there)
            let read = edus.last?[room.id.string]?["m.read"]?[alice.id.string]?["event_ids"]
            #expect(edus.count == 1 && read?.elements.compactMap(\.string) == [last?.string])
        }
    }

    @Test func typingIsToldWhileItLastsAndNeverLater() async throws {
        var configuration = SenderConfiguration.quick
        configuration.typingRepeatMilliseconds = 60
        try await SenderFixture.onEachEngine(configuration) { fixture in
            let (room, alice) = try await Self.room(fixture)
            func notes(_ server: ServerName) -> [Bool] {
                fixture.network.edus("m.typing", at: server).compactMap { edu in
                    guard edu["room_id"]?.string == room.id.string, edu["user_id"]?.string == alice.id.string else {
                        return nil
                    }
                    return edu["typing"]?.bool
                }
            }
            fixture.typing.set(true, alice.id, in: room.number)
            try fixture.typing.set(true, SenderFixture.user("bob", "there.example"), in: room.number)
            try await eventually("typing is told, and told again") { notes(Self.there).count >= 3 }
            fixture.typing.set(false, alice.id, in: room.number)
            try await eventually("its end is told") { notes(Self.there).last == false }
            let count = fixture.network.edus("m.typing", at: Self.there).count
            #expect(notes(Self.there).count == count && notes(Self.there).dropLast().allSatisfy { $0 })

            fixture.network.become { _ in .isLost }
            let attempts = fixture.network.attempts(at: Self.there)
            fixture.typing.set(true, alice.id, in: room.number)
            try await eventually("it fails") { fixture.network.attempts(at: Self.there) > attempts }
            fixture.typing.set(false, alice.id, in: room.number)
            fixture.network.become { _ in .arrives }
            var other = room
            let event = try await other.send(by: alice.id, in: fixture.store).event.eventID.string
            try await eventually("the event arrives") { fixture.network.events(at: Self.there) == [event] }
            // That it is over may be told where the pause after the failure has ended by then.
            #expect(notes(Self.there).dropFirst(count).allSatisfy { !$0 })
        }
    }

    @Test func presenceGoesToWhomeverSharesARoom() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (_, alice) = try await Self.room(fixture)
            let zoe = try await fixture.account("zoe")
            var other = try await ScriptedRoom("other", in: fixture.store)
            try await other.set(.join, of: zoe.id, in: fixture.store)
            try await other.set(.join, of: SenderFixture.user("carol", "far.example"), in: fixture.store)
            try await fixture.presence.set(alice.id, .online, statusMessage: "Here")
            try await fixture.presence.set(zoe.id, .unavailable, statusMessage: nil)
            try await eventually("both are told") {
                !fixture.network.edus("m.presence", at: Self.there).isEmpty
                    && !fixture.network.edus("m.presence", at: Self.far).isEmpty
            }
            let push = fixture.network.edus("m.presence", at: Self.there).flatMap {
                $0["push"]?.elements.map { $0 } ?? []
            }
            #expect(push.count == 1 && push.first?["user_id"]?.string == alice.id.string)
            #expect(push.first?["presence"]?.string == "online" && push.first?["status_msg"]?.string == "Here")
            #expect(push.first?["last_active_ago"]?.int != nil && push.first?["currently_active"]?.bool == true)
            let far = fixture.network.edus("m.presence", at: Self.far).first?["push"]?.elements.first { _ in true }
            // It must be there even if they never did anything.
            #expect(far?["user_id"]?.string == zoe.id.string && far?["last_active_ago"]?.int == 0)
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
        }
    }

    @Test func whoMeetsHearsWhoIsThere() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (alice, zoe) = (try await fixture.account("alice"), try await fixture.account("zoe"))
            let away = try await fixture.account("away")
            for user in [alice, zoe] { try await fixture.presence.set(user.id, .online, statusMessage: nil) }
            var room = try await ScriptedRoom("room", in: fixture.store)
            for user in [alice, away] { try await room.set(.join, of: user.id, in: fixture.store) }
            func told(_ server: ServerName) -> Set<String> {
                Set(
                    fixture.network.edus("m.presence", at: server).flatMap { edu in
                        edu["push"]?.elements.compactMap { $0["user_id"]?.string } ?? []
                    })
            }
            let bob = try SenderFixture.user("bob", "there.example")
            try await room.set(.join, of: bob, in: fixture.store)
            try await eventually("bob's server hears of alice") { told(Self.there) == [alice.id.string] }
            try await room.set(.join, of: zoe.id, in: fixture.store)
            try await eventually("and then of zoe") { told(Self.there) == [alice.id.string, zoe.id.string] }
            // Another name is no meeting.
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            let count = fixture.network.edus("m.presence", at: Self.there).count
            try await room.set(.join, of: bob, in: fixture.store)
            let last = try await room.send(by: alice.id, in: fixture.store).event.eventID.string
            try await eventually("the last event arrives") { fixture.network.events(at: Self.there).last == last }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            #expect(fixture.network.edus("m.presence", at: Self.there).count == count)
        }
    }

    // MARK: Devices

    private static func keys(_ user: UserID, _ device: String) throws -> KeyUpload {
        let keys: JSONValue = [
            "user_id": .string(user.string), "device_id": .string(device),
            "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
            "keys": .object(["ed25519:\(device)": "k", "curve25519:\(device)": "k"]), "signatures": [:],
        ]
        return try KeyUpload(deviceKeys: keys.json, oneTimeKeys: nil, fallbackKeys: nil)
    }

    @Test func changesOfDevicesFormAChainOverRestarts() async throws {
        try await withEachEngine { database in
            let network = FaultyNetwork()
            var fixture = try await SenderFixture(database, network)
            try await fixture.sender.start()
            let (_, alice) = try await Self.room(fixture)
            let device = try #require(DeviceID("DEVICE"))
            func updates() -> [JSON] { network.edus("m.device_list_update", at: Self.there) }

            try await Self.upload(fixture, alice, "DEVICE")
            try await eventually("the keys are told") { updates().count == 1 }
            let first = try #require(updates().first)
            #expect(first["user_id"]?.string == alice.id.string && first["device_id"]?.string == "DEVICE")
            #expect(first["device_display_name"]?.string == "The DEVICE" && first["deleted"] == nil)
            #expect(first["keys"]?["keys"]?["ed25519:DEVICE"]?.string == "k")
            #expect(first["prev_id"]?.count == 0)

            await fixture.sender.stop()
            fixture = try await SenderFixture(database, network)
            try await fixture.sender.start()
            try await fixture.store.write { writer in
                _ = try writer.devices.setDisplayName("Renamed", of: device, alice.number)
                try writer.journal.append(.deviceList(alice.number))
            }
            try await eventually("the name is told") { updates().count == 2 }
            try await fixture.store.write { writer in
                _ = try writer.devices.delete([device], of: alice.number)
                try writer.journal.append(.deviceList(alice.number))
            }
            try await eventually("the end is told") { updates().count == 3 }
            let all = updates()
            #expect(all[1]["device_display_name"]?.string == "Renamed")
            #expect(all[2]["deleted"]?.bool == true && all[2]["keys"] == nil)
            for (before, after) in zip(all, all.dropFirst()) {
                let previous = try #require(before["stream_id"]?.int)
                #expect(after["prev_id"]?.elements.compactMap(\.int) == [previous])
            }
            let last = try await fixture.store.read { try $0.deviceAnnouncements.streamID(of: alice.number) }
            #expect(all[2]["stream_id"]?.int == last)
            await fixture.sender.stop()
        }
    }

    @Test func aServerThatWasDownIsToldOfEachDeviceAtLast() async throws {
        try await SenderFixture.onEachEngine { fixture in
            fixture.network.become { _ in .isLost }
            let (_, alice) = try await Self.room(fixture, devices: ["A", "B"])
            for name in ["A", "B", "A"] { try await Self.upload(fixture, alice, name) }
            try await eventually("it has failed") { fixture.network.attempts(at: Self.there) > 1 }
            fixture.network.become { _ in .arrives }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            let told = fixture.network.edus("m.device_list_update", at: Self.there)
            #expect(Set(told.compactMap { $0["device_id"]?.string }) == ["A", "B"])
        }
    }

    private static func upload(
        _ fixture: SenderFixture, _ user: (number: UserNumber, id: UserID), _ device: String
    ) async throws {
        let id = try #require(DeviceID(device))
        _ = try await fixture.keys.upload(
            try keys(user.id, device), user: user.number, userID: user.id, device: id)
    }

    @Test func crossSigningKeysGoUnderBothNames() async throws {
        try await SenderFixture.onEachEngine { fixture in
            let (_, alice) = try await Self.room(fixture)
            @Sendable func key(_ usage: CrossSigningUsage) -> CrossSigningKeyRecord {
                let json = #"{"user_id":"\#(alice.id)","usage":["\#(usage.name)"],"keys":{"ed25519:k":"k"}}"#
                return CrossSigningKeyRecord(usage: usage, publicKey: "k\(usage.rawValue)", json: Array(json.utf8))
            }
            try await fixture.store.write { writer in
                for usage in CrossSigningUsage.allCases {
                    try writer.crossSigningKeys.set(key(usage), of: alice.number)
                }
                try writer.journal.append(.deviceList(alice.number))
            }
            for type in ["m.signing_key_update", "org.matrix.signing_key_update"] {
                try await eventually("\(type) arrives") { !fixture.network.edus(type, at: Self.there).isEmpty }
                let edu = try #require(fixture.network.edus(type, at: Self.there).first)
                #expect(edu["user_id"]?.string == alice.id.string && edu.count == 3)
                #expect(edu["master_key"]?["usage"]?.elements.compactMap(\.string) == ["master"])
                #expect(edu["self_signing_key"]?["usage"]?.elements.compactMap(\.string) == ["self_signing"])
            }
        }
    }

    // MARK: Messages for devices

    @Test func messagesForDevicesArriveOnceAcknowledgedAndInOrder() async throws {
        try await SenderFixture.onEachEngine { fixture in
            fixture.network.become { _ in .answerIsLost }
            let alice = try await fixture.account("alice")
            for number in 1...250 {
                let message = ToDeviceMessage(
                    user: try SenderFixture.user("bob", "there.example"),
                    target: number == 1 ? .all : .device(try #require(DeviceID("PHONE"))),
                    content: JSONValue.object(["number": .integer(Int64(number))]).json)
                try await fixture.toDevice.send(
                    [message], type: "m.test", from: alice.number, alice.id, device: DeviceID("DEVICE"),
                    transaction: "\(number)")
            }
            try await eventually("it is tried again") { fixture.network.arrivals(at: Self.there).count > 2 }
            fixture.network.become { _ in .arrives }
            try await eventually("nothing is left") { await fixture.sender.machines.isEmpty }
            #expect(try await fixture.store.read { try $0.outgoingDeviceMessages.servers() } == [])
            var seen: Set<String> = []
            let edus = fixture.network.edus("m.direct_to_device", at: Self.there).filter {
                seen.insert($0["message_id"]?.string ?? "").inserted
            }
            let numbers = edus.map { edu in
                let devices = edu["messages"]?["@bob:there.example"]
                return (devices?["PHONE"] ?? devices?["*"])?["number"]?.int
            }
            #expect(numbers == (1...250).map { Int64($0) })
            #expect(edus.first?["messages"]?["@bob:there.example"]?["*"] != nil)
            #expect(edus.first?["sender"]?.string == alice.id.string && edus.first?["type"]?.string == "m.test")
            #expect(seen.allSatisfy { (1...32).contains($0.count) })
        }
    }

    @Test func aLargeRequestIsSplitAndItsPartsHaveTheirOwnNames() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database, cacheBytes: 1 << 20)
            let queue = ToDeviceQueue(accepts: { $0 != Self.far })
            let sender = try SenderFixture.user("alice")
            let text = String(repeating: "x", count: 30_000)
            var messages: [OutgoingDeviceMessage] = []
            for name in ["a", "b", "c", "d", "e"] {
                for server in ["there.example", "far.example"] {
                    messages.append(
                        OutgoingDeviceMessage(
                            sender: sender, type: "m.test", user: try SenderFixture.user(name, server), device: nil,
                            content: Array(#"{"text":"\#(text)"}"#.utf8)))
                }
            }
            // The same device twice in one request: one message has one place for it.
            messages.append(messages[8])
            let outgoing = messages
            let id = String(repeating: "i", count: 32)
            try await store.write { try queue.enqueue(outgoing, id: id, in: $0) }
            #expect(try await store.read { try $0.outgoingDeviceMessages.servers() } == [Self.there])
            let stored = try await store.read { try $0.outgoingDeviceMessages.pending(for: Self.there, limit: 100) }
            let contents = try stored.map { try JSON(parsing: $0.content) }
            #expect(contents.count == 4 && contents.map { $0["messages"]?.count } == [2, 2, 1, 1])
            let names = contents.compactMap { $0["message_id"]?.string }
            #expect(Set(names).count == 4 && names.allSatisfy { $0.utf8.count == 32 } && names.first == id)
        }
    }
}
