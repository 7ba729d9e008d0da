import Matrix
import Testing
import Web

@Suite struct KeyEndpointTests {
    @Test func keysGoUpAndComeDown() async throws {
        try await KeysServer.run { server in
            let alice = try await server.accounts.register("alice")
            let bob = try await server.accounts.register("bob")
            var answer = try await server.ask(
                alice, .post, "keys/upload", ["device_keys": alice.deviceKeys, "one_time_keys": ["my:1": "text"]]
            )
            #expect(answer.status == 200 && answer["one_time_key_counts"]?["my"]?.int == 1)
            answer = try await server.ask(alice, .post, "keys/upload", [:])
            #expect(answer["one_time_key_counts"]?["signed_curve25519"]?.int == 0)

            let query: JSONValue = [
                "device_keys": .object([
                    alice.user: [], bob.user: [], "@nobody:chappe.example": [], "@remote:there.example": ["D"],
                    "no user": [],
                ])
            ]
            answer = try await server.ask(bob, .post, "keys/query", query)
            #expect(answer["device_keys"]?[alice.user]?[alice.device]?["unsigned"]?.isObject == true)
            #expect(answer["device_keys"]?[bob.user]?.value == [:])
            #expect(answer["device_keys"]?.count == 2)
            #expect(answer["failures"]?["there.example"]?["status"]?.int == 503)
            #expect(answer["master_keys"]?.value == [:])

            let name: JSONValue = ["display_name": "wibble"]
            #expect(try await server.ask(alice, .put, "devices/\(alice.device)", name).status == 200)
            answer = try await server.ask(
                bob, .post, "keys/query", ["device_keys": .object([alice.user: [.string(alice.device)]])]
            )
            let unsigned = answer["device_keys"]?[alice.user]?[alice.device]?["unsigned"]
            #expect(unsigned?.value == ["device_display_name": "wibble"])

            let claim: JSONValue = ["one_time_keys": .object([alice.user: .object([alice.device: "my"])])]
            answer = try await server.ask(bob, .post, "keys/claim", claim)
            #expect(answer["one_time_keys"]?[alice.user]?[alice.device]?.value == ["my:1": "text"])
            answer = try await server.ask(bob, .post, "keys/claim", claim)
            #expect(answer.status == 200 && answer["one_time_keys"]?.value == [:])
        }
    }

    @Test func badRequestsAreToldApart() async throws {
        try await KeysServer.run { server in
            let alice = try await server.accounts.register("alice")
            let bob = try await server.accounts.register("bob")
            var answer = try await server.ask(alice, .post, "keys/upload", ["device_keys": bob.deviceKeys])
            #expect(answer.status == 400 && answer.code == "M_BAD_JSON")
            answer = try await server.ask(
                alice, .post, "keys/upload",
                ["device_keys": ["user_id": .string(alice.user), "device_id": .string(alice.device)]]
            )
            #expect(answer.status == 400 && answer.code == "M_BAD_JSON")
            answer = try await server.ask(alice, .post, "keys/query", [:])
            #expect(answer.code == "M_MISSING_PARAM")
            answer = try await server.ask(alice, .post, "keys/query", ["device_keys": ["@a:b": ["D": 1]]])
            #expect(answer.code == "M_BAD_JSON")
            answer = try await server.ask(alice, .get, "keys/changes?from=s1")
            #expect(answer.code == "M_MISSING_PARAM")
            answer = try await server.ask(alice, .get, "keys/changes?from=x&to=s2")
            #expect(answer.code == "M_INVALID_PARAM")
            answer = try await server.ask(alice, .get, "keys/changes?from=s0&to=s2")
            #expect(answer.status == 200 && answer["changed"]?.isArray == true && answer["left"]?.value == [])
            #expect(try await server.accounts.ask(.post, "keys/query", ["device_keys": [:]]).status == 401)
        }
    }

