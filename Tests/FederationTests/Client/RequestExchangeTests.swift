import FederationInbound
import FederationWire
import Homeserver
import Matrix
import Synchronization
import Testing
import Web

@testable import FederationOutbound

/// Real requests and answers: signatures, bounds, failures.
@Suite struct RequestExchangeTests {
    private func failure<Value: Sendable>(
        _ body: () async throws(RemoteServerFailure) -> Value
    ) async -> RemoteServerFailure? {
        do {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    /// What is sent is what was signed, byte for byte, whatever identifiers hold.
    @Test func requestsVerifyAtTheReceiver() async throws {
        try await TestNetwork.run { network in
            let seen = Mutex<[String]>([])
            let router = Router()
            let key = network.signingKey.publicKey
            let name = Mutex(ServerName(trusted: "unset"))
            let check: RequestHandler = { request in
                let field = try #require(request.headers["authorization"])
                let credentials = try XMatrixCredentials(parsing: field)
                var content: [UInt8]?
                if case .bytes(let body) = request.body, !body.isEmpty {
                    content = CanonicalJSON.text(of: try JSON(parsing: body))
                }
                let signed = SignedRequest(
                    method: request.method.rawValue, target: request.target, origin: TestNetwork.here,
                    destination: name.withLock { $0 }, content: content)
                #expect(signed.isSigned(by: credentials, key: key))
                #expect(credentials.destination == name.withLock { $0 })
                seen.withLock { $0.append(request.target) }
                return .json(200, Array(#"{"events":[],"pdus":[],"servers":[],"room_id":"!a:b"}"#.utf8))
            }
            router.add(.get("/{rest...}"), handler: check)
            router.add(.post("/{rest...}"), handler: check)
            network.names.set("a.example", "127.0.0.1")
            let port = try await network.serve(["DNS:a.example"], router)
            let server = ServerName(trusted: "a.example:\(port)")
            name.withLock { $0 = server }
            let client = try network.client()
            var odd = ""
            for byte in 0x20..<0x7F { odd.unicodeScalars.append(Unicode.Scalar(UInt8(byte))) }
            odd += "é%2F..//../\u{1F600}"
            let room = RoomID(trusted: "!\(odd):a.example")
            _ = try await client.backfill(room, from: [EventID(trusted: "$\(odd)")], limit: 1, at: server)
            _ = try await client.missingEvents(
                in: room, before: [EventID(trusted: "$\(odd)")], after: [], limit: 1, minimumDepth: 0, at: server)
            let alias = try #require(RoomAlias("#\(odd.split(separator: ":").joined()):a.example:\(port)"))
            #expect(try await client.resolve(alias)?.room.string == "!a:b")
            #expect(seen.withLock { $0 }.count == 3)
        }
    }

    @Test func hugeAnswersAreCut() async throws {
        try await TestNetwork.run { network in
            let router = Router()
            let sent = Counter()
            router.add(.get("/_matrix/federation/v1/version")) { _ in
                HTTPResponse(
                    headers: ["Content-Type": "application/json"],
                    body: .stream(contentLength: nil) { writer in
                        for _ in 0..<100_000 {
                            try await writer.write([UInt8](repeating: 0x20, count: 10_000))
                            sent.increase()
                        }
                    })
            }
            router.add(.get("/_matrix/federation/v1/event/{id}")) { _ in
                HTTPResponse(
                    headers: ["Content-Type": "application/json"],
                    body: .stream(contentLength: 1 << 40) { writer in try await writer.write([0x20]) })
            }
            network.names.set("a.example", "127.0.0.1")
            let port = try await network.serve(["DNS:a.example"], router)
            let server = ServerName(trusted: "a.example:\(port)")
            let client = try network.client()
            let cut = await failure { () async throws(RemoteServerFailure) in try await client.version(of: server) }
            #expect(cut?.code == .tooLarge)
            #expect(sent.value < 5_000)
            let announced = await failure { () async throws(RemoteServerFailure) in
                try await client.event(EventID(trusted: "$a"), at: server)
            }
            #expect(announced?.code == .tooLarge)
        }
    }

    /// A request with little patience.
    private struct Impatient: FederationRequest {
        var method: FederationMethod { .get }
        var target: RequestTarget { RequestTarget("/slow") }
        var timeoutMilliseconds: Int64 { 400 }
        func decode(_ json: JSON) throws(MalformedAnswer) {}
    }

    @Test func slowAnswersTimeOut() async throws {
        try await TestNetwork.run { network in
            for isHeadSlow in [true, false] {
                let router = Router()
                router.add(.get("/slow")) { _ in
                    if isHeadSlow { try await Task.sleep(for: .seconds(100)) }
                    return HTTPResponse(
                        body: .stream(contentLength: nil) { writer in
                            // Each piece comes in time; all of them never do.
                            while true {
                                try await writer.write([0x20])
                                try await Task.sleep(for: .milliseconds(50))
                            }
                        })
                }
                network.names.set("a.example", "127.0.0.1")
                let port = try await network.serve(["DNS:a.example"], router)
                let client = try network.client()
                let start = ContinuousClock.now
                let slow = await failure { () async throws(RemoteServerFailure) in
                    try await client.send(Impatient(), to: ServerName(trusted: "a.example:\(port)"))
                }
                #expect(slow?.status == 504 && slow?.isAnswer == false)
                #expect(ContinuousClock.now - start < .seconds(90))
            }
        }
    }

    @Test func failuresSayWhatTheServerSaid() async throws {
        try await TestNetwork.run { network in
            let router = Router()
            let answers: [(Int, String, [(String, String)])] = [
                (403, #"{"errcode":"M_FORBIDDEN","error":"no"}"#, []),
                (429, #"{"errcode":"M_LIMIT_EXCEEDED","error":"slow","retry_after_ms":1500}"#, []),
                (429, "{}", [("Retry-After", "7")]), (404, "<html>", []), (500, "", []), (301, "", [("Location", "/")]),
                (400, #"{"errcode":"M_INCOMPATIBLE_ROOM_VERSION","error":"x","room_version":"99"}"#, []),
                (200, "[", []), (200, "{}", []),
            ]
            router.add(.get("/_matrix/federation/v1/event/{number}")) { request in
                let (status, body, headers) = answers[Int(request.pathParameters["number"]?.dropFirst() ?? "") ?? 0]
                return HTTPResponse(status: status, headers: HTTPHeaders(headers), body: .bytes(Array(body.utf8)))
            }
            network.names.set("a.example", "127.0.0.1")
            let port = try await network.serve(["DNS:a.example"], router)
            let client = try network.client()
            var failures: [RemoteServerFailure] = []
            for number in answers.indices {
                let failure = await failure { () async throws(RemoteServerFailure) in
                    try await client.event(
                        EventID(trusted: "$\(number)"), at: ServerName(trusted: "a.example:\(port)"))
                }
                failures.append(try #require(failure))
            }
            #expect(!failures.contains { !$0.isAnswer })
            #expect(failures.map(\.status) == [403, 429, 429, 404, 500, 301, 400, 502, 502])
            #expect(failures.map(\.isDefinite) == [true, false, false, true, false, false, true, false, false])
            #expect(failures[0].code == .forbidden && failures[0].message == "no")
            #expect(failures[1].retryAfterMilliseconds == 1_500 && failures[2].retryAfterMilliseconds == 7_000)
            #expect(failures.map(\.isUnrecognized) == [false, false, false, true, false, false, false, false, false])
            #expect(failures[6].roomVersion == "99")
        }
    }

    @Test func olderOperationsAreTriedWhereNewOnesAreUnknown() async throws {
        try await TestNetwork.run { network in
            let router = Router()
            router.add(.put("/_matrix/federation/v1/send_join/{room}/{event}")) { _ in
                .json(200, Array(#"[200,{"state":[{"a":1}],"auth_chain":[]}]"#.utf8))
            }
            network.names.set("a.example", "127.0.0.1")
            let port = try await network.serve(["DNS:a.example"], router)
            let text = """
                {"room_id":"!r:x","type":"m.room.member","state_key":"@a:x","sender":"@a:x","content":{},"depth":1,\
                "origin_server_ts":1,"prev_events":[],"auth_events":[],"hashes":{"sha256":"aaaa"},"signatures":{}}
                """
            let event = try Event(parsing: Array(text.utf8), version: .v10)
            let join = try await network.client().sendJoin(
                event, omitsMembers: true, at: ServerName(trusted: "a.example:\(port)"))
            #expect(join.state == [Array(#"{"a":1}"#.utf8)] && !join.membersOmitted)
        }
    }

    @Test func whoIsDownIsLeftAloneForAWhile() async throws {
        try await TestNetwork.run { network in
            let client = try network.client()
            let down = ServerName(trusted: "127.0.0.9:1")
            let reached = Mutex<[ServerName]>([])
            client.whenReachable { server in reached.withLock { $0.append(server) } }
            var messages: [String] = []
            for _ in 0..<4 {
                let failure = await failure { () async throws(RemoteServerFailure) in
                    try await client.version(of: down)
                }
                messages.append(failure?.message ?? "")
            }
            #expect(messages[0].contains("cannot be reached") && messages[1].contains("cannot be reached"))
            #expect(messages[2].contains("lately") && messages[3].contains("lately"))
            #expect(client.seemsDown(down))
            // Who waits for an invitation is not told of earlier failures.
            let user = try #require(UserID("@a:here.example"))
            let leaving = await failure { () async throws(RemoteServerFailure) in
                _ = try await client.makeMembership(
                    .leave, of: user, in: RoomID(trusted: "!r:down.example"), versions: [],
                    at: down)
            }
            #expect(leaving?.message.contains("cannot be reached") == true)
            // The sender has a schedule of its own.
            let transaction = FederationTransaction(origin: TestNetwork.here, originServerTS: 1, pdus: [], edus: [])
            let sent = await failure { () async throws(RemoteServerFailure) in
                try await client.send(transaction, id: "1", to: down)
            }
            #expect(sent?.message.contains("cannot be reached") == true)
            network.clock.advance(milliseconds: 60_000)
            let later = await failure { () async throws(RemoteServerFailure) in try await client.version(of: down) }
            #expect(later?.message.contains("cannot be reached") == true)
            // A request of theirs shows that they are back.
            client.noteReachable(down)
            #expect(network.health.mayAsk(down))
            #expect(reached.withLock { $0 } == [down])
        }
    }

    @Test func proxiesAnswersAreNoSignOfLife() async throws {
        try await TestNetwork.run { network in
            let router = Router()
            let status = Counter()
            router.add(.get("/_matrix/federation/v1/version")) { _ in
                status.increase()
                return HTTPResponse(status: status.value < 4 ? 502 : 200, body: .bytes(Array("{}".utf8)))
            }
            network.names.set("a.example", "127.0.0.1")
            let port = try await network.serve(["DNS:a.example"], router)
            let server = ServerName(trusted: "a.example:\(port)")
            let client = try network.client()
            let reached = Counter()
            client.whenReachable { _ in reached.increase() }
            for _ in 0..<3 {
                #expect(
                    await failure { () async throws(RemoteServerFailure) in try await client.version(of: server) }
                        != nil)
            }
            #expect(status.value == 2 && reached.value == 0)
            network.clock.advance(milliseconds: 3_600_000)
            _ = await failure { () async throws(RemoteServerFailure) in try await client.version(of: server) }
            network.clock.advance(milliseconds: 3_600_000)
            _ = try await client.version(of: server)
            #expect(reached.value == 1)
        }
    }

    @Test func thePolicyHoldsForRequestsToo() async throws {
        try await TestNetwork.run { network in
            let server = try await network.serveVersion("a.example")
            let pattern = try #require(ServerPattern("a.example"))
            let client = try network.client(policy: FederationPolicy(mode: .open, denied: [pattern]))
            let refused = await failure { () async throws(RemoteServerFailure) in try await client.version(of: server) }
            #expect(refused?.status == 403 && refused?.isAnswer == false)
            #expect(network.names.asked.isEmpty)
        }
    }
}
