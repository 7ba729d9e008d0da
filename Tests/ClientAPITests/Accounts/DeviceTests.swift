import Homeserver
import Matrix
import Store
import Synchronization
import Testing
import Web

@Suite struct DeviceTests {
    @Test func areListedAndRenamed() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let second = try await server.anotherDevice(of: alice, "SECOND")
            let before = server.store.journal.end
            let renamed = try await server.ask(
                .put, "devices/SECOND", ["display_name": "Téléphone"], token: alice.token)
            #expect(renamed.status == 200)
            #expect(server.store.journal.end > before)
            let device = try await server.ask(.get, "devices/SECOND", token: second.token)
            #expect(device["display_name"]?.string == "Téléphone")
            let list = try await server.ask(.get, "devices", token: alice.token)["devices"]
            #expect(Set(list?.elements.compactMap { $0["device_id"]?.string } ?? []) == [alice.device, "SECOND"])
            for method in [HTTPMethod.get, .put] {
                let missing = try await server.ask(method, "devices/NOSUCH", ["display_name": "x"], token: alice.token)
                #expect(missing.code == "M_NOT_FOUND")
            }
            let bob = try await server.register("bob")
            #expect(try await server.ask(.get, "devices/SECOND", token: bob.token).status == 404)
        }
    }

    @Test func deletionNeedsThePassword() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let second = try await server.anotherDevice(of: alice, "SECOND")
            #expect(try await server.whoAmI(second.token).status == 200)
            let begun = try await server.ask(.delete, "devices/SECOND", token: alice.token)
            #expect(begun.status == 401)
            #expect(begun.code == nil)
            let session = try #require(begun["session"]?.string)
            let wrong = try await server.ask(
                .delete, "devices/SECOND", ["auth": server.auth(alice, session: session, password: "no")],
                token: alice.token)
            #expect(wrong.status == 401)
            #expect(wrong.code == "M_FORBIDDEN")
            #expect(wrong["session"]?.string == session)
            #expect(try await server.whoAmI(second.token).status == 200)
            let auth: JSONValue = ["auth": server.auth(alice, session: session)]
            #expect(try await server.ask(.delete, "devices/SECOND", auth, token: alice.token).status == 200)
            #expect(try await server.ask(.get, "devices/SECOND", token: alice.token).status == 404)
            #expect(try await server.whoAmI(second.token).status == 401)
        }
    }

    @Test func anotherUsersPasswordDoesNotDo() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let eve = try await server.register("eve")
            _ = try await server.anotherDevice(of: alice, "SECOND")
            let answer = try await server.ask(
                .delete, "devices/SECOND", ["auth": server.auth(eve)], token: alice.token)
            #expect(answer.status == 403)
            #expect(try await server.ask(.get, "devices/SECOND", token: alice.token).status == 200)
        }
    }

    @Test func aSessionIsGoodForWhatItWasBegunForOnly() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let eve = try await server.register("eve")
            for device in ["FIRST", "SECOND"] { _ = try await server.anotherDevice(of: alice, device) }
            let begun = try await server.ask(.delete, "devices/FIRST", token: alice.token)
            let session = try #require(begun["session"]?.string)
            let auth: JSONValue = ["auth": server.auth(alice, session: session)]
            // Another device, another operation, another user.
            #expect(try await server.ask(.delete, "devices/SECOND", auth, token: alice.token).status == 403)
            #expect(try await server.ask(.post, "account/deactivate", auth, token: alice.token).status == 403)
            let eves: JSONValue = ["auth": server.auth(eve, session: session)]
            #expect(try await server.ask(.delete, "devices/FIRST", eves, token: eve.token).status == 403)
            let list: JSONValue = ["devices": ["FIRST"]]
            let listed = try #require(
                try await server.ask(.post, "delete_devices", list, token: alice.token)["session"]?.string)
            let more: JSONValue = ["devices": ["FIRST", "SECOND"], "auth": server.auth(alice, session: listed)]
            #expect(try await server.ask(.post, "delete_devices", more, token: alice.token).status == 403)
            #expect(try await server.ask(.get, "devices/SECOND", token: alice.token).status == 200)
            // And for that once.
            #expect(try await server.ask(.delete, "devices/FIRST", auth, token: alice.token).status == 200)
            _ = try await server.anotherDevice(of: alice, "FIRST")
            let bare: JSONValue = ["auth": ["session": .string(session)]]
            #expect(try await server.ask(.delete, "devices/FIRST", bare, token: alice.token).status == 401)
            #expect(try await server.ask(.get, "devices/FIRST", token: alice.token).status == 200)
        }
    }

    @Test func aSessionExpires() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            _ = try await server.anotherDevice(of: alice, "SECOND")
            let session = try #require(
                try await server.ask(.delete, "devices/SECOND", token: alice.token)["session"]?.string)
            server.clock.advance(milliseconds: 15 * 60_000)
            let late = try await server.ask(
                .delete, "devices/SECOND", ["auth": server.auth(alice, session: session)], token: alice.token)
            #expect(late.status == 401)
            #expect(late["session"]?.string != session)
        }
    }

    @Test func severalAreDeletedAtOnceWithAllThatHangsOnThem() async throws {
        let hook = NotedRemovals()
        try await AccountsServer(hooks: [hook]).run { server in
            let alice = try await server.register("alice")
            for device in ["A", "B", "C"] { _ = try await server.anotherDevice(of: alice, device) }
            let body: JSONValue = ["devices": ["A", "C", "NOSUCH"], "auth": server.auth(alice)]
            #expect(try await server.ask(.post, "delete_devices", body, token: alice.token).status == 200)
            let list = try await server.ask(.get, "devices", token: alice.token)["devices"]
            #expect(Set(list?.elements.compactMap { $0["device_id"]?.string } ?? []) == [alice.device, "B"])
            #expect(hook.takeAll() == ["A", "C"])
        }
    }

    @Test func areSeenAtMostOnceAMinute() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let id = try #require(DeviceID(alice.device))
            let number = try await server.number(of: alice)
            func lastSeen() async throws -> Int64? {
                try await server.activity.flush()
                return try await server.store.read { try $0.devices.device(id, of: number) }?.lastSeenAt
            }
            #expect(try await lastSeen() == nil)
            let start = server.clock.now
            _ = try await server.whoAmI(alice.token)
            #expect(try await lastSeen() == start)
            server.clock.advance(milliseconds: 59_999)
            _ = try await server.whoAmI(alice.token)
            #expect(try await lastSeen() == start)
            server.clock.advance(milliseconds: 1)
            _ = try await server.whoAmI(alice.token)
            #expect(try await lastSeen() == start + 60_000)
            let device = try await server.ask(.get, "devices/\(alice.device)", token: alice.token)
            #expect(device["last_seen_ts"]?.int == start + 60_000)
            #expect(device["last_seen_ip"]?.string == "127.0.0.1")
        }
    }
}

/// Takes note of devices that are removed.
private final class NotedRemovals: DeviceRemovalHook {
    private let removed = Mutex<Set<String>>([])

    func devicesRemoved(_ devices: [DeviceID], of user: UserNumber, in writer: StoreWriter) throws {
        removed.withLock { $0.formUnion(devices.map(\.string)) }
    }

    func takeAll() -> Set<String> {
        removed.withLock { removed in
            defer { removed = [] }
            return removed
        }
    }
}
