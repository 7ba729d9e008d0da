import FederationInbound
import FederationWire
import Homeserver
import Matrix
import Testing
import Web

/// Endpoints that only servers may use.
@Suite struct AuthenticationTests {
    private static let here = ServerName(trusted: "here.example")
    private static let there = ServerName(trusted: "there.example")

    /// Says who asks.
    private struct Echo: Endpoint {
        static let routes: [Route] = [
            .put("/_matrix/federation/v1/echo/{rest}"), .get("/_matrix/federation/v1/echo/{rest}"),
        ]
        static let authentication: Authentication<RemoteServer> = .server
        static let rateLimit: RateLimitClass = .federation

        struct Request: RequestDecodable {
            init(from input: RequestInput) throws {}
        }

        func handle(_ request: Request, caller: RemoteServer) async throws -> JSONValue {
            ["server": .string(caller.name.string)]
        }
    }

    private struct Keys: ServerKeys {
        let known: [ServerName: [SigningKeyID: VerifyKey]]
        let asked = Counter()
        func keys(_ wanted: [ServerName: [SigningKeyID: Int64?]]) async -> [ServerName: [SigningKeyID: VerifyKey]] {
            asked.increase()
            return known.filter { wanted[$0.key] != nil }
        }
    }

    private struct Nobody: Authenticator {
        func authenticate(accessToken: String, masquerade: Masquerade?, for request: HTTPRequest) async throws -> Caller
        {
            throw MatrixError.missingToken
        }
    }

    private let key: SigningKey
    private let second: SigningKey
    private let keys: Keys
    private let reached = Counter()

    init() throws {
        key = try #require(SigningKey(seed: [UInt8](repeating: 1, count: 32), version: "one"))
        second = try #require(SigningKey(seed: [UInt8](repeating: 2, count: 32), version: "two"))
        let own = [key.keyID: key.publicKey, second.keyID: second.publicKey]
        keys = Keys(known: [Self.there: own, Self.here: own])
    }

    private func router(_ policy: FederationPolicy = FederationPolicy(mode: .open)) -> Router {
        let router = Router()
        router.add(
            Echo(),
            in: EndpointEnvironment(
                authenticator: Nobody(),
                rateLimiter: RateLimiter(
                    RateLimits(classes: [.federation: RateLimits.Limit(perSecond: 1, burst: 3)])
                ) { 0 },
                servers: RequestAuthenticator(
                    serverName: Self.here, keys: keys, policy: policy, clock: TestClock(),
                    whenAuthenticated: { [reached] _ in reached.increase() })))
        return router
    }

    private func field(
        _ target: String, _ body: String?, method: String = "PUT", origin: ServerName = there,
        destination: ServerName = here, key: SigningKey? = nil
    ) throws -> String {
        let signed = SignedRequest(
            method: method, target: target, origin: origin, destination: destination,
            content: try body.map { CanonicalJSON.text(of: try JSON(parsing: $0)) })
        return try signed.sign(with: key ?? self.key).field
    }

    private func ask(
        _ router: Router, _ target: String, _ fields: [String], _ body: String = "", method: HTTPMethod = .put
    ) async throws -> (status: Int, code: String?, server: String?) {
        let response = await router.respond(
            method, target, headers: HTTPHeaders(fields.map { ("Authorization", $0) }), body: .bytes(Array(body.utf8)))
        guard case .bytes(let bytes) = response.body else { return (response.status, nil, nil) }
        let json = try JSON(parsing: bytes)
        return (response.status, json["errcode"]?.string, json["server"]?.string)
    }

    private let target = "/_matrix/federation/v1/echo/a%2Fb?x=%C3%A9+y&&z"

    @Test func signedRequestsAreServed() async throws {
        let body = #"{ "b": 1, "a": "é" }"#
        let answer = try await ask(router(), target, [try field(target, body)], body)
        #expect(answer.status == 200 && answer.server == "there.example")
        let get = try await ask(router(), target, [try field(target, nil, method: "GET")], method: .get)
        #expect(get.status == 200)
        // Fields of other schemes do not matter.
        let both = try await ask(router(), target, ["Bearer x", try field(target, body)], body)
        #expect(both.status == 200)
        #expect(reached.value == 3)
    }

    @Test func whatWasNotSignedIsRefused() async throws {
        let body = #"{"a":1}"#
        let good = try field(target, body)
        let refused: [(String, [String], String)] = [
            (target, [], body), (target, ["Bearer x"], body), (target, ["X-Matrix nonsense"], body),
            (target, [good], #"{"a":2}"#), (target, [good], ""), (target + "x", [good], body),
            (target, [try field(target, body, method: "POST")], body),
            (target, [try field(target, body, destination: ServerName(trusted: "third.example"))], body),
            (target, [try field(target, body, origin: Self.here)], body),
            (target, [try field(target, body, origin: ServerName(trusted: "unknown.example"))], body),
            (
                target,
                [try field(target, body, key: SigningKey(seed: [UInt8](repeating: 9, count: 32), version: "one"))], body
            ),
            (
                target,
                [try field(target, body, key: SigningKey(seed: [UInt8](repeating: 9, count: 32), version: "x"))], body
            ),
        ]
        for (target, fields, body) in refused {
            let answer = try await ask(router(), target, fields, body)
            #expect(answer.status == 401 && answer.code == "M_UNAUTHORIZED")
        }
        let name = try field(target, body, origin: ServerName(trusted: "there.example:http"))
        let nobody = try await ask(router(), target, [name], body)
        #expect(nobody.status == 400 && nobody.code == "M_INVALID_PARAM")
        #expect(reached.value == 0)
        let notJSON = try await ask(router(), target, [good], "{")
        #expect(notJSON.status == 400 && notJSON.code == "M_NOT_JSON")
    }

    @Test func ofSeveralSignaturesAllMustBeGood() async throws {
        let one = try field(target, "{}")
        let two = try field(target, "{}", key: second)
        #expect(try await ask(router(), target, [one, two], "{}").status == 200)
        let wrong = try field(target, #"{"a":1}"#, key: second)
        #expect(try await ask(router(), target, [one, wrong], "{}").status == 401)
        let other = try field(target, "{}", origin: ServerName(trusted: "third.example"), key: second)
        #expect(try await ask(router(), target, [one, other], "{}").status == 401)
        #expect(try await ask(router(), target, [one, one, one, one, one], "{}").status == 401)
    }

    @Test func thePolicyIsAskedFirst() async throws {
        let denied = FederationPolicy(mode: .open, denied: [try #require(ServerPattern("*.example"))])
        let answer = try await ask(router(denied), target, [try field(target, "{}")], "{}")
        #expect(answer.status == 403 && answer.code == "M_FORBIDDEN")
        #expect(keys.asked.value == 0)
        let closed = FederationPolicy(mode: .closed, allowed: [try #require(ServerPattern("there.example"))])
        #expect(try await ask(router(closed), target, [try field(target, "{}")], "{}").status == 200)
    }

    @Test func serversAreCountedByName() async throws {
        let router = router()
        var statuses: [Int] = []
        for _ in 0..<4 { statuses.append(try await ask(router, target, [try field(target, "{}")], "{}").status) }
        #expect(statuses == [200, 200, 200, 429])
    }

    @Test func whereNoServersAreServedThereIsNothing() async throws {
        let router = Router()
        router.add(
            Echo(),
            in: EndpointEnvironment(
                authenticator: Nobody(), rateLimiter: RateLimiter(RateLimits(isEnabled: false)) { 0 }))
        #expect(try await ask(router, target, [try field(target, "{}")], "{}").status == 404)
    }
}
