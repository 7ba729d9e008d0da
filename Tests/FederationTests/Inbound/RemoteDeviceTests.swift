import Homeserver
import Matrix
import Store
import Synchronization
import Testing

@Suite struct RemoteDeviceTests {
    /// A server with a public room in which its user alice and bob of another server are.
    private func withRoom(
        _ body: (InboundServer, FakeServer, RoomID, _ alice: Requester, _ bob: UserID) async throws -> Void
    ) async throws {
        try await InboundServer.onEachEngine { server in
            let other = try FakeServer("there.example", asking: server)
            let alice = try await server.user("alice")
            let room = try await server.publicRoom(by: alice)
            let bob = try other.user("bob")
            try await other.join(room, as: bob)
            try await body(server, other, room, alice, bob)
        }
    }

    private func keys(_ user: UserID, _ device: String, _ key: String = "key") -> JSONValue {
        [
            "user_id": .string(user.string), "device_id": .string(device), "algorithms": [],
            "keys": .object(["ed25519:\(device)": .string(key)]), "signatures": [:],
        ]
    }

    private func list(_ user: UserID, stream: Int64, _ devices: [String: String]) -> JSONValue {
        [
            "user_id": .string(user.string), "stream_id": .integer(stream),
            "devices": .array(
                devices.sorted { $0.key < $1.key }.map { device, key in
                    ["device_id": .string(device), "keys": keys(user, device, key), "device_display_name": "Name"]
                }),
        ]
    }

    private func update(
        _ user: UserID, _ device: String, stream: Int64, prev: [Int64] = [], key: String? = "key", name: String? = nil,
        isDeleted: Bool = false
    ) -> (type: String, content: JSONValue) {
        var content: JSONValue = [
            "user_id": .string(user.string), "device_id": .string(device), "stream_id": .integer(stream),
            "prev_id": .array(prev.map { .integer($0) }),
        ]
        if let key { content["keys"] = keys(user, device, key) }
        content["device_display_name"] = name.map { .string($0) }
        if isDeleted { content["deleted"] = true }
        return ("m.device_list_update", content)
    }

    /// What a client of `viewer` is told of a user's devices: each with its key.
    private func known(_ server: InboundServer, _ user: UserID, by viewer: Requester) async throws -> [String: String] {
        let answer = try await server.keyService.query(KeyQuery(users: [user: []]), by: viewer.number)
        var found: [String: String] = [:]
        for (device, text) in answer.deviceKeys[user] ?? [:] {
            found[device.string] = try JSON(parsing: text)["keys"]?["ed25519:\(device)"]?.string ?? ""
        }
        return found
    }

    /// Whether a client of `viewer` that has heard of everything up to a place is told that a user's devices have changed.
    private func isChanged(
        _ user: UserID, since position: StreamPosition, _ server: InboundServer, _ viewer: Requester
    ) async throws -> Bool {
        let number = try #require(try await server.store.number(of: user))
        return try await server.deviceLists.changed(
            for: viewer.number, after: position, through: server.store.journal.end
        ).contains(number)
    }

