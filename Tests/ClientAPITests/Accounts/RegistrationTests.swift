import Crypto
import Homeserver
import Matrix
import Store
import Testing
import Web

@Suite struct RegistrationTests {
    @Test func makesAnAccountWithASession() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            #expect(alice.user == "@alice:chappe.example")
            let me = try await server.whoAmI(alice.token)
            #expect(me.status == 200)
            #expect(me["user_id"]?.string == alice.user)
            #expect(me["device_id"]?.string == alice.device)
            #expect(me["is_guest"]?.bool == false)
            // The database knows no token in the clear.
            let known = try await server.store.read { try $0.sessions.accessToken(TokenHash(of: alice.token)) }
            #expect(known?.userID.string == alice.user)
        }
    }

    @Test func asksForAuthenticationWithoutAnErrorCode() async throws {
        try await AccountsServer().run { server in
            let answer = try await server.ask(.post, "register", [:])
            #expect(answer.status == 401)
            #expect(answer.code == nil)
            #expect(answer["session"]?.string?.isEmpty == false)
            #expect(answer["flows"]?.value == [["stages": ["m.login.dummy"]]])
            #expect(answer["completed"]?.isArray == true)
            #expect(answer["params"]?.isObject == true)
        }
    }

    @Test(arguments: [
        "", "with space", "é", "a:b", "a\"", "@a", "_service", "12345", String(repeating: "a", count: 250),
    ])
    func refusesNames(_ name: String) async throws {
        try await AccountsServer().run { server in
            let answer = try await server.ask(
                .post, "register",
                ["username": .string(name), "password": "a long passphrase", "auth": ["type": "m.login.dummy"]]
            )
            #expect(answer.status == 400)
            #expect(answer.code == "M_INVALID_USERNAME")
        }
    }

    @Test func makesCapitalsSmallAndLogsInWithAny() async throws {
        try await AccountsServer().run { server in
            #expect(try await server.register("Alice-UPPER").user == "@alice-upper:chappe.example")
            #expect(try await server.login("ALICE-upper").status == 200)
            #expect(try await server.login("@Alice-Upper:chappe.example").status == 200)
            let answer = try await server.ask(.get, "register/available?username=ALICE-UPPER")
            #expect(answer.code == "M_USER_IN_USE")
            #expect(try await server.ask(.get, "register/available?username=free")["available"]?.bool == true)
        }
    }

    @Test func refusesShortPasswords() async throws {
        try await AccountsServer().run { server in
            let body: JSONValue = ["username": "bob", "password": "1234567", "auth": ["type": "m.login.dummy"]]
            let answer = try await server.ask(.post, "register", body)
            #expect(answer.status == 400)
            #expect(answer.code == "M_WEAK_PASSWORD")
        }
    }

    @Test func givesANameToOneOfTwoAtOnce() async throws {
        try await AccountsServer().runTwoNodes { first, second in
            let body: JSONValue = [
                "username": "carol", "password": "a long passphrase", "auth": ["type": "m.login.dummy"],
            ]
            let answers = try await withThrowingTaskGroup(of: Running.Answer.self) { group in
                for index in 0..<8 {
                    let node = index % 2 == 0 ? first : second
                    group.addTask { try await node.ask(.post, "register", body) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.filter { $0.status == 200 }.count == 1)
            #expect(answers.filter { $0.code == "M_USER_IN_USE" }.count == 7)
        }
    }

    @Test func remembersWhatTheSessionBeganWith() async throws {
        try await AccountsServer().run { server in
            let begun = try await server.ask(
                .post, "register",
                [
                    "username": "dora", "password": "a long passphrase", "device_id": "xyzzy",
                    "initial_device_display_name": "Dora's",
                ]
            )
            let session = try #require(begun["session"]?.string)
            let auth: JSONValue = ["auth": ["type": "m.login.dummy", "session": .string(session)]]
            let done = try await server.ask(.post, "register", auth)
            #expect(done["user_id"]?.string == "@dora:chappe.example")
            let token = try #require(done["access_token"]?.string)
            let device = try await server.ask(.get, "devices/xyzzy", token: token)
            #expect(device["display_name"]?.string == "Dora's")
            #expect(try await server.login("dora").status == 200)
        }
    }

    @Test(arguments: [nil, "emil"])
    func answersARepeatedRequestWithTheSameUser(_ name: String?) async throws {
        try await AccountsServer().run { server in
            var body: JSONValue = ["password": "a long passphrase"]
            if let name { body["username"] = .string(name) }
            let session = try #require(try await server.ask(.post, "register", body)["session"]?.string)
            body["auth"] = ["type": "m.login.dummy", "session": .string(session)]
            let first = try await server.ask(.post, "register", body)
            let second = try await server.ask(.post, "register", body)
            #expect(first.status == 200)
            #expect(second.status == 200)
            #expect(first["user_id"]?.string == second["user_id"]?.string)
            #expect(first["access_token"]?.string != second["access_token"]?.string)
        }
    }

    @Test func inhibitsLogin() async throws {
        try await AccountsServer().run { server in
            let answer = try await server.ask(
                .post, "register",
                [
                    "username": "fred", "password": "a long passphrase", "inhibit_login": true,
                    "auth": ["type": "m.login.dummy"],
                ]
            )
            #expect(answer.status == 200)
            #expect(answer["access_token"] == nil)
            #expect(answer["device_id"] == nil)
        }
    }

    @Test func closedMeansClosed() async throws {
        try await AccountsServer(registration: RegistrationPolicy(mode: .closed)).run { server in
            let answer = try await server.ask(
                .post, "register", ["username": "eve", "auth": ["type": "m.login.dummy"]])
            #expect(answer.status == 403)
            #expect(answer.code == "M_FORBIDDEN")
            #expect(try await server.ask(.post, "register?kind=guest", [:]).status == 403)
            #expect(try await server.ask(.get, "register/available?username=eve").status == 403)
        }
    }

    @Test func tokensLetInAsManyAsTheySay() async throws {
        try await AccountsServer(registration: RegistrationPolicy(mode: .token)).run { server in
            let now = server.clock.now
            _ = try await server.store.write {
                try $0.registrationTokens.insert(
                    RegistrationTokenRecord(token: "letmein", usesAllowed: 1, expiresAt: now + 1000), createdAt: now)
            }
            let validity = "/_matrix/client/v1/register/m.login.registration_token/validity?token="
            #expect(try await server.ask(.get, validity + "letmein")["valid"]?.bool == true)
            #expect(try await server.ask(.get, validity + "other")["valid"]?.bool == false)
            func register(_ name: String, _ auth: JSONValue) async throws -> Running.Answer {
                try await server.ask(
                    .post, "register", ["username": .string(name), "password": "a long passphrase", "auth": auth])
            }
            #expect(try await register("gina", ["type": "m.login.dummy"]).status == 401)
            let wrong = try await register("gina", ["type": "m.login.registration_token", "token": "other"])
            #expect(wrong.status == 401)
            #expect(wrong.code == "M_UNAUTHORIZED")
            let right: JSONValue = ["type": "m.login.registration_token", "token": "letmein"]
            // Several at once, one use: one account.
            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<4 { group.addTask { try await register("gina\(index)", right).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.filter { $0 == 200 }.count == 1)
            #expect(try await server.ask(.get, validity + "letmein")["valid"]?.bool == false)
        }
    }

    @Test func guestsHaveFewRights() async throws {
        try await AccountsServer().run { server in
            let answer = try await server.ask(
                .post, "register?kind=guest", ["username": "boss", "device_id": "MINE"])
            let token = try #require(answer["access_token"]?.string)
            #expect(answer["device_id"]?.string != "MINE")
            #expect(answer["user_id"]?.string != "@boss:chappe.example")
            #expect(try await server.whoAmI(token)["is_guest"]?.bool == true)
            let refused = try await server.ask(.get, "account/3pid", token: token)
            #expect(refused.code == "M_GUEST_ACCESS_FORBIDDEN")
        }
    }

    @Test func sharedSecretMakesAdministrators() async throws {
        try await AccountsServer(registration: RegistrationPolicy(mode: .closed)).run { server in
            let path = "/_synapse/admin/v1/register"
            func register(_ name: String, secret: String = "reg_secret", nonce: String? = nil) async throws
                -> Running.Answer
            {
                var nonce = nonce
                if nonce == nil { nonce = try await server.ask(.get, path)["nonce"]?.string }
                let text = "\(nonce ?? "")\0\(name)\0a long passphrase\0admin"
                let mac = HMAC<Insecure.SHA1>.authenticationCode(
                    for: Array(text.utf8), using: SymmetricKey(data: Array(secret.utf8)))
                let digits = mac.map { byte in
                    let text = String(byte, radix: 16)
                    return text.utf8.count == 1 ? "0" + text : text
                }
                return try await server.ask(
                    .post, path,
                    [
                        "nonce": .string(nonce ?? ""), "username": .string(name), "password": "a long passphrase",
                        "admin": true, "mac": .string(digits.joined()),
                    ])
            }
            #expect(try await register("ann", secret: "guessed").status == 403)
            let nonce = try #require(try await server.ask(.get, path)["nonce"]?.string)
            let done = try await register("Ann", nonce: nonce)
            #expect(done["user_id"]?.string == "@ann:chappe.example")
            let again = try await register("bert", nonce: nonce)
            #expect(again.status == 400)
            #expect(try await register("us,er").code == "M_INVALID_USERNAME")
            let ann = try #require(UserID("@ann:chappe.example"))
            #expect(try await server.store.read { try $0.accounts.account(ann) }?.flags == .admin)
        }
    }
}
