import Homeserver
import Matrix
import Store
import Testing
import Web

/// Mail addresses and time: what an hour does cannot be waited for.
@Suite struct AddressTests {
    private static let hour: Int64 = 3_600_000

    private func request(
        _ server: Running, _ purpose: String, attempt: Int64 = 1, address: String = "alice@example.org"
    ) async throws -> Running.Answer {
        try await server.ask(
            .post, "\(purpose)/email/requestToken",
            ["email": .string(address), "client_secret": "secret", "send_attempt": .integer(attempt)])
    }

    private func proof(_ answer: Running.Answer) throws -> JSONValue {
        ["sid": .string(try #require(answer["sid"]?.string)), "client_secret": "secret"]
    }

    /// Opens a link; whether that was accepted.
    private func open(_ server: Running, _ link: String?, _ method: HTTPMethod = .get) async throws -> Bool {
        let response = await server.router.respond(method, try #require(link))
        return response.status == 200
    }

    private func add(_ proof: JSONValue, to alice: Running.Person, _ server: Running) async throws -> Running.Answer {
        var body = proof
        body["auth"] = server.auth(alice)
        return try await server.ask(.post, "account/3pid/add", body, token: alice.token)
    }

    @Test func aLinkIsGoodForAnHour() async throws {
        try await AccountsServer().run { server in
            let sid = try #require(try await request(server, "account/3pid")["sid"]?.string)
            server.clock.advance(milliseconds: Self.hour)
            #expect(try await open(server, server.mail.link) == false)
            // What has expired is as if it had never been.
            let again = try await request(server, "account/3pid")
            #expect(again["sid"]?.string != sid)
            #expect(server.mail.mails.count == 2)
            server.clock.advance(milliseconds: Self.hour - 1)
            #expect(try await open(server, server.mail.link))
        }
    }

    @Test func aProofIsGoodForAnHourMore() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            let first = try proof(try await request(server, "account/3pid"))
            server.clock.advance(milliseconds: Self.hour - 1)
            #expect(try await open(server, server.mail.link))
            server.clock.advance(milliseconds: Self.hour)
            let late = try await add(first, to: alice, server)
            #expect(late.status == 403)
            #expect(late.code == "M_THREEPID_AUTH_FAILED")

            let second = try proof(try await request(server, "account/3pid"))
            #expect(try await open(server, server.mail.link))
            server.clock.advance(milliseconds: Self.hour - 1)
            // Opened again it lasts no longer.
            #expect(try await open(server, server.mail.link))
            #expect(try await add(second, to: alice, server).status == 200)
            let now = server.clock.now
            let entry = try await server.ask(.get, "account/3pid", token: alice.token)["threepids"]?.elements.first {
                _ in true
            }
            #expect(entry?["validated_at"]?.int == now - Self.hour + 1)
            #expect(entry?["added_at"]?.int == now)
        }
    }

    @Test func mailsAreCountedByTheHourOnAllNodes() async throws {
        var fixture = AccountsServer()
        fixture.mailLimits.mailsToAnAddress = 2
        fixture.mailLimits.addresses = 2
        try await fixture.runTwoNodes { one, two in
            #expect(try await request(one, "account/3pid", attempt: 1).status == 200)
            #expect(try await request(two, "account/3pid", attempt: 2).status == 200)
            let refused = try await request(one, "account/3pid", attempt: 3)
            #expect(refused.status == 429)
            #expect(refused["retry_after_ms"]?.int == Self.hour)
            #expect(try await request(one, "account/3pid", address: "b@example.org").status == 200)
            #expect(try await request(two, "account/3pid", address: "c@example.org").status == 429)
            one.clock.advance(milliseconds: Self.hour)
            #expect(try await request(two, "account/3pid", address: "c@example.org").status == 200)
            #expect(try await request(one, "account/3pid", attempt: 3).status == 200)
        }
    }

    @Test func aMailThatCannotBeSentChangesNothing() async throws {
        var fixture = AccountsServer()
        fixture.mailLimits.mailsToAnAddress = 2
        try await fixture.run { server in
            let alice = try await server.register("alice")
            let sent = try proof(try await request(server, "account/3pid"))
            let link = server.mail.link
            server.mail.isFailing = true
            for _ in 0..<3 { #expect(try await request(server, "account/3pid", attempt: 2).status == 503) }
            server.mail.isFailing = false
            #expect(try await open(server, link))
            #expect(try await add(sent, to: alice, server).status == 200)
        }
    }

    @Test func aSessionThatIsInterruptedKeepsItsProof() async throws {
        var fixture = AccountsServer()
        fixture.registration.offersMail = true
        fixture.registration.terms = ["policies": [:]]
        try await fixture.runTwoNodes { one, two in
            let body: JSONValue = ["username": "alice", "password": .string(Running.password)]
            let challenge = try await one.ask(.post, "register", body)
            let flows = challenge["flows"]?.elements.map { flow in
                flow["stages"]?.elements.compactMap { $0.string } ?? []
            }
            #expect(
                flows.map { Array($0) } == [
                    ["m.login.terms", "m.login.dummy"], ["m.login.terms", "m.login.email.identity"],
                ])
            let session = JSONValue.string(try #require(challenge["session"]?.string))
            let shown = try proof(try await request(one, "register"))
            #expect(try await open(two, one.mail.link))
            func answer(_ server: Running, _ type: String) async throws -> Running.Answer {
                var asked = body
                asked["auth"] = ["type": .string(type), "session": session, "threepid_creds": shown]
                return try await server.ask(.post, "register", asked)
            }
            let half = try await answer(one, "m.login.email.identity")
            #expect(half.status == 401)
            #expect(half["completed"]?.elements.compactMap { $0.string } == ["m.login.email.identity"])
            let whole = try await answer(two, "m.login.terms")
            #expect(whole.status == 200)
            let token = try #require(whole["access_token"]?.string)
            let addresses = try await one.ask(.get, "account/3pid", token: token)["threepids"]
            #expect(addresses?.elements.compactMap { $0["address"]?.string } == ["alice@example.org"])
        }
    }

    @Test func anAccountHasABoundedNumberOfAddresses() async throws {
        try await AccountsServer().run { server in
            let alice = try await server.register("alice")
            for number in 0...20 {
                let shown = try proof(try await request(server, "account/3pid", address: "a\(number)@example.org"))
                #expect(try await open(server, server.mail.link))
                let answer = try await server.ask(
                    .post, "account/3pid", ["three_pid_creds": shown], token: alice.token)
                #expect(answer.status == (number < 20 ? 200 : 403))
            }
        }
    }

    @Test func guestsHaveNoAddresses() async throws {
        try await AccountsServer().run { server in
            let guest = try await server.ask(.post, "register?kind=guest", [:])
            let token = try #require(guest["access_token"]?.string)
            let shown = try proof(try await request(server, "account/3pid"))
            let body: JSONValue = ["three_pid_creds": shown]
            #expect(try await server.ask(.post, "account/3pid", body, token: token).code == "M_GUEST_ACCESS_FORBIDDEN")
            let change: JSONValue = ["new_password": .string(Running.password)]
            #expect(
                try await server.ask(.post, "account/password", change, token: token).code == "M_GUEST_ACCESS_FORBIDDEN"
            )
        }
    }
}
