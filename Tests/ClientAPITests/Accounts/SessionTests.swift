import Homeserver
import Matrix
import Store
import Testing
import Web

@Suite struct SessionTests {
    @Test func refusesWrongNamesAndPasswordsAlike() async throws {
        try await AccountsServer().run { server in
            _ = try await server.register("alice")
            let wrong = try await server.login("alice", password: "something else")
            let unknown = try await server.login("nobody")
            let elsewhere = try await server.login("@alice:elsewhere.example")
            for answer in [wrong, unknown, elsewhere] {
                #expect(answer.status == 403)
                #expect(answer.code == "M_FORBIDDEN")
                #expect(answer["error"]?.string == wrong["error"]?.string)
            }
            let body: JSONValue = ["type": "m.login.nonexistent"]
            #expect(try await server.ask(.post, "login", body).code == "M_UNKNOWN")
            let legacy: JSONValue = ["type": "m.login.password", "user": "alice", "password": "a long passphrase"]
            #expect(try await server.ask(.post, "login", legacy).status == 200)
        }
    }

    @Test func anUnknownTokenIsTold() async throws {
        try await AccountsServer().run { server in
            #expect(try await server.ask(.get, "account/whoami").code == "M_MISSING_TOKEN")
            let answer = try await server.whoAmI("an/invalid/token")
            #expect(answer.status == 401)
            #expect(answer.code == "M_UNKNOWN_TOKEN")
            #expect(answer["soft_logout"] == nil)
        }
    }

