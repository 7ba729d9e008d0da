import Matrix
import TestSupport
import Testing

@testable import Web

@Suite struct ServerTests {
    @Test func answersAndCarriesCORS() async throws {
        try await ServerFixture.run { fixture in
            let response = try await fixture.client.request("GET", "/hello", body: nil)
            #expect(response.status == 200)
            #expect(response.text == #"{"hello":"world"}"#)
            #expect(response.header("content-type") == "application/json")
            #expect(response.header("access-control-allow-origin") == "*")
            #expect(response.header("access-control-allow-methods") == "GET, POST, PUT, DELETE, OPTIONS")
            #expect(
                response.header("access-control-allow-headers") == "X-Requested-With, Content-Type, Authorization")
            #expect(response.header("date")?.hasSuffix(" GMT") == true)

            let unknown = try await fixture.client.request("GET", "/nothing", body: nil)
            #expect(unknown.status == 404)
            #expect(unknown.errcode == "M_UNRECOGNIZED")
            #expect(unknown.header("access-control-allow-origin") == "*")

            let preflight = try await fixture.client.request("OPTIONS", "/hello", body: nil)
            #expect(preflight.status == 204)
            #expect(preflight.header("access-control-allow-origin") == "*")
            #expect(preflight.header("content-length") == nil)
        }
    }

    @Test func headHasTheLengthAndNoBody() async throws {
        try await ServerFixture.run { fixture in
            let (head, next) = try await fixture.socket { socket in
                try socket.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                return (try socket.readResponse(toHead: true), try socket.readResponse())
            }
            #expect(head.status == 200)
            #expect(head.header("content-length") == "17")
            #expect(next.text == #"{"hello":"world"}"#)
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await ServerFixture.run(routes: { router in
            router.add(.get("/slow/{n}")) { request in
                let text = request.pathParameters["n"] ?? ""
                try await Task.sleep(for: .milliseconds(20 - 2 * (Int(text) ?? 0)))
                return .text(200, text)
            }
        }) { fixture in
            let texts = try await fixture.socket { socket in
                try socket.send((0..<10).map { "GET /slow/\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
                return try (0..<10).map { _ in try socket.readResponse().text }
            }
            #expect(texts == (0..<10).map(String.init))
        }
    }

    @Test func chunkedBodiesAndContinue() async throws {
        try await ServerFixture.run { fixture in
            let (proceed, echoed) = try await fixture.socket { socket in
                try socket.send(
                    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
                let proceed = try socket.readResponse().status
                try socket.send("5\r\nhello\r\n")
                try socket.send("6\r\n world\r\n0\r\n\r\n")
                return (proceed, try socket.readResponse())
            }
            #expect(proceed == 100)
            #expect(echoed.text == "hello world")
        }
    }

    @Test func oldClients() async throws {
        try await ServerFixture.run { fixture in
            let (closed, kept) = try await fixture.socket { socket in
                try socket.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let kept = try socket.readResponse()
                try socket.send("GET /hello HTTP/1.0\r\n\r\n")
                return (String(decoding: try socket.readToEnd(), as: UTF8.self), kept)
            }
            #expect(kept.header("connection") == "keep-alive")
            #expect(closed.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(closed.hasSuffix(#"{"hello":"world"}"#))
        }
    }

    @Test func aRequestToUpgradeIsAnsweredAndClosed() async throws {
        try await ServerFixture.run { fixture in
            let bytes = try await fixture.socket { socket in
                try socket.send("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
                return try socket.readToEnd()
            }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.contains("Connection: close\r\n"))
        }
    }

    @Test func headerValuesCannotSplitAResponse() async throws {
        try await ServerFixture.run(routes: { router in
            router.add(.get("/split")) { _ in HTTPResponse(headers: ["X-Name": "a\r\nSet-Cookie: b\u{0}"]) }
        }) { fixture in
            let response = try await fixture.client.request("GET", "/split", body: nil)
            #expect(response.header("set-cookie") == nil)
            #expect(response.header("x-name") == "a  Set-Cookie: b ")
        }
    }

    @Test func aUnixSocketIsForItsOwnerOnly() async throws {
        let path = "/tmp/chappe-web-\(UInt64.random(in: 0 ... .max)).sock"
        let router = Router()
        router.add(.get("/hello")) { request in .text(200, "from '\(request.remoteAddress)'") }
        let server = HTTPServer()
        #expect(
            try await server.start([Listener(.unixSocket(path: path), router: router)]) == [.unixSocket(path: path)])
        #expect(fileMode(path) == 0o600)
        let response = try await onThread {
            let socket = try TestSocket(unixSocketPath: path)
            try socket.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            return try socket.readResponse()
        }
        #expect(response.text == "from ''")
        await server.shutdown(deadline: .seconds(1))
        #expect(fileMode(path) == nil)
    }

    @Test func nothingStaysOpenWhenOneListenerFails() async throws {
        let router = Router()
        let server = HTTPServer()
        await #expect(throws: (any Error).self) {
            _ = try await server.start([
                Listener(.tcp(host: "127.0.0.1", port: 0), router: router),
                Listener(
                    .tcp(host: "127.0.0.1", port: 0),
                    tls: TLSFiles(certificateChainPath: "/nonexistent", privateKeyPath: "/nonexistent"), router: router),
            ])
        }
        await server.shutdown(deadline: .zero)
    }
}
