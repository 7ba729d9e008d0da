import Homeserver
import Matrix
import Store
import Testing
import Web

@Suite struct AccountTests {
    @Test(arguments: [true, false])
    func aNewPasswordEndsOtherSessionsUnlessAskedNotTo(_ logsOut: Bool) async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let other = try await server.anotherDevice(of: alice)
            #expect(try await server.whoAmI(other.token).status == 200)
            let answer = try await server.ask(
                .post, "account/password",
                [
                    "auth": server.auth(alice), "new_password": "another passphrase", "logout_devices": .bool(logsOut),
                ], token: alice.token
            )
            #expect(answer.status == 200)
            #expect(try await server.whoAmI(alice.token).status == 200)
            #expect(try await server.whoAmI(other.token).status == (logsOut ? 401 : 200))
            #expect(try await server.login("alice").status == 403)
            #expect(try await server.login("alice", password: "another passphrase").status == 200)
        }
    }

    @Test func aWeakPasswordIsRefusedBeforeAuthentication() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let answer = try await server.ask(.post, "account/password", ["new_password": "short"], token: alice.token)
            #expect(answer.status == 400)
            #expect(answer.code == "M_WEAK_PASSWORD")
        }
    }

    @Test func deactivationEndsTheAccount() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let other = try await server.anotherDevice(of: alice)
            let wrong = try await server.ask(
                .post, "account/deactivate", ["auth": server.auth(alice, password: "not it")], token: alice.token)
            #expect(wrong.status == 401)
            #expect(wrong.code == "M_FORBIDDEN")
            #expect(wrong["flows"]?.isArray == true)
            #expect(wrong["completed"]?.count == 0)
            let done = try await server.ask(
                .post, "account/deactivate", ["auth": server.auth(alice), "erase": true], token: alice.token)
            #expect(done["id_server_unbind_result"]?.string == "success")
            for token in [alice.token, other.token] { #expect(try await server.whoAmI(token).status == 401) }
            #expect(try await server.login("alice").code == "M_USER_DEACTIVATED")
            #expect(try await server.ask(.get, "register/available?username=alice").code == "M_USER_IN_USE")
            #expect(server.rooms.departed.map(\.string) == [alice.user])
            let id = try #require(UserID(alice.user))
            let account = try #require(try await server.store.read { try $0.accounts.account(id) })
            #expect(account.flags == [.deactivated, .erased])
            #expect(account.passwordHash == nil)
            #expect(try await server.ask(.get, "profile/\(alice.user)").body.count == 0)
        }
    }

    @Test func anInterruptedDepartureIsFinishedLater() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            server.rooms.isFailing = true
            let answer = try await server.ask(
                .post, "account/deactivate", ["auth": server.auth(alice)], token: alice.token)
            #expect(answer.status == 500)
            #expect(try await server.login("alice").code == "M_USER_DEACTIVATED")
            server.rooms.isFailing = false
            try await server.accounts.resumeDepartures()
            #expect(server.rooms.departed.map(\.string) == [alice.user])
            try await server.accounts.resumeDepartures()
            #expect(server.rooms.departed.count == 1)
        }
    }

    @Test func hasNoThirdPartyIdentifiers() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let answer = try await server.ask(.get, "account/3pid", token: alice.token)
            #expect(answer["threepids"]?.isArray == true)
        }
    }
}
