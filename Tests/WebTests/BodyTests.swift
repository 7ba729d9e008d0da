import CZlib
import Matrix
import Synchronization
import TestSupport
import Testing

@testable import Web

/// Counts from any thread.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .acquiring) }
    func increment(by amount: Int = 1) { count.wrappingAdd(amount, ordering: .acquiringAndReleasing) }
}

@Suite struct StreamedRequestTests {
    /// Answers how many bytes came and their sum.
    private static func addSum(_ router: Router, limitBytes: Int = 64 << 20) {
        router.add(.post("/sum"), options: RouteOptions(body: .streamed(limitBytes: limitBytes))) { request in
            guard case .stream(let stream) = request.body else { throw MatrixError.internalError }
            var (count, sum) = (0, 0)
            while let chunk = try await stream.next() {
                count += chunk.count
                for byte in chunk { sum &+= Int(byte) }
            }
            return .text(200, "\(count) \(sum)")
        }
    }

    @Test func largeUploadsPassThrough() async throws {
        try await ServerFixture.run(routes: { Self.addSum($0) }) { fixture in
            let body = [UInt8](repeating: 3, count: 20 << 20)
            let response = try await fixture.client.request("POST", "/sum", body: body)
            #expect(response.text == "\(20 << 20) \(3 * 20 << 20)")
        }
    }

    @Test func aReaderThatWaitsHoldsTheClientBack() async throws {
        let gate = Counter()
        try await ServerFixture.run(routes: { router in
            router.add(.post("/late"), options: RouteOptions(body: .streamed(limitBytes: 1 << 30))) { request in
                while gate.value == 0 { try await Task.sleep(for: .milliseconds(10)) }
                return .text(200, "\(try await request.body.collect().count)")
            }
        }) { fixture in
            let total = 64 << 20
            let sent = Counter()
            async let answer = fixture.socket { socket in
                try socket.send("POST /late HTTP/1.1\r\nContent-Length: \(total)\r\n\r\n")
                for _ in 0..<64 {
                    try socket.send([UInt8](repeating: 1, count: 1 << 20))
                    sent.increment()
                }
                return try socket.readResponse().text
            }
            try await Task.sleep(for: .milliseconds(500))
            // What the kernel buffers on both sides is a few mebibytes at most.
            #expect(sent.value < 40)
            gate.increment()
            #expect(try await answer == "\(total)")
        }
    }

    @Test func theLimitHoldsForStreamsToo() async throws {
        try await ServerFixture.run(routes: { Self.addSum($0, limitBytes: 1_000) }) { fixture in
            let announced = try await fixture.client.request("POST", "/sum", body: [UInt8](repeating: 1, count: 1_001))
            #expect(announced.status == 413)
            let chunked = try await fixture.socket { socket in
                try socket.send("POST /sum HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
                try socket.send("3e8\r\n" + String(repeating: "a", count: 1_000) + "\r\n1\r\na\r\n0\r\n\r\n")
                return try socket.readResponse()
            }
            #expect(chunked.status == 413)
            #expect(chunked.errcode == "M_TOO_LARGE")
        }
    }

    @Test func refusingBeforeReadingAsksForNoBody() async throws {
        try await ServerFixture.run(routes: { router in
            router.add(.post("/refuse"), options: RouteOptions(body: .streamed(limitBytes: 1 << 30))) { _ in
                throw MatrixError.missingToken
            }
        }) { fixture in
            let answer = try await fixture.socket { socket in
                try socket.send("POST /refuse HTTP/1.1\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
                let answer = try socket.readResponse()
                return (answer, try socket.readToEnd())
            }
            #expect(answer.0.status == 401)
            #expect(answer.0.header("connection") == "close")
            #expect(answer.1.isEmpty)
        }
    }

    @Test func theBodyIsAskedForOnceTheHandlerReads() async throws {
        try await ServerFixture.run(routes: { Self.addSum($0) }) { fixture in
            let (proceed, answer) = try await fixture.socket { socket in
                try socket.send("POST /sum HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
                let proceed = try socket.readResponse().status
                try socket.send([1, 2, 3])
                return (proceed, try socket.readResponse().text)
            }
            #expect(proceed == 100)
            #expect(answer == "3 6")
        }
    }

    @Test func aClientThatLeavesFailsTheReader() async throws {
        let failed = Counter()
        try await ServerFixture.run(routes: { router in
            router.add(.post("/read"), options: RouteOptions(body: .streamed(limitBytes: 1 << 30))) { request in
                do {
                    return .text(200, "\(try await request.body.collect().count)")
                } catch is CancellationError {
                    failed.increment()
                    throw CancellationError()
                }
            }
        }) { fixture in
            try await fixture.socket { try $0.send("POST /read HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc") }
            #expect(try await eventually { failed.value == 1 })
        }
    }
}

@Suite struct ResponseBodyTests {
    @Test func streamsOfKnownAndUnknownLength() async throws {
        try await ServerFixture.run(routes: { router in
            for (path, length) in [("/known", 300_000), ("/unknown", nil)] as [(String, Int?)] {
                router.add(.get(path)) { _ in
                    HTTPResponse(
                        body: .stream(contentLength: length) { writer in
                            for _ in 0..<3 { try await writer.write([UInt8](repeating: 0x61, count: 100_000)) }
                        })
                }
            }
            router.add(.get("/short")) { _ in
                HTTPResponse(body: .stream(contentLength: 10) { try await $0.write([1, 2, 3]) })
            }
            router.add(.get("/broken")) { _ in
                HTTPResponse(
                    body: .stream(contentLength: nil) { writer in
                        try await writer.write([1])
                        throw MatrixError.internalError
                    })
            }
        }) { fixture in
            let known = try await fixture.client.request("GET", "/known", body: nil)
            #expect(known.header("content-length") == "300000")
            #expect(known.body.count == 300_000)
            let unknown = try await fixture.client.request("GET", "/unknown", body: nil)
            #expect(unknown.header("transfer-encoding") == "chunked")
            #expect(unknown.body.count == 300_000)
            let head = try await fixture.client.request("HEAD", "/known", body: nil)
            #expect(head.header("content-length") == "300000")
            let old = try await fixture.socket { socket in
                try socket.send("GET /unknown HTTP/1.0\r\n\r\n")
                return try socket.readResponse()
            }
            #expect(old.body.count == 300_000)
            #expect(old.header("transfer-encoding") == nil)
            // A body that is not whole must not look whole.
            await #expect(throws: TestSocketError.self) {
                try await fixture.client.request("GET", "/short", body: nil)
            }
            await #expect(throws: TestSocketError.self) {
                try await fixture.client.request("GET", "/broken", body: nil)
            }
        }
    }

    @Test func files() async throws {
        let bytes = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let file = TemporaryFile(bytes)
        try await ServerFixture.run(routes: { router in
            router.add(.get("/file")) { _ in HTTPResponse(body: .file(path: file.path, range: 100_000..<400_000)) }
            router.add(.get("/missing")) { _ in HTTPResponse(body: .file(path: file.path + "x", range: 0..<1)) }
            router.add(.get("/cut")) { _ in HTTPResponse(body: .file(path: file.path, range: 0..<500_001)) }
        }) { fixture in
            let response = try await fixture.client.request("GET", "/file", body: nil)
            #expect(response.body == Array(bytes[100_000..<400_000]))
            #expect(try await fixture.client.request("GET", "/missing", body: nil).status == 404)
            await #expect(throws: TestSocketError.self) {
                try await fixture.client.request("GET", "/cut", body: nil)
            }
        }
    }

