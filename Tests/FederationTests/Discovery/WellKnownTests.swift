import Matrix
import Testing

@testable import FederationOutbound

@Suite struct WellKnownTests {
    private func answer(
        _ status: Int, location: String? = nil, cache: [String] = [], expires: Int64? = nil, _ body: String? = nil
    ) -> WellKnownFetch.Answer {
        WellKnownFetch.Answer(
            status: status, location: location, cacheControl: cache, expiresInSeconds: expires,
            body: body.map { Array($0.utf8) })
    }

    private let good = #"{"m.server":"b.example:1"}"#

    @Test func aDelegationIsRead() throws {
        var fetch = WellKnownFetch(host: "A.example")
        #expect(
            fetch.start()
                == .request(HTTPSAddress(host: "a.example", port: 443, target: "/.well-known/matrix/server")))
        #expect(
            fetch.received(answer(200, good))
                == .delegate(ServerName(trusted: "b.example:1"), lifetimeMilliseconds: 24 * 3_600_000))
    }

    @Test func redirectsAreFollowedWithinBounds() throws {
        var fetch = WellKnownFetch(host: "a.example")
        #expect(
            fetch.received(answer(301, location: "https://b.example/x?y"))
                == .request(HTTPSAddress(host: "b.example", port: 443, target: "/x?y")))
        #expect(
            fetch.received(answer(308, location: "/z"))
                == .request(HTTPSAddress(host: "b.example", port: 443, target: "/z")))
        var loop = fetch
        #expect(loop.received(answer(302, location: "https://b.example/x?y")) == .none(.redirect))
        var far = fetch
        for index in 0..<3 {
            guard case .request = far.received(answer(302, location: "/\(index)")) else {
                Issue.record("redirect \(index) is not followed")
                return
            }
        }
        #expect(far.received(answer(302, location: "/far")) == .none(.redirect))
        for bad in [
            "http://b.example/", "ftp://b.example", "https://", "https://b.example:0/", "x", "https://u@b.example/",
            nil,
        ] {
            var next = fetch
            #expect(next.received(answer(302, location: bad)) == .none(.redirect))
        }
    }

    @Test func whatIsNoDelegationIsNone() {
        func outcome(_ answer: WellKnownFetch.Answer?) -> WellKnownFetch.Action {
            var fetch = WellKnownFetch(host: "a.example")
            return fetch.received(answer)
        }
        #expect(outcome(nil) == .none(.unavailable))
        #expect(outcome(answer(503)) == .none(.unavailable))
        #expect(outcome(answer(404, good)) == .none(.refused(status: 404)))
        #expect(outcome(answer(204, good)) == .none(.refused(status: 204)))
        for text in [
            "", "{", "[]", "{}", #"{"m.server":5}"#, #"{"m.server":""}"#, #"{"m.server":"https://b.example"}"#,
        ] {
            #expect(outcome(answer(200, text)) == .none(.malformed))
        }
        #expect(outcome(answer(200, nil)) == .none(.malformed))
    }

    @Test(
        arguments: [
            ([], nil, 24 * 3_600_000), (["max-age=3600"], nil, 3_600_000), (["public, Max-Age = 7200"], nil, 7_200_000),
            (["max-age=1"], nil, 300_000), (["max-age=99999999999999999999"], nil, 48 * 3_600_000),
            (["max-age=1000000"], nil, 48 * 3_600_000), (["no-store"], nil, 300_000),
            (["no-cache, max-age=9000"], nil, 300_000),
            ([], 3_600, 3_600_000), ([], -5, 300_000), (["max-age=7200"], 3_600, 7_200_000),
            (["max-age=x"], nil, 24 * 3_600_000),
        ] as [([String], Int64?, Int64)])
    func lifetimesAreBounded(cache: [String], expires: Int64?, milliseconds: Int64) {
        #expect(WellKnownLifetime.of(answer(200, cache: cache, expires: expires)) == milliseconds)
    }

    @Test func failuresAreRememberedForLongerEachTime() {
        #expect((1...8).map { WellKnownLifetime.ofFailure(times: $0) / 60_000 } == [1, 2, 4, 8, 16, 32, 60, 60])
        #expect(WellKnownLifetime.ofFailure(times: 1_000) == 3_600_000)
    }

    @Test func timesOfHeadersAreRead() {
        #expect(HTTPTime.seconds("Thu, 01 Jan 1970 00:00:00 GMT") == 0)
        #expect(HTTPTime.seconds("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
        #expect(HTTPTime.seconds("Thu, 29 Feb 2024 23:59:59 GMT") == 1_709_251_199)
        for text in [
            "0", "", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 25:49:37 GMT",
        ] {
            #expect(HTTPTime.seconds(text) == nil)
        }
    }
}
