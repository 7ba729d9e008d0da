import Matrix
import TestSupport
import Testing

@testable import Web

/// Knows three tokens.
private struct KnownTokens: Authenticator {
    func authenticate(accessToken: String, masquerade: Masquerade?, for request: HTTPRequest) async throws -> Caller {
        guard let user = UserID("@\(accessToken):example.org") else { throw MatrixError.unknownToken() }
        switch accessToken {
        case "alice": return Caller(userID: user, userNumber: 1, deviceID: DeviceID("PHONE"))
        case "guest": return Caller(userID: user, userNumber: 2, isGuest: true)
        case "admin": return Caller(userID: user, userNumber: 3, isAdministrator: true)
        case "service":
            guard let asserted = masquerade?.userID else { return Caller(userID: user, userNumber: 4) }
            guard let acted = UserID(asserted) else { throw MatrixError.forbidden("Not one of this service's users") }
            return Caller(userID: acted, userNumber: 5, appServiceID: "bridge", isExemptFromRateLimits: true)
        default: throw MatrixError.unknownToken()
        }
    }
}

private enum Direction: String, Sendable { case forwards = "f", backwards = "b" }

private struct SetTyping: Endpoint {
    static let routes: [Route] = .client(.put, "/rooms/{roomId}/typing/{userId}")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .message

    struct Request: RequestDecodable {
        let roomID: RoomID
        let userID: UserID
        let isTyping: Bool
        let timeoutMilliseconds: Int64?
        let tags: [String]
        let direction: Direction?

        init(from input: RequestInput) throws {
            roomID = try input.path("roomId")
            userID = try input.path("userId")
            isTyping = try input.body.required("typing", as: .bool)
            timeoutMilliseconds = try input.body.optional("timeout", as: .int)
            tags = try input.body.optional("tags", as: .array(of: .string), default: [])
            direction = try input.query("dir", as: .choice)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        guard request.userID == caller.userID else { throw MatrixError.forbidden("You can only type yourself") }
        return [
            "room": .string(request.roomID.string), "typing": .bool(request.isTyping),
            "timeout": .integer(request.timeoutMilliseconds ?? -1), "tags": .integer(Int64(request.tags.count)),
        ]
    }
}

private struct WhoAmI<Identity: Sendable>: Sendable {
    struct Request: RequestDecodable {
        init(from input: RequestInput) throws { _ = try input.bodyOrEmpty }
    }
}

private struct Optionally: Endpoint {
    static let routes: [Route] = [.get("/optional"), .post("/optional")]
    static let authentication: Authentication<Caller?> = .optional
    static let rateLimit = RateLimitClass.none
    typealias Request = WhoAmI<Caller?>.Request
    func handle(_ request: Request, caller: Caller?) async throws -> JSONValue {
        ["user": .string(caller?.userID.string ?? "nobody")]
    }
}

private struct ForGuests: Endpoint {
    static let routes: [Route] = [.get("/guests")]
    static let authentication: Authentication<Caller> = .allowingGuests
    typealias Request = WhoAmI<Caller>.Request
    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse { EmptyResponse() }
}

private struct ForAdministrators: Endpoint {
    static let routes: [Route] = [.get("/administrators")]
    static let authentication: Authentication<Caller> = .administrator
    typealias Request = WhoAmI<Caller>.Request
    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse { EmptyResponse() }
}

private struct SignIn: Endpoint {
    static let routes: [Route] = .client(.post, "/login")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .login
    typealias Request = WhoAmI<Anonymous>.Request
    func handle(_ request: Request, caller: Anonymous) async throws -> EmptyResponse { EmptyResponse() }
}

private struct DiskFull: UnavailabilityError {
    let retryAfterSeconds = 7
}
private struct Unforeseen: Error { let secret = "hunter2" }
private struct Foreseen: Error {}

@Suite struct EndpointTests {
    private let typing = "/_matrix/client/v3/rooms/!r:example.org/typing/@alice:example.org"

    private func run(
        limits: RateLimits = RateLimits(isEnabled: false), now: Counter = Counter(),
        _ body: (TestHTTPClient) async throws -> Void
    ) async throws {
        let limiter = RateLimiter(limits) { Int64(now.value) * 1_000_000 }
        let environment = EndpointEnvironment(authenticator: KnownTokens(), rateLimiter: limiter)
        let errors = ErrorRenderer { error in
            error is Foreseen ? MatrixError(409, .roomInUse, "There is one already") : nil
        }
        try await ServerFixture.run(
            errors: errors,
            routes: { router in
                router.add(SetTyping(), in: environment)
                router.add(Optionally(), in: environment)
                router.add(ForGuests(), in: environment)
                router.add(ForAdministrators(), in: environment)
                router.add(SignIn(), in: environment)
                router.add(.get("/full")) { _ in throw DiskFull() }
                router.add(.get("/unforeseen")) { _ in throw Unforeseen() }
                router.add(.get("/foreseen")) { _ in throw Foreseen() }
            }
        ) { try await body($0.client) }
    }

