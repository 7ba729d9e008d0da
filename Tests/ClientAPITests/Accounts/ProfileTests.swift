import Matrix
import Testing
import Web

@Suite struct ProfileTests {
    @Test func namesAreSetSeenAndPropagated() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let path = "profile/\(alice.user)"
            #expect(try await server.ask(.get, "\(path)/displayname")["displayname"]?.string == "alice")
            let body: JSONValue = ["displayname": "Alice Ö."]
            #expect(try await server.ask(.put, "\(path)/displayname", body, token: alice.token).status == 200)
            #expect(try await server.ask(.put, "\(path)/displayname", body, token: alice.token).status == 200)
            let avatar: JSONValue = ["avatar_url": "mxc://chappe.example/a"]
            #expect(try await server.ask(.put, "\(path)/avatar_url", avatar, token: alice.token).status == 200)
            let profile = try await server.ask(.get, path)
            #expect(profile.body.value == ["avatar_url": "mxc://chappe.example/a", "displayname": "Alice Ö."])
            // What has not changed is not said again.
            #expect(server.rooms.profiles == [alice.user, alice.user])
        }
    }

    @Test func aNameOrPictureThatIsNotSetIsLeftOut() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let avatar = try await server.ask(.get, "profile/\(alice.user)/avatar_url")
            #expect(avatar.status == 200)
            #expect(avatar.body.value == [:])
            let nobody = try await server.ask(.get, "profile/@nobody:chappe.example/avatar_url")
            #expect(nobody.code == "M_NOT_FOUND")
        }
    }

    @Test func otherFieldsAreFree() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let path = "profile/\(alice.user)/org.example.job"
            #expect(try await server.ask(.get, path).status == 404)
            let body: JSONValue = ["org.example.job": ["title": "préfète", "since": 2024]]
            #expect(try await server.ask(.put, path, body, token: alice.token).status == 200)
            #expect(try await server.ask(.get, path).body.value == body)
            #expect(try await server.ask(.delete, path, token: alice.token).status == 200)
            #expect(try await server.ask(.get, path).status == 404)
            #expect(server.rooms.profiles.isEmpty)
        }
    }

    @Test func limitsAreKept() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            func set(_ field: String, _ value: JSONValue) async throws -> Running.Answer {
                try await server.ask(
                    .put, "profile/\(alice.user)/\(field)", .object(JSONObject([(field, value)])), token: alice.token)
            }
            let long = String(repeating: "x", count: 30_000)
            #expect(try await set("displayname", .string(String(repeating: "x", count: 256))).code == "M_INVALID_PARAM")
            #expect(try await set("displayname", 5).code == "M_BAD_JSON")
            #expect(try await set("Wrong", 5).code == "M_INVALID_PARAM")
            #expect(try await set("a.\(String(repeating: "x", count: 254))", 5).code == "M_KEY_TOO_LARGE")
            #expect(try await set("a.one", .string(long)).status == 200)
            #expect(try await set("a.two", .string(long)).status == 200)
            #expect(try await set("a.three", .string(long)).code == "M_PROFILE_TOO_LARGE")
            #expect(try await set("a.two", "small").status == 200)
            #expect(try await set("a.three", .string(long)).status == 200)
            let missing = try await server.ask(
                .put, "profile/\(alice.user)/displayname", ["other": "x"], token: alice.token)
            #expect(missing.code == "M_MISSING_PARAM")
        }
    }

    @Test func onlyOnesOwn() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let bob = try await server.register("bob")
            let answer = try await server.ask(
                .put, "profile/\(alice.user)/displayname", ["displayname": "B"], token: bob.token)
            #expect(answer.status == 403)
            #expect(try await server.ask(.get, "profile/@nobody:chappe.example").code == "M_NOT_FOUND")
            let remote = try await server.ask(.get, "profile/@rita:elsewhere.example")
            #expect(remote["displayname"]?.string == "Rita")
        }
    }
}