    @Test func loggingInOnAKnownDeviceEndsItsSession() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            #expect(try await server.whoAmI(alice.token).status == 200)
            let again = try await server.anotherDevice(of: alice, alice.device)
            #expect(again.device == alice.device)
            #expect(try await server.whoAmI(again.token).status == 200)
            #expect(try await server.whoAmI(alice.token).code == "M_UNKNOWN_TOKEN")
            #expect(try await server.ask(.get, "devices", token: again.token)["devices"]?.count == 1)
        }
    }

    @Test func logoutEndsOneSessionAndItsDevice() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let second = try await server.anotherDevice(of: alice)
            // Both are in the cache by now.
            for token in [alice.token, second.token] { #expect(try await server.whoAmI(token).status == 200) }
            let before = server.store.journal.end
            #expect(try await server.ask(.post, "logout", [:], token: second.token).status == 200)
            #expect(try await server.whoAmI(second.token).code == "M_UNKNOWN_TOKEN")
            let devices = try await server.ask(.get, "devices", token: alice.token)["devices"]
            #expect(devices?.elements.map { $0["device_id"]?.string } == [alice.device])
            let entries = try #require(server.store.journal.entries(after: before, through: server.store.journal.end))
            let number = try await server.number(of: alice)
            #expect(entries.contains { if case .deviceList(let user) = $0.change { user == number } else { false } })
        }
    }

    @Test func logoutAllEndsAll() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let second = try await server.anotherDevice(of: alice)
            let bob = try await server.register("bob")
            #expect(try await server.ask(.post, "logout/all", token: alice.token).status == 200)
            for token in [alice.token, second.token] { #expect(try await server.whoAmI(token).status == 401) }
            #expect(try await server.whoAmI(bob.token).status == 200)
        }
    }

    @Test func aTokenInTheCacheCostsNoReadAndEndsWithTheCommit() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let hash = TokenHash(of: alice.token)
            let first = try await server.sessions.session(accessToken: alice.token, address: "", userAgent: nil)
            // Taken from under the cache: who still finds the session has not asked the database.
            try await server.store.write { writer in
                try writer.sql.execute("DELETE FROM access_tokens WHERE hash = $1", hash)
            }
            let second = try await server.sessions.session(accessToken: alice.token, address: "", userAgent: nil)
            #expect(first.user == second.user)
            try await server.sessions.endAll(of: first.user)
            await #expect(throws: MatrixError.unknownToken()) {
                try await server.sessions.session(accessToken: alice.token, address: "", userAgent: nil)
            }
        }
    }

    @Test func anotherNodeNoticesTheEndOfASession() async throws {
        try await AccountsServer().runTwoNodes { first, second in
            let alice = try await first.register("alice")
            #expect(try await second.whoAmI(alice.token).status == 200)
            #expect(try await first.ask(.post, "logout", token: alice.token).status == 200)
            // What the journal does not bring, asking again after a while does.
            second.clock.advance(milliseconds: 31_000)
            if second.store.database.engine == .postgres {
                #expect(try await second.whoAmI(alice.token).status == 401)
            }
        }
    }

    @Test func refreshKeepsOldTokensUntilNewOnesAreUsed() async throws {
        try await AccountsServer().run { server in
            _ = try await server.register("alice")
            let first = try await server.login("alice", refresh: true)
            let access = try #require(first["access_token"]?.string)
            let refresh = try #require(first["refresh_token"]?.string)
            #expect(first["expires_in_ms"]?.int == 3_600_000)
            #expect(try await server.whoAmI(access).status == 200)

            let lost = try await server.ask(.post, "refresh", ["refresh_token": .string(refresh)])
            #expect(lost.status == 200)
            // The answer got lost: the old tokens are still good, and can be exchanged again.
            #expect(try await server.whoAmI(access).status == 200)
            let second = try await server.ask(.post, "refresh", ["refresh_token": .string(refresh)])
            let newAccess = try #require(second["access_token"]?.string)
            let newRefresh = try #require(second["refresh_token"]?.string)
            let lostAccess = try #require(lost["access_token"]?.string)
            #expect(try await server.whoAmI(lostAccess).code == "M_UNKNOWN_TOKEN")

            #expect(try await server.whoAmI(newAccess).status == 200)
            // Now the new one has been used.
            #expect(try await server.whoAmI(access).code == "M_UNKNOWN_TOKEN")
            let stale = try await server.ask(.post, "refresh", ["refresh_token": .string(refresh)])
            #expect(stale.status == 401)
            #expect(stale.code == "M_UNKNOWN_TOKEN")
            #expect(try await server.ask(.post, "refresh", ["refresh_token": .string(newRefresh)]).status == 200)
        }
    }

    @Test func usingANewRefreshTokenEndsTheOldTokens() async throws {
        try await AccountsServer().run { server in
            _ = try await server.register("alice")
            let first = try await server.login("alice", refresh: true)
            let refresh = try #require(first["refresh_token"]?.string)
            let second = try await server.ask(.post, "refresh", ["refresh_token": .string(refresh)])
            let third = try await server.ask(
                .post, "refresh", ["refresh_token": .string(try #require(second["refresh_token"]?.string))])
            #expect(third.status == 200)
            #expect(try await server.ask(.post, "refresh", ["refresh_token": .string(refresh)]).status == 401)
        }
    }

    @Test func tokensExpireSoftly() async throws {
        try await AccountsServer(lifetimes: TokenLifetimes(refreshableMilliseconds: 1000, refreshMilliseconds: 5000))
            .run {
                server in
                _ = try await server.register("alice")
                let first = try await server.login("alice", refresh: true)
                let access = try #require(first["access_token"]?.string)
                let refresh = try #require(first["refresh_token"]?.string)
                #expect(try await server.whoAmI(access).status == 200)
                server.clock.advance(milliseconds: 1000)
                let expired = try await server.whoAmI(access)
                #expect(expired.code == "M_UNKNOWN_TOKEN")
                #expect(expired["soft_logout"]?.bool == true)
                server.clock.advance(milliseconds: 4000)
                let late = try await server.ask(.post, "refresh", ["refresh_token": .string(refresh)])
                #expect(late.code == "M_UNKNOWN_TOKEN")
                #expect(late["soft_logout"]?.bool == true)
            }
    }

    @Test func aLoginTokenLogsInOnce() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let path = "/_matrix/client/v1/login/get_token"
            let begun = try await server.ask(.post, path, [:], token: alice.token)
            let session = try #require(begun["session"]?.string)
            let auth: JSONValue = ["auth": server.auth(alice, session: session)]
            let made = try await server.ask(.post, path, auth, token: alice.token)
            let token = try #require(made["login_token"]?.string)
            #expect(made["expires_in_ms"]?.int == 120_000)
            let body: JSONValue = ["type": "m.login.token", "token": .string(token), "device_id": "PHONE"]
            let answer = try await server.ask(.post, "login", body)
            #expect(answer["device_id"]?.string == "PHONE")
            #expect(try await server.ask(.post, "login", body).status == 403)

            let second = try #require(
                try await server.ask(.post, path, ["auth": server.auth(alice)], token: alice.token)["login_token"]?
                    .string)
            server.clock.advance(milliseconds: 120_000)
            #expect(
                try await server.ask(.post, "login", ["type": "m.login.token", "token": .string(second)]).status == 403)
        }
    }

    @Test func manyWrongPasswordsHaveToWait() async throws {
        try await AccountsServer().run { server in
            _ = try await server.register("alice")
            for _ in 0..<5 { #expect(try await server.login("alice", password: "guess guess").status == 403) }
            let limited = try await server.login("alice")
            #expect(limited.status == 429)
            let wait = try #require(limited["retry_after_ms"]?.int)
            server.clock.advance(milliseconds: wait)
            #expect(try await server.login("alice").status == 200)
        }
    }

    @Test func theLockedCanOnlyLogOut() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            #expect(try await server.whoAmI(alice.token).status == 200)
            let number = try await server.number(of: alice)
            try await server.accounts.setFlags(of: number, adding: .locked)
            let refused = try await server.whoAmI(alice.token)
            #expect(refused.status == 401)
            #expect(refused.code == "M_USER_LOCKED")
            #expect(refused["soft_logout"]?.bool == true)
            #expect(try await server.login("alice").code == "M_USER_LOCKED")
            try await server.accounts.setFlags(of: number, removing: .locked)
            #expect(try await server.whoAmI(alice.token).status == 200)
            try await server.accounts.setFlags(of: number, adding: .locked)
            #expect(try await server.ask(.post, "logout", token: alice.token).status == 200)
        }
    }

    @Test func theSuspendedMayNotEditTheirProfile() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let number = try await server.number(of: alice)
            try await server.accounts.setFlags(of: number, adding: .suspended)
            let refused = try await server.ask(
                .put, "profile/\(alice.user)/displayname", ["displayname": "A"], token: alice.token)
            #expect(refused.status == 403)
            #expect(refused.code == "M_USER_SUSPENDED")
            #expect(try await server.whoAmI(alice.token).status == 200)
        }
    }
}
