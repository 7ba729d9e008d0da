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

    @Test func aParkedRequestIsAnsweredOnceItIsTime() async throws {
        let place = ParkingPlace(rounds: 2)
        try await ServerFixture.run(routes: place.add) { fixture in
            try await fixture.socket { socket in
                try socket.send("GET /parked HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n")
                for round in 1...2 {
                    #expect(blockingEventually { place.isOccupied })
                    #expect(fixture.server.metrics.longPolls == 1)
                    #expect(place.resumed.value == round - 1)
                    place.wake()
                }
                #expect(try socket.readResponse().text == "went on")
                // What was asked meanwhile comes after it.
                #expect(try socket.readResponse().status == 200)
            }
            #expect(place.resumed.value == 2)
            #expect(place.left.value == 0)
        }
    }

    @Test func aParkedRequestThatWasWokenAtOnceIsAnswered() async throws {
        let place = ParkingPlace(rounds: 3, wakesAtOnce: true)
        try await ServerFixture.run(routes: place.add) { fixture in
            let answer = try await fixture.client.request("GET", "/parked", body: nil)
            #expect(answer.status == 200)
            #expect(place.resumed.value == 3)
        }
    }

    @Test func aParkedRequestLeavesWithItsClient() async throws {
        let place = ParkingPlace(rounds: 1)
        try await ServerFixture.run(routes: place.add) { fixture in
            try await fixture.socket { socket in
                try socket.send("GET /parked HTTP/1.1\r\n\r\n")
                #expect(blockingEventually { place.isOccupied })
            }
            #expect(try await eventually { place.left.value == 1 })
            #expect(try await eventually { fixture.server.metrics.longPolls == 0 })
            // A call that comes too late.
            place.wake()
            #expect(place.resumed.value == 0)
            #expect(fixture.server.metrics.prometheusText().contains("chappe_http_abandoned_total 1\n"))
        }
    }

    @Test func whatAParkedRequestThrowsIsAnswered() async throws {
        let place = ParkingPlace(rounds: 1, failure: .notFound("gone"))
        try await ServerFixture.run(routes: place.add) { fixture in
            async let answer = fixture.client.request("GET", "/parked", body: nil)
            let isParked = try await eventually { place.isOccupied }
            #expect(isParked)
            place.wake()
            let status = try await answer.status
            #expect(status == 404)
        }
    }

    @Test func shutdownLetsParkedRequestsAnswer() async throws {
        let place = ParkingPlace(rounds: 1)
        try await ServerFixture.run(routes: place.add) { fixture in
            async let answer = fixture.socket { socket in
                try socket.send("GET /parked HTTP/1.1\r\n\r\n")
                return try socket.readResponse()
            }
            let isParked = try await eventually { place.isOccupied }
            #expect(isParked)
            await fixture.server.shutdown(deadline: .seconds(60))
            let text = try await answer.text
            #expect(text == "cancelled")
            #expect(place.left.value == 1)
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
                for _ in 0..<2_000 { _ = try? await Task.sleep(for: .milliseconds(50)) }
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
            #expect(ContinuousClock.now - start < .seconds(90))
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

    private func blockingEventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<1_000 {
            if condition() { return true }
            blockingSleep(milliseconds: 10)
        }
        return false
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
