import Matrix
import Testing

@testable import Web

@Suite struct RoutingTests {
    private func router(_ routes: [Route]) -> Router {
        let router = Router()
        for route in routes {
            router.add(route) { request in
                .text(200, "\(route.method.rawValue) \(route.pattern) " + (request.pathParameters["a"] ?? "-"))
            }
        }
        return router
    }

    private func answer(_ router: Router, _ method: HTTPMethod, _ target: String) async -> String {
        let response = await router.respond(method, target)
        guard case .bytes(let bytes) = response.body else { return "\(response.status)" }
        if response.status == 200 { return String(decoding: bytes, as: UTF8.self) }
        return "\(response.status) \((try? JSON(parsing: bytes))?["errcode"]?.string ?? "?")"
    }

    @Test func staticSegmentsComeBeforeParameters() async {
        let router = router([.get("/x/{a}"), .get("/x/y"), .get("/x/{a}/z"), .get("/x/y/w"), .get("/rest/{a...}")])
        #expect(await answer(router, .get, "/x/y") == "GET /x/y -")
        #expect(await answer(router, .get, "/x/q") == "GET /x/{a} q")
        // The written-out branch leads nowhere, so the parameter is tried after it.
        #expect(await answer(router, .get, "/x/y/z") == "GET /x/{a}/z y")
        #expect(await answer(router, .get, "/rest/1/2%2F3") == "GET /rest/{a...} 1/2/3")
    }

    @Test func parametersAreDecodedAfterSplitting() async {
        let router = router([.get("/rooms/{a}"), .get("/rooms/{a}/x")])
        #expect(await answer(router, .get, "/rooms/!a%2Fb:c%20d%C3%A9") == "GET /rooms/{a} !a/b:c dé")
        #expect(await answer(router, .get, "/r%6Foms/1+1") == "GET /rooms/{a} 1+1")
    }

    @Test(arguments: [
        "/rooms/%", "/rooms/%4", "/rooms/%zz", "/rooms/%ff", "/rooms/%C3", "/rooms/x?a=%ff", "/rooms/x?%",
    ])
    func brokenEscapesAreInvalidParameters(target: String) async {
        #expect(await answer(router([.get("/rooms/{a}")]), .get, target) == "400 M_INVALID_PARAM")
    }

    @Test func unknownPathsAndMethods() async {
        let router = router([.get("/x/{a}"), .put("/x/{a}/z")])
        #expect(await answer(router, .get, "/") == "404 M_UNRECOGNIZED")
        #expect(await answer(router, .get, "/x") == "404 M_UNRECOGNIZED")
        #expect(await answer(router, .post, "/x/1") == "405 M_UNRECOGNIZED")
        #expect(await answer(router, .get, "/x/1/z") == "405 M_UNRECOGNIZED")
        #expect(await answer(router, .head, "/x/1") == "GET /x/{a} 1")
        #expect(await router.respond(.options, "/anything").status == 204)
        #expect(await answer(router, .get, "/" + String(repeating: "a/", count: 5_000)) == "404 M_UNRECOGNIZED")
    }

    @Test func anEmptyLastSegmentIsAnEmptyParameter() async {
        let router = router([.get("/state/{type}/{a}"), .get("/state/{type}")])
        #expect(await answer(router, .get, "/state/m.room.topic/") == "GET /state/{type}/{a} ")
        #expect(await answer(router, .get, "/state/m.room.topic") == "GET /state/{type} -")
        #expect(await answer(router, .get, "/state//x") == "404 M_UNRECOGNIZED")
    }

    @Test func absoluteTargets() async {
        let router = router([.get("/x/{a}")])
        #expect(await answer(router, .get, "http://example.org:80/x/1") == "GET /x/{a} 1")
        #expect(await answer(router, .get, "http://example.org") == "404 M_UNRECOGNIZED")
        #expect(await answer(router, .get, "*") == "404 M_UNRECOGNIZED")
    }

    @Test func queriesKeepRepeatedNames() throws {
        let query = try #require(QueryItems(parsing: Array("a=1&b=x+y%26z&a=2&flag&=v&".utf8)))
        #expect(query.all("a") == ["1", "2"])
        #expect(query["b"] == "x y&z")
        #expect(query["flag"] == "")
        #expect(query["missing"] == nil)
        #expect(PercentEncoding.encode("a b/é~") == "a%20b%2F%C3%A9~")
    }
}

@Suite struct AddressTests {
    @Test func forwardedForCountsOnlyBehindTrustedProxies() {
        let behind = RequestOrigin(peerAddress: "127.0.0.1")
        #expect(behind.clientAddress(forwardedFor: []) == "127.0.0.1")
        #expect(behind.clientAddress(forwardedFor: ["203.0.113.9"]) == "203.0.113.9")
        // What the client wrote itself stands before what the proxy appended.
        #expect(behind.clientAddress(forwardedFor: ["1.1.1.1, 203.0.113.9"]) == "203.0.113.9")
        #expect(behind.clientAddress(forwardedFor: ["1.1.1.1", "203.0.113.9, 127.0.0.1"]) == "203.0.113.9")
        #expect(behind.clientAddress(forwardedFor: ["nonsense"]) == "127.0.0.1")
        let direct = RequestOrigin(peerAddress: "203.0.113.7")
        #expect(direct.clientAddress(forwardedFor: ["127.0.0.1"]) == "203.0.113.7")
        let unixSocket = RequestOrigin(peerAddress: "", trustedProxies: .none)
        #expect(unixSocket.clientAddress(forwardedFor: ["203.0.113.9"]) == "203.0.113.9")
    }

    @Test func ranges() throws {
        let proxies = try #require(TrustedProxies(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]))
        #expect(proxies.contains("10.255.0.1"))
        #expect(proxies.contains("::ffff:10.1.1.1"))
        #expect(!proxies.contains("11.0.0.1"))
        #expect(proxies.contains("2001:db8:1::1"))
        #expect(!proxies.contains("2001:db9::1"))
        #expect(proxies.contains("192.0.2.1"))
        #expect(!proxies.contains("192.0.2.2"))
        #expect(TrustedProxies(["10.0.0.0/33"]) == nil)
        #expect(TrustedProxies(["example.org"]) == nil)
        #expect(IPRange("0.0.0.0/0").map { $0.contains(IPAddress("8.8.8.8")!) } == true)
    }
}
