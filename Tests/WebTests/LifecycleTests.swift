import Matrix
import TestSupport
import Testing

@testable import Web

@Suite struct LifecycleTests {
    /// A route that waits until it is cancelled, then answers at once, as a long poll does.
    private static func addPoll(_ router: Router, cancelled: Counter) {
        router.add(.get("/poll"), options: RouteOptions(isLongPoll: true)) { _ in
            do {
                try await Task.sleep(for: .seconds(60))
                return .text(200, "slept")
            } catch {
                cancelled.increment()
                return .text(200, "woken")
            }
        }
    }

    @Test func aLongPollIsCancelledWhenItsClientLeaves() async throws {
        let cancelled = Counter()
        try await ServerFixture.run(routes: { Self.addPoll($0, cancelled: cancelled) }) { fixture in
            try await fixture.socket { socket in
                try socket.send("GET /poll HTTP/1.1\r\n\r\n")
                #expect(try awaitInFlight(fixture, 1))
            }
            #expect(try await eventually { cancelled.value == 1 })
            #expect(try await eventually { fixture.server.metrics.longPolls == 0 })
            #expect(fixture.server.metrics.prometheusText().contains("chappe_http_abandoned_total 1\n"))
        }
    }

    @Test func aLongPollIsCancelledEvenWithRequestsWaitingBehindIt() async throws {
        let cancelled = Counter()
        try await ServerFixture.run(routes: { Self.addPoll($0, cancelled: cancelled) }) { fixture in
            try await fixture.socket { socket in
                try socket.send(
                    "GET /poll HTTP/1.1\r\n\r\n" + String(repeating: "GET /hello HTTP/1.1\r\n\r\n", count: 5_000))
                #expect(try awaitInFlight(fixture, 1))
            }
            #expect(try await eventually { cancelled.value == 1 })
        }
    }

    @Test func shutdownWakesLongPollsAndLetsOthersFinish() async throws {
        let (cancelled, released) = (Counter(), Counter())
        try await ServerFixture.run(routes: { router in
            Self.addPoll(router, cancelled: cancelled)
            router.add(.get("/work")) { _ in
                while released.value == 0 { try await Task.sleep(for: .milliseconds(10)) }
                return .text(200, "done")
            }
        }) { fixture in
            async let poll = fixture.socket { socket in
                try socket.send("GET /poll HTTP/1.1\r\n\r\n")
                return (try socket.readResponse(), try socket.readToEnd())
            }
            async let work = fixture.socket { socket in
                try socket.send("GET /work HTTP/1.1\r\n\r\n")
                return (try socket.readResponse(), try socket.readToEnd())
            }
            async let idle = fixture.socket { socket in
                try socket.send("GET /hello HTTP/1.1\r\n\r\n")
                _ = try socket.readResponse()
                return try socket.readToEnd()
            }
            let busy = try await eventually {
                fixture.server.metrics.requestsInFlight == 2 && fixture.server.metrics.connections == 3
            }
            #expect(busy)
            async let release: Void = {
                try await Task.sleep(for: .milliseconds(300))
                released.increment()
            }()
            await fixture.server.shutdown(deadline: .seconds(60))
            try await release
            #expect(try await poll.0.text == "woken")
            #expect(try await poll.0.header("connection") == "close")
            #expect(try await work.0.text == "done")
            #expect(try await idle.isEmpty)
            await #expect(throws: TestSocketError.self) {
                try await fixture.client.request("GET", "/hello", body: nil)
            }
        }
    }

    @Test func shutdownBreaksOffWhatDoesNotFinish() async throws {
        try await ServerFixture.run(routes: { router in
            router.add(.get("/stuck")) { _ in
                // Deaf to cancellation, as a handler with a bug is.
                for _ in 0..<100 { _ = try? await Task.sleep(for: .milliseconds(50)) }
                return .text(200, "late")
            }
        }) { fixture in
            async let stuck = fixture.socket { socket in
                try socket.send("GET /stuck HTTP/1.1\r\n\r\n")
                return try socket.readToEnd()
            }
            let busy = try await eventually { fixture.server.metrics.requestsInFlight == 1 }
            #expect(busy)
            let start = ContinuousClock.now
            await fixture.server.shutdown(deadline: .milliseconds(200))
            #expect(ContinuousClock.now - start < .seconds(3))
            #expect(try await stuck.isEmpty)
        }
    }

    @Test func metricsKnowRoutesAndClasses() async throws {
        try await ServerFixture.run { fixture in
            for _ in 0..<3 { _ = try await fixture.client.request("GET", "/hello", body: nil) }
            _ = try await fixture.client.request("GET", "/secret-path", body: nil)
            #expect(try await eventually { fixture.server.metrics.requestsInFlight == 0 })
            let text = fixture.server.metrics.prometheusText()
            #expect(text.contains(#"chappe_http_requests_total{method="GET",route="/hello",status="2xx"} 3"#))
            #expect(text.contains(#"chappe_http_requests_total{method="OTHER",route="unknown",status="4xx"} 1"#))
            #expect(text.contains(#"chappe_http_request_duration_seconds_count{method="GET",route="/hello"} 3"#))
            #expect(
                text.contains(#"chappe_http_request_duration_seconds_bucket{method="GET",route="/hello",le="+Inf"} 3"#))
            #expect(!text.contains("secret-path"))
        }
    }

    /// Blocks until so many requests are under way.
    private func awaitInFlight(_ fixture: ServerFixture, _ count: Int) throws -> Bool {
        for _ in 0..<1_000 {
            if fixture.server.metrics.requestsInFlight == count { return true }
            blockingSleep(milliseconds: 10)
        }
        return false
    }
}