    @Test func aListIsAskedForOnceAndThenKept() async throws {
        try await withRoom { server, other, room, alice, bob in
            server.outside.setDevices(list(bob, stream: 5, ["A": "one", "B": "two"]), of: bob)
            #expect(try await known(server, bob, by: alice) == ["A": "one", "B": "two"])
            #expect(try await known(server, bob, by: alice) == ["A": "one", "B": "two"])
            #expect(server.outside.askedDevices == [bob] && server.outside.askedKeys.isEmpty)
            var start = server.store.journal.end
            try await other.send(edus: [
                update(bob, "A", stream: 6, prev: [5], key: "changed", name: "New"),
                update(bob, "B", stream: 7, prev: [6], isDeleted: true),
                update(bob, "C", stream: 8, prev: [7], key: "three"),
            ])
            #expect(try await isChanged(bob, since: start, server, alice))
            #expect(server.store.journal.end.rawValue == start.rawValue + 1)
            #expect(try await known(server, bob, by: alice) == ["A": "changed", "C": "three"])
            let answer = try await server.keyService.query(KeyQuery(users: [bob: []]), by: alice.number)
            let id = try #require(DeviceID("A"))
            let device = try JSON(parsing: try #require(answer.deviceKeys[bob]?[id]))
            #expect(device["unsigned"]?["device_display_name"]?.string == "New")
            // Told once more, nothing changes.
            start = server.store.journal.end
            try await other.send(edus: [update(bob, "C", stream: 8, prev: [7], key: "three")])
            #expect(server.store.journal.end == start)
            #expect(server.outside.askedDevices == [bob])
        }
    }

    @Test func aGapMakesTheListStale() async throws {
        try await withRoom { server, other, room, alice, bob in
            server.outside.setDevices(list(bob, stream: 5, ["A": "one"]), of: bob)
            _ = try await known(server, bob, by: alice)
            for lost in [
                update(bob, "A", stream: 8, prev: [7], key: "eight"),
                update(bob, "A", stream: 3, prev: [], key: "three"),
                update(bob, "A", stream: 5, prev: [4], key: "another five"),
            ] {
                let start = server.store.journal.end
                let asked = server.outside.askedDevices.count
                server.outside.setDevices(list(bob, stream: 9, ["A": "nine", "B": "new \(asked)"]), of: bob)
                server.clock.advance(milliseconds: 60_000)
                try await other.send(edus: [lost])
                // Nobody has to ask for the whole list for it to be had; whoever does meanwhile waits for it.
                try await server.wait(for: "the list") { server.outside.askedDevices.count > asked }
                #expect(try await known(server, bob, by: alice) == ["A": "nine", "B": "new \(asked)"])
                // Clients hear of it once it is there.
                try await server.wait(for: "the news") { try await self.isChanged(bob, since: start, server, alice) }
                let news = try await server.store.read { try $0.journal.rows(after: start, limit: 100) }
                #expect(news.count { if case .deviceList = $0.subject { true } else { false } } == 1)
                server.outside.setDevices(list(bob, stream: 5, ["A": "one"]), of: bob)
                server.clock.advance(milliseconds: 60_000)
                try await other.send(edus: [update(bob, "A", stream: 100, prev: [99])])
                try await server.wait(for: "the list") {
                    try await self.known(server, bob, by: alice) == ["A": "one"]
                }
            }
        }
    }

    @Test func whatIsHeardMeanwhileIsNotLost() async throws {
        try await withRoom { server, other, room, alice, bob in
            server.outside.setDevices(list(bob, stream: 5, ["A": "old"]), of: bob)
            server.outside.interrupt { [self] in
                server.outside.setDevices(list(bob, stream: 6, ["A": "new"]), of: bob)
                try await other.send(edus: [update(bob, "A", stream: 6, prev: [5], key: "new")])
            }
            #expect(try await known(server, bob, by: alice) == ["A": "new"])
            // Once more for what came meanwhile; and the list that has become stale may have been had for nobody just before.
            #expect((2...3).contains(server.outside.askedDevices.count))
            try await other.send(edus: [update(bob, "A", stream: 7, prev: [6], key: "newer")])
            #expect(try await known(server, bob, by: alice) == ["A": "newer"])
            #expect((2...3).contains(server.outside.askedDevices.count))
        }
    }

    @Test func staleListsSurviveARestart() async throws {
        try await withRoom { server, other, room, alice, bob in
            server.outside.setDevices(list(bob, stream: 5, ["A": "one"]), of: bob)
            _ = try await known(server, bob, by: alice)
            server.outside.setFailure(RemoteServerFailure(message: "down"))
            server.clock.advance(milliseconds: 60_000)
            try await other.send(edus: [update(bob, "A", stream: 9, prev: [8], key: "lost")])
            try await server.wait(for: "the attempt") { server.outside.askedDevices.count == 2 }
            // Better what was known last than nothing, and a hint that it may be old.
            let answer = try await server.keyService.query(
                KeyQuery(users: [bob: []], timeoutMilliseconds: 1_000), by: alice.number)
            #expect(answer.deviceKeys[bob]?.count == 1 && answer.failures[other.name]?.message == "down")
            server.devices.stop()
            server.outside.setFailure(nil)
            server.outside.setDevices(list(bob, stream: 9, ["A": "found"]), of: bob)
            let restarted = try server.restarted()
            let start = restarted.store.journal.end
            try await restarted.devices.start()
            restarted.clock.advance(milliseconds: 24 * 3_600_000)
            restarted.devices.reachable(other.name)
            try await restarted.wait(for: "the list") {
                try await self.isChanged(bob, since: start, restarted, alice)
            }
            let asked = restarted.outside.askedDevices.count
            #expect(try await known(restarted, bob, by: alice) == ["A": "found"])
            #expect(restarted.outside.askedDevices.count == asked)
            restarted.stop()
        }
    }

    @Test func listsOfUsersWhoShareNothingAreNotKept() async throws {
        try await withRoom { server, other, room, alice, bob in
            let stranger = try other.user("stranger")
            server.outside.setDevices(list(stranger, stream: 1, ["S": "s"]), of: stranger)
            try await other.send(edus: [
                update(stranger, "S", stream: 2), update(alice.id, "DEVICE", stream: 2),
                update(try #require(UserID("@eve:elsewhere.example")), "E", stream: 2),
            ])
            #expect(try await server.store.number(of: stranger) == nil)
            #expect(try await known(server, stranger, by: alice) == ["S": "s"])
            #expect(server.outside.askedKeys == [[stranger]] && server.outside.askedDevices.isEmpty)
        }
    }

    @Test func aListIsNotTrustedAfterABreak() async throws {
        try await withRoom { server, other, room, alice, bob in
            server.outside.setDevices(list(bob, stream: 5, ["A": "one"]), of: bob)
            _ = try await known(server, bob, by: alice)
            let leave = try await other.event(
                .member, stateKey: bob.string, ["membership": "leave"], by: bob, in: room)
            try await other.send(leave)
            // While nothing is shared nobody tells of changes.
            server.outside.setDevices(list(bob, stream: 6, ["A": "two"]), of: bob)
            #expect(try await known(server, bob, by: alice) == ["A": "two"])
            let start = server.store.journal.end
            try await other.join(room, as: bob)
            let delta = try await server.deviceLists.delta(for: alice.number, after: start)
            #expect(delta.changed == [bob] && delta.left.isEmpty)
            #expect(try await known(server, bob, by: alice) == ["A": "two"])
            #expect(server.outside.askedDevices == [bob, bob])
        }
    }

    @Test func whoLeavesIsNamed() async throws {
        try await withRoom { server, other, room, alice, bob in
            let start = server.store.journal.end
            try await other.send(
                try await other.event(.member, stateKey: bob.string, ["membership": "leave"], by: bob, in: room))
            let delta = try await server.deviceLists.delta(for: alice.number, after: start)
            #expect(delta.left == [bob] && delta.changed.isEmpty)
        }
    }

    @Test func crossSigningKeysAreKept() async throws {
        try await withRoom { server, other, room, alice, bob in
            func key(_ usage: String, _ name: String) -> JSONValue {
                [
                    "user_id": .string(bob.string), "usage": [.string(usage)],
                    "keys": .object(["ed25519:\(name)": .string(name)]),
                ]
            }
            let first = "nqOvzeuGWT/sRx3h7+MHoInYj3Uk2LD/unI9kDYcHwk"
            let second = "EmkqvokUn8p+vQAGZitOk4PWjp7Ukp3txV2TbMPEiBQ"
            var body = list(bob, stream: 5, ["A": "one"])
            body["master_key"] = key("master", first)
            body["self_signing_key"] = key("master", first)
            server.outside.setDevices(body, of: bob)
            var answer = try await server.keyService.query(KeyQuery(users: [bob: []]), by: alice.number)
            #expect(answer.masterKeys[bob] != nil && answer.selfSigningKeys[bob] == nil)
            let start = server.store.journal.end
            let content: JSONValue = [
                "user_id": .string(bob.string), "master_key": key("master", second),
                "self_signing_key": key("self_signing", second),
            ]
            // Under both names, as servers send it.
            try await other.send(edus: [("org.matrix.signing_key_update", content), ("m.signing_key_update", content)])
            #expect(server.store.journal.end.rawValue == start.rawValue + 1)
            answer = try await server.keyService.query(KeyQuery(users: [bob: []]), by: alice.number)
            let master = try JSON(parsing: try #require(answer.masterKeys[bob]))
            #expect(master["keys"]?["ed25519:\(second)"] != nil && answer.selfSigningKeys[bob] != nil)
            #expect(server.outside.askedDevices == [bob])
        }
    }

    @Test func keysOfOthersInAListAreNobodys() async throws {
        try await withRoom { server, other, room, alice, bob in
            var body = list(bob, stream: 5, ["A": "one"])
            body["devices"] = [
                ["device_id": "A", "keys": keys(bob, "B")], ["device_id": "B", "keys": keys(alice.id, "B")],
                ["device_id": "C"], ["device_id": "D", "keys": keys(bob, "D")], 7, ["device_id": ""],
            ]
            server.outside.setDevices(body, of: bob)
            let known = try await known(server, bob, by: alice)
            #expect(known == ["D": "key"])
        }
    }

    @Test func manyListsAreHadLater() async throws {
        try await withRoom { server, other, room, alice, bob in
            var users: [UserID: [DeviceID]] = [:]
            for index in 0..<25 {
                let user = try other.user("u\(index)")
                users[user] = []
                server.outside.setDevices(list(user, stream: 1, ["A": "\(index)"]), of: user)
                try await other.join(room, as: user)
            }
            let answer = try await server.keyService.query(KeyQuery(users: users), by: alice.number)
            #expect(answer.deviceKeys.count == 25 && server.outside.askedKeys.count == 1)
            try await server.wait(for: "all lists") { server.outside.askedDevices.count == 25 }
            try await server.wait(for: "the last list") {
                try await server.store.read { try $0.remoteDevices.dueServers(now: .max, limit: 9) }.isEmpty
            }
            _ = try await server.keyService.query(KeyQuery(users: users), by: alice.number)
            #expect(server.outside.askedKeys.count == 1 && server.outside.askedDevices.count == 25)
        }
    }

    @Test func aServerThatRefusesIsAskedOtherwise() async throws {
        try await withRoom { server, other, room, alice, bob in
            server.outside.setDevices(list(bob, stream: 5, ["A": "one"]), of: bob)
            server.outside.setFailure(
                RemoteServerFailure(status: 404, code: .unrecognized, message: "what?", isAnswer: true))
            let known = try await known(server, bob, by: alice)
            #expect(known == ["A": "one"])
            #expect(server.outside.askedKeys == [[bob]])
        }
    }
}