    @Test func replacingCrossSigningKeysAsksForThePassword() async throws {
        try await KeysServer.run { server in
            let alice = try await server.accounts.register("alice")
            let path = "/_matrix/client/unstable/keys/device_signing/upload"
            let upload = { (key: String) -> JSONValue in
                [
                    "master_key": [
                        "user_id": .string(alice.user), "usage": ["master"],
                        "keys": .object(["ed25519:\(key)": .string(key)]),
                    ]
                ]
            }
            let first = upload("nqOvzeuGWT/sRx3h7+MHoInYj3Uk2LD/unI9kDYcHwk")
            var second = upload("EmkqvokUn8p+vQAGZitOk4PWjp7Ukp3txV2TbMPEiBQ")
            for _ in 0..<2 { #expect(try await server.ask(alice, .post, path, first).status == 200) }
            var answer = try await server.ask(alice, .post, path, second)
            #expect(answer.status == 401 && answer["flows"]?.isArray == true)
            second["auth"] = server.accounts.auth(alice, session: answer["session"]?.string, password: "wrong password")
            #expect(try await server.ask(alice, .post, path, second).status == 401)
            second["auth"] = server.accounts.auth(alice, session: answer["session"]?.string)
            #expect(try await server.ask(alice, .post, path, second).status == 200)
            answer = try await server.ask(alice, .post, "keys/query", ["device_keys": .object([alice.user: []])])
            #expect(answer["master_keys"]?[alice.user]?.value == second["master_key"])

            answer = try await server.ask(
                alice, .post, "/_matrix/client/unstable/keys/signatures/upload",
                .object([alice.user: ["NODEVICE": ["signatures": [:]]]])
            )
            #expect(answer.status == 200)
            #expect(answer["failures"]?[alice.user]?["NODEVICE"]?["errcode"]?.string == "M_NOT_FOUND")
        }
    }

    @Test func messagesReachDevicesOnce() async throws {
        try await KeysServer.run { server in
            let alice = try await server.accounts.register("alice")
            let other = try await server.accounts.anotherDevice(of: alice)
            let messages: JSONValue = ["messages": .object([alice.user: ["*": ["text": "first"]]])]
            for _ in 0..<2 {
                let answer = try await server.ask(alice, .put, "sendToDevice/my.test.type/1", messages)
                #expect(answer.status == 200 && answer.body.value == [:])
            }
            let expected: JSONValue = [
                "type": "my.test.type", "sender": .string(alice.user), "content": ["text": "first"],
            ]
            #expect(try await server.messages(alice) == [expected])
            #expect(try await server.messages(other) == [expected])
            #expect(try await server.ask(other, .put, "sendToDevice/my.test.type/1", [:]).code == "M_MISSING_PARAM")
            // Logging out takes the messages along.
            _ = try await server.ask(other, .post, "logout")
            #expect(try await server.messages(other).isEmpty)
        }
    }

    @Test func backupsAreKept() async throws {
        try await KeysServer.run { server in
            let alice = try await server.accounts.register("alice")
            #expect(try await server.ask(alice, .get, "room_keys/version").code == "M_NOT_FOUND")
            let info: JSONValue = ["algorithm": "m.megolm_backup.v1", "auth_data": "anopaquestring"]
            let old = try await server.ask(alice, .post, "room_keys/version", info)["version"]?.string ?? ""
            let version = try await server.ask(alice, .post, "room_keys/version", info)["version"]?.string ?? ""
            var answer = try await server.ask(alice, .get, "room_keys/version")
            #expect(answer["version"]?.string == version && answer["auth_data"]?.string == "anopaquestring")
            #expect(answer["count"]?.int == 0 && answer["etag"]?.string != nil)

            let key: JSONValue = [
                "first_message_index": 3, "forwarded_count": 0, "is_verified": false, "session_data": "anopaquestring",
            ]
            let path = "room_keys/keys/!abcd/1234?version="
            answer = try await server.ask(alice, .put, path + version, key)
            #expect(answer.status == 200 && answer["count"]?.int == 1 && answer["etag"]?.string == "1")
            #expect(try await server.ask(alice, .get, path + version).body.value == key)
            answer = try await server.ask(alice, .put, path + old, key)
            #expect(answer.status == 403 && answer.code == "M_WRONG_ROOM_KEYS_VERSION")
            #expect(answer["current_version"]?.string == version)
            answer = try await server.ask(
                alice, .put, "room_keys/keys?version=\(version)", ["rooms": ["!b": ["sessions": ["x": key, "y": key]]]]
            )
            #expect(answer["count"]?.int == 3)
            answer = try await server.ask(alice, .get, "room_keys/keys/!b?version=\(version)")
            #expect(answer.body.value == ["sessions": ["x": key, "y": key]])
            #expect(try await server.ask(alice, .get, "room_keys/keys").code == "M_MISSING_PARAM")
            #expect(try await server.ask(alice, .get, "room_keys/keys?version=bogus").code == "M_NOT_FOUND")
            answer = try await server.ask(alice, .delete, "room_keys/keys/!b/x?version=\(version)")
            #expect(answer["count"]?.int == 2)
            answer = try await server.ask(alice, .delete, "room_keys/keys?version=\(version)")
            #expect(answer["count"]?.int == 0)

            let update: JSONValue = [
                "algorithm": "m.megolm_backup.v1", "auth_data": "other", "version": .string(version),
            ]
            #expect(try await server.ask(alice, .put, "room_keys/version/\(version)", update).status == 200)
            #expect(try await server.ask(alice, .get, "room_keys/version/\(version)")["auth_data"]?.string == "other")
            #expect(try await server.ask(alice, .delete, "room_keys/version/\(version)").status == 200)
            #expect(try await server.ask(alice, .get, "room_keys/version/\(version)").status == 404)
            #expect(try await server.ask(alice, .get, "room_keys/version")["version"]?.string == old)
        }
    }
}
