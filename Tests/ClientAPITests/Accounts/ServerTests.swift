import Matrix
import Testing
import Web

@Suite struct ServerTests {
    @Test func saysWhatItIs() async throws {
        try await AccountsServer().run { server in
            let versions = try await server.ask(.get, "/_matrix/client/versions")["versions"]
            #expect(versions?.elements.contains { $0.string == "v1.19" } == true)
            let client = try await server.ask(.get, "/.well-known/matrix/client")
            #expect(client["m.homeserver"]?["base_url"]?.string == "https://matrix.chappe.example")
            #expect(
                try await server.ask(.get, "/.well-known/matrix/server")["m.server"]?.string
                    == "matrix.chappe.example:443")
            let metadata = try await server.ask(.get, "/_matrix/client/v1/auth_metadata")
            #expect(metadata.status == 404)
            #expect(metadata.code == "M_UNRECOGNIZED")
        }
    }

    @Test func capabilitiesAreForUsers() async throws {
        try await AccountsServer().run { server in
            #expect(try await server.ask(.get, "capabilities").status == 401)
            let alice = try await server.register("alice")
            let capabilities = try #require(
                try await server.ask(.get, "capabilities", token: alice.token)["capabilities"])
            #expect(capabilities["m.room_versions"]?["default"]?.string == "12")
            #expect(capabilities["m.room_versions"]?["available"]?.count == 12)
            #expect(capabilities["m.change_password"]?["enabled"]?.bool == true)
        }
    }
}
