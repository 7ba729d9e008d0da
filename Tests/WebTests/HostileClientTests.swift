import Matrix
import TestSupport
import Testing

@testable import Web

/// What clients do that should not: every case ends in an answer or a closed connection, and the server goes on serving.
@Suite struct HostileClientTests {
    /// Serves, runs the steps, and checks that the server still answers others.
    private func run<Value: Sendable>(
        configure: (inout HTTPServerConfiguration) -> Void = { _ in }, routes: (Router) -> Void = { _ in },
        _ steps: @escaping @Sendable (TestSocket) throws -> Value
    ) async throws -> Value {
        try await ServerFixture.run(configure: configure, routes: routes) { fixture in
            let value = try await fixture.socket(steps)
            #expect(try await fixture.client.request("GET", "/hello", body: nil).status == 200)
            return value
        }
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "GET\r\n\r\n", "GET /hello HTTP/2.0\r\n\r\n", "GET /hello HTTP/1.1\r\nA B: c\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: x\r\n\r\n", "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    ])
    func whatIsNoHTTPGets400AndIsClosed(text: String) async throws {
        let answer = try await run { socket in
            try socket.send(text)
            return String(decoding: try socket.readToEnd(), as: UTF8.self)
        }
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
        #expect(answer.contains("Connection: close\r\n"))
        #expect(answer.contains("M_UNKNOWN"))
    }

    @Test func aBrokenRequestBehindGoodOnesIsAnsweredLast() async throws {
        let answers = try await run(routes: { router in
            router.add(.get("/slow")) { _ in
                try await Task.sleep(for: .milliseconds(50))
                return .text(200, "slow")
            }
        }) { socket in
            try socket.send("GET /slow HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\nBROKEN\r\n\r\n")
            let answers = [
                try socket.readResponse().status, try socket.readResponse().status, try socket.readResponse().status,
            ]
            return (answers, try socket.readToEnd())
        }
        #expect(answers.0 == [200, 200, 400])
        #expect(answers.1.isEmpty)
    }

    @Test func brokenChunksAreRefused() async throws {
        let answer = try await run { socket in
            try socket.send("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
            return try socket.readResponse().status
        }
        #expect(answer == 400)
    }

    @Test(arguments: [
        "GET /hello HTTP/1.1\r\nX: \(String(repeating: "a", count: 20_000))\r\n\r\n",
        "GET /hello?\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 200))\r\n",
        "GET /hello HTTP/1.1\r\n\((0..<80).map { "X\($0): \(String(repeating: "a", count: 1_000))\r\n" }.joined())\r\n",
    ])
    func headsThatAreTooLargeGet431(text: String) async throws {
        let answer = try await run { socket in
            try socket.send(text)
            return try socket.readResponse().status
        }
        #expect(answer == 431)
    }

    @Test func announcedBodiesThatAreTooLargeAreRefusedUnread() async throws {
        let answer = try await run { socket in
            try socket.send("POST /echo HTTP/1.1\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n")
            return try socket.readResponse()
        }
        #expect(answer.status == 413)
        #expect(answer.errcode == "M_TOO_LARGE")
        #expect(answer.header("connection") == "close")
    }

    @Test func theRefusalOfABodyThatIsSentAnywayCanBeRead() async throws {
        let answer = try await run { socket in
            try socket.send("POST /echo HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n")
            try socket.send([UInt8](repeating: 0x61, count: 8_000_000))
            return try socket.readResponse()
        }
        #expect(answer.status == 413)
    }

    @Test func chunkedBodiesAreMeasuredAsTheyCome() async throws {
        let chunk = "10000\r\n" + String(repeating: "a", count: 65_536) + "\r\n"
        let (fits, answer) = try await run { socket in
            try socket.send("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<16 { try socket.send(chunk) }
            try socket.send("0\r\n\r\n")
            let fits = try socket.readResponse()
            try socket.send("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<17 { try socket.send(chunk) }
            return (fits, try socket.readResponse())
        }
        #expect(fits.status == 200)
        #expect(fits.body.count == 1 << 20)
        #expect(answer.status == 413)
    }

    @Test func aHeadThatTricklesInIsCutOff() async throws {
        let bytes = try await run(configure: { $0.headTimeout = .milliseconds(300) }) { socket in
            // The second request, so that the first cannot be what the deadline counts from.
            try socket.send("GET /hello HTTP/1.1\r\n\r\n")
            _ = try socket.readResponse()
            try socket.send("GET /hello HT")
            return try socket.readToEnd()
        }
        #expect(bytes.isEmpty)
    }

    @Test func aConnectionThatSaysNothingIsClosed() async throws {
        let bytes = try await run(configure: { $0.headTimeout = .milliseconds(200) }) { try $0.readToEnd() }
        #expect(bytes.isEmpty)
    }

    @Test func aBodyThatTricklesInGets408() async throws {
        let answer = try await run(configure: { $0.bodyTimeout = .milliseconds(300) }) { socket in
            try socket.send("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
            let answer = try socket.readResponse()
            return (answer, try socket.readToEnd())
        }
        #expect(answer.0.status == 408)
        #expect(answer.1.isEmpty)
    }

    @Test func idleConnectionsAreClosed() async throws {
        let rest = try await run(configure: { $0.keepAliveTimeout = .milliseconds(200) }) { socket in
            try socket.send("GET /hello HTTP/1.1\r\n\r\n")
            _ = try socket.readResponse()
            return try socket.readToEnd()
        }
        #expect(rest.isEmpty)
    }

    @Test func connectionsBeyondTheBoundAreClosed() async throws {
        try await ServerFixture.run(configure: { $0.maximumConnections = 3 }, routes: { _ in }) { fixture in
            let (kept, refused) = try await onThread {
                let kept = try (0..<3).map { _ in try TestSocket(port: fixture.port) }
                for socket in kept {
                    try socket.send("GET /hello HTTP/1.1\r\n\r\n")
                    _ = try socket.readResponse()
                }
                let fourth = try TestSocket(port: fixture.port)
                let refused = try fourth.readToEnd()
                for socket in kept {
                    try socket.send("GET /hello HTTP/1.1\r\n\r\n")
                    _ = try socket.readResponse()
                }
                return (kept.count, refused)
            }
            #expect(kept == 3)
            #expect(refused.isEmpty)
            #expect(try await eventually { fixture.server.metrics.connections == 0 })
            #expect(try await fixture.client.request("GET", "/hello", body: nil).status == 200)
            #expect(fixture.server.metrics.prometheusText().contains("chappe_http_connections_refused_total 1\n"))
        }
    }

    @Test func aClientThatTakesNoResponsesIsNotServedFurther() async throws {
        let served = Counter()
        try await ServerFixture.run(
            configure: {
                $0.writeTimeout = .milliseconds(400)
                $0.compression = false
            },
            routes: { router in
                router.add(.get("/big")) { _ in
                    served.increment()
                    return .text(200, String(repeating: "a", count: 50_000))
                }
            }
        ) { fixture in
            try await onThread {
                let socket = try TestSocket(port: fixture.port, receiveBufferBytes: 4_096)
                try socket.send(String(repeating: "GET /big HTTP/1.1\r\n\r\n", count: 2_000))
                // Nothing is read: the server must stop long before it has written a hundred megabytes.
            }
            #expect(try await eventually { fixture.server.metrics.connections == 0 })
            #expect(served.value < 400)
        }
    }

    @Test func aWriterBlockedByAStalledClientIsReleased() async throws {
        let released = Counter()
        try await ServerFixture.run(
            configure: { $0.writeTimeout = .milliseconds(300) },
            routes: { router in
                router.add(.get("/endless")) { _ in
                    HTTPResponse(
                        body: .stream(contentLength: nil) { writer in
                            defer { released.increment() }
                            while true { try await writer.write([UInt8](repeating: 0x61, count: 65_536)) }
                        })
                }
            }
        ) { fixture in
            let open = try await onThread {
                let socket = try TestSocket(port: fixture.port, receiveBufferBytes: 4_096)
                try socket.send("GET /endless HTTP/1.1\r\n\r\n")
                return socket
            }
            #expect(try await eventually { released.value == 1 })
            withExtendedLifetime(open) {}
        }
    }
}