    @Test(arguments: [2_000, 70_000, 1_000_000])
    func jsonIsCompressedForThoseWhoAccept(length: Int) async throws {
        let text = #"{"a":""# + String(repeating: "abcdefgh", count: length / 8) + #""}"#
        try await ServerFixture.run(routes: { router in
            router.add(.get("/json")) { _ in .json(200, Array(text.utf8)) }
            router.add(.get("/stream")) { _ in
                HTTPResponse(
                    headers: ["Content-Type": "application/json"],
                    body: .stream(contentLength: text.utf8.count) { try await $0.write(Array(text.utf8)) })
            }
            router.add(.get("/image")) { _ in
                HTTPResponse(headers: ["Content-Type": "image/png"], body: .bytes(Array(text.utf8)))
            }
        }) { fixture in
            for path in ["/json", "/stream"] {
                for _ in 0..<2 {
                    let response = try await fixture.client.request(
                        "GET", path, headers: [("Accept-Encoding", "br, gzip;q=0.5")], body: nil)
                    #expect(response.header("content-encoding") == "gzip")
                    #expect(response.header("vary") == "Accept-Encoding")
                    #expect(response.body.count < length / 5)
                    #expect(gunzip(response.body) == Array(text.utf8))
                }
                let plain = try await fixture.client.request(
                    "GET", path, headers: [("Accept-Encoding", "gzip;q=0")], body: nil)
                #expect(plain.text == text)
                #expect(plain.header("content-encoding") == nil)
                #expect(plain.header("vary") == "Accept-Encoding")
            }
            let accept = [("Accept-Encoding", "gzip")]
            let image = try await fixture.client.request("GET", "/image", headers: accept, body: nil)
            #expect(image.header("content-encoding") == nil)
            let small = try await fixture.client.request("GET", "/hello", headers: accept, body: nil)
            #expect(small.header("content-encoding") == nil)
        }
    }

    /// What zlib itself makes of a gzip stream, or `nil` if it is none.
    private func gunzip(_ bytes: [UInt8]) -> [UInt8]? {
        var input = bytes
        var output = [UInt8](repeating: 0, count: 2_000_000)
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { inflateEnd(&stream) }
        let inputCount = UInt32(input.count)
        let outputCount = UInt32(output.count)
        let status = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { destination in
                stream.next_in = source.baseAddress
                stream.avail_in = inputCount
                stream.next_out = destination.baseAddress
                stream.avail_out = outputCount
                return inflate(&stream, Z_FINISH)
            }
        }
        guard status == Z_STREAM_END, stream.avail_in == 0 else { return nil }
        return Array(output[..<Int(stream.total_out)])
    }
}