    @Test func decodesHandlesAndEncodes() async throws {
        try await run { client in
            var client = client
            client.accessToken = "alice"
            let response = try await client.request(
                "PUT", typing + "?dir=f",
                json: ["typing": true, "timeout": 30_000, "tags": ["a", "b"], "other": .null])
            #expect(response.status == 200)
            #expect(response.text == #"{"room":"!r:example.org","typing":true,"timeout":30000,"tags":2}"#)
            let old = try await client.request(
                "PUT", typing.replacing("v3", with: "r0"), json: ["typing": false, "timeout": .null])
            #expect(old.json["timeout"]?.int == -1)
        }
    }

    @Test(arguments: [
        ("", 400, "M_NOT_JSON"), ("{", 400, "M_NOT_JSON"), (#"{"typing":true,"typing":true}"#, 400, "M_NOT_JSON"),
        ("[]", 400, "M_BAD_JSON"), ("true", 400, "M_BAD_JSON"), ("{}", 400, "M_MISSING_PARAM"),
        (#"{"typing":"yes"}"#, 400, "M_BAD_JSON"), (#"{"typing":null}"#, 400, "M_BAD_JSON"),
        (#"{"typing":true,"timeout":1.5}"#, 400, "M_BAD_JSON"), (#"{"typing":true,"tags":[1]}"#, 400, "M_BAD_JSON"),
        (#"{"typing":true,"tags":"x"}"#, 400, "M_BAD_JSON"),
    ])
    func bodiesThatAreWrong(body: String, status: Int, errcode: String) async throws {
        try await run { client in
            var client = client
            client.accessToken = "alice"
            let response = try await client.request("PUT", typing, body: Array(body.utf8))
            #expect(response.status == status)
            #expect(response.errcode == errcode)
        }
    }

    @Test(arguments: [
        "/_matrix/client/v3/rooms/r/typing/@alice:example.org", "/_matrix/client/v3/rooms/!r:example.org/typing/alice",
        "/_matrix/client/v3/rooms/!r:example.org/typing/@alice:example.org?dir=x",
        "/_matrix/client/v3/rooms/%00/typing/@alice:example.org",
    ])
    func pathsAndQueriesThatAreWrong(target: String) async throws {
        try await run { client in
            var client = client
            client.accessToken = "alice"
            let response = try await client.request("PUT", target, json: ["typing": true])
            #expect(response.status == 400)
            #expect(response.errcode == "M_INVALID_PARAM")
        }
    }

    @Test func tokens() async throws {
        try await run { client in
            func ask(_ target: String, _ authorization: String? = nil) async throws -> (Int, String) {
                let headers = authorization.map { [("Authorization", $0)] } ?? []
                let response = try await client.request("GET", target, headers: headers, body: nil)
                return (response.status, response.errcode ?? response.json["user"]?.string ?? "")
            }
            #expect(try await ask("/guests") == (401, "M_MISSING_TOKEN"))
            #expect(try await ask("/guests", "Bearer nobody") == (401, "M_UNKNOWN_TOKEN"))
            #expect(try await ask("/guests", "Basic alice") == (401, "M_MISSING_TOKEN"))
            #expect(try await ask("/guests", "Bearer ") == (401, "M_MISSING_TOKEN"))
            #expect(try await ask("/guests", "Bearer guest") == (200, ""))
            #expect(try await ask("/guests", "bEARER  guest") == (200, ""))
            #expect(try await ask("/guests?access_token=guest") == (200, ""))
            #expect(try await ask("/administrators", "Bearer alice") == (403, "M_FORBIDDEN"))
            #expect(try await ask("/administrators", "Bearer admin") == (200, ""))
            #expect(try await ask("/optional") == (200, "nobody"))
            #expect(try await ask("/optional", "Bearer alice") == (200, "@alice:example.org"))
            #expect(try await ask("/optional", "Bearer nobody") == (401, "M_UNKNOWN_TOKEN"))
            #expect(
                try await ask("/optional?user_id=%40bot%3Aexample.org", "Bearer service") == (200, "@bot:example.org"))
            #expect(
                try await ask("/optional?user_id=%40bot%3Aexample.org", "Bearer alice") == (200, "@alice:example.org"))
            let guest = try await client.request(
                "PUT", typing, headers: [("Authorization", "Bearer guest")], json: ["typing": true])
            #expect(guest.status == 403)
            #expect(guest.errcode == "M_GUEST_ACCESS_FORBIDDEN")
        }
    }

    @Test func emptyBodiesAreFineWhereAllFieldsAreOptional() async throws {
        try await run { client in
            let empty = try await client.request("POST", "/optional", body: [])
            #expect(empty.status == 200)
            let array = try await client.request("POST", "/optional", body: Array("[]".utf8))
            #expect(array.errcode == "M_BAD_JSON")
        }
    }

    @Test func errors() async throws {
        try await run { client in
            let full = try await client.request("GET", "/full", body: nil)
            #expect(full.status == 503)
            #expect(full.errcode == "M_UNKNOWN")
            #expect(full.header("retry-after") == "7")
            let unforeseen = try await client.request("GET", "/unforeseen", body: nil)
            #expect(unforeseen.status == 500)
            #expect(unforeseen.errcode == "M_UNKNOWN")
            #expect(!unforeseen.text.contains("hunter2"))
            #expect(!unforeseen.text.contains("Unforeseen"))
            let foreseen = try await client.request("GET", "/foreseen", body: nil)
            #expect(foreseen.status == 409)
            #expect(foreseen.errcode == "M_ROOM_IN_USE")
        }
    }

    @Test func limitsAnswer429AndLetInWhoWaits() async throws {
        let now = Counter()
        let limits = RateLimits(classes: [.login: .init(perSecond: 0.5, burst: 2)])
        try await run(limits: limits, now: now) { client in
            let login = "/_matrix/client/v3/login"
            for _ in 0..<2 {
                let admitted = try await client.request("POST", login, body: [])
                #expect(admitted.status == 200)
            }
            let refused = try await client.request("POST", login, body: [])
            #expect(refused.status == 429)
            #expect(refused.errcode == "M_LIMIT_EXCEEDED")
            #expect(refused.json["retry_after_ms"]?.int == 2_000)
            #expect(refused.header("retry-after") == "2")
            // Another client behind the same trusted proxy has a bucket of its own.
            let other = try await client.request(
                "POST", login, headers: [("X-Forwarded-For", "203.0.113.9")], body: [])
            #expect(other.status == 200)
            now.increment(by: 1_999)
            #expect(try await client.request("POST", login, body: []).status == 429)
            now.increment(by: 1)
            #expect(try await client.request("POST", login, body: []).status == 200)
            #expect(try await client.request("POST", login, body: []).status == 429)
        }
    }
}

@Suite struct RateLimiterTests {
    private let limits = RateLimits(classes: [
        .message: .init(perSecond: 10, burst: 5), .join: .init(perSecond: 0, burst: 1),
    ])

    private func admitted(_ limiter: RateLimiter, _ subject: RateLimiter.Subject, _ limit: RateLimitClass) -> Bool {
        do {
            try limiter.admit(subject, as: limit)
            return true
        } catch {
            return false
        }
    }

    @Test func aBucketHoldsItsBurstAndFillsAtItsRate() {
        let now = Counter()
        let limiter = RateLimiter(limits) { Int64(now.value) * 1_000_000 }
        #expect((0..<10).map { _ in admitted(limiter, .user(1), .message) }.count { $0 } == 5)
        #expect(admitted(limiter, .user(2), .message))
        now.increment(by: 300)
        #expect((0..<10).map { _ in admitted(limiter, .user(1), .message) }.count { $0 } == 3)
        now.increment(by: 3_600_000)
        #expect((0..<10).map { _ in admitted(limiter, .user(1), .message) }.count { $0 } == 5)
        // Over a long time it is the rate that counts, however the requests are spread.
        let passed = (0..<1_000).map { _ in
            now.increment(by: 37)
            return admitted(limiter, .user(1), .message)
        }.count { $0 }
        #expect((369...371).contains(passed))
    }

    @Test func aRateOfZeroNeverFillsUp() {
        let now = Counter()
        let limiter = RateLimiter(limits) { Int64(now.value) * 1_000_000 }
        #expect(admitted(limiter, .user(1), .join))
        now.increment(by: 1_000_000_000)
        #expect(!admitted(limiter, .user(1), .join))
    }

    @Test func otherLimitsHoldAtOnce() {
        let limiter = RateLimiter(RateLimits(classes: [.message: .init(perSecond: 1, burst: 100)])) { 0 }
        #expect((0..<50).allSatisfy { _ in admitted(limiter, .user(1), .message) })
        limiter.replace(by: RateLimits(classes: [.message: .init(perSecond: 1, burst: 10)]))
        #expect(!admitted(limiter, .user(1), .message) && admitted(limiter, .user(2), .message))
        limiter.replace(by: RateLimits(isEnabled: false))
        #expect(admitted(limiter, .user(1), .message))
    }

    @Test func theNumberOfBucketsIsBounded() {
        let limiter = RateLimiter(limits, maximumBuckets: 100) { 0 }
        for user in 0..<10_000 { _ = admitted(limiter, .user(Int64(user)), .message) }
        #expect(limiter.bucketCount <= 100)
        #expect(limiter.bucketCount > 50)
    }

    @Test func ipv6NetworksAreOneSubject() {
        #expect(RateLimiter.subject(address: "2001:db8::1") == RateLimiter.subject(address: "2001:db8::ffff:2"))
        #expect(RateLimiter.subject(address: "2001:db8::1") != RateLimiter.subject(address: "2001:db8:0:1::1"))
        #expect(RateLimiter.subject(address: "192.0.2.1") != RateLimiter.subject(address: "192.0.2.2"))
        #expect(RateLimiter.subject(address: "192.0.2.1") == RateLimiter.subject(address: "::ffff:192.0.2.1"))
    }
}
