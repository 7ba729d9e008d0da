import Foundation
import Homeserver
import Matrix
import TestSupport
import Testing
import Web

@testable import ClientAPI

@Suite struct UploadTests {
    @Test(arguments: ["v3", "r0", "v1"]) func everyVersionTakesFiles(version: String) async throws {
        try await MediaServer.onEachEngine { server in
            let answer = try await server.ask(.post, "media/\(version)/upload", body: [1])
            #expect(try await server.download(try server.path(of: answer)).bytes == [1])
            #expect(
                try await server.ask(.post, "media/\(version)/upload", as: nil, body: [1]).code == "M_MISSING_TOKEN")
        }
    }

    @Test func theSameBytesAreKeptOnce() async throws {
        try await MediaServer.onEachEngine { server in
            let bytes = [UInt8](repeating: 7, count: 50_000)
            let paths = try await withThrowingTaskGroup(of: String.self) { group in
                for index in 0..<8 {
                    group.addTask { try await server.upload(bytes, type: "text/x-\(index)", as: "user\(index)") }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(paths).count == 8)
            // Those that came at the same time have left copies behind.
            try await server.media.sweep()
            #expect(server.fileCount == 1)
            for path in paths { #expect(try await server.download(path).bytes == bytes) }
        }
    }

    @Test func whatIsTooLargeLeavesNothing() async throws {
        try await MediaServer.onEachEngine { server in
            let answer = try await server.ask(.post, "media/v3/upload", body: [UInt8](repeating: 1, count: 1 << 20 + 1))
            #expect(answer.status == 413)
            #expect(answer.code == "M_TOO_LARGE")
            let declared = try await server.ask(
                .post, "media/v3/upload", body: [1], headers: ["Content-Length": "9999999999"])
            #expect(declared.code == "M_TOO_LARGE")
            let cut = try await server.ask(.post, "media/v3/upload", body: [1], headers: ["Content-Length": "2"])
            #expect(cut.status == 400)
            #expect(server.fileCount == 0)
        }
    }

    @Test func namesThatCannotBeKeptAreRefused() async throws {
        try await MediaServer.onEachEngine { server in
            for query in ["filename=a%00b", "filename=" + String(repeating: "a", count: 1025)] {
                let answer = try await server.ask(.post, "media/v3/upload?\(query)", body: [1])
                #expect(answer.code == "M_INVALID_PARAM")
            }
            let type = String(repeating: "a", count: 256)
            let answer = try await server.ask(.post, "media/v3/upload", type: type, body: [1])
            #expect(answer.code == "M_INVALID_PARAM")
            #expect(server.fileCount == 0)
        }
    }

    // MARK: URIs before files

    @Test func aURICanComeBeforeItsFile() async throws {
        try await MediaServer.onEachEngine { server in
            let created = try await server.ask(.post, "media/v1/create")
            let path = try server.path(of: created)
            #expect(created.json["unused_expires_at"]?.int == server.time.now + 86_400_000)
            let early = try await server.download(path + "?timeout_ms=100")
            #expect(early.status == 504)
            #expect(early.code == "M_NOT_YET_UPLOADED")
            let stranger = try await server.ask(.put, "media/v3/upload/\(path)", as: "bob", body: [9])
            #expect(stranger.status == 403)
            #expect(stranger.code == "M_FORBIDDEN")
            let filled = try await server.ask(
                .put, "media/v3/upload/\(path)?filename=x.txt", type: "text/plain", body: [1, 2])
            #expect(filled.status == 200)
            #expect(filled.bytes == Array("{}".utf8))
            let answer = try await server.download(path)
            #expect(answer.bytes == [1, 2])
            #expect(answer.headers["Content-Disposition"] == "inline; filename=\"x.txt\"")
            let again = try await server.ask(.put, "media/v3/upload/\(path)", body: [3])
            #expect(again.status == 409)
            #expect(again.code == "M_CANNOT_OVERWRITE_MEDIA")
            let ordinary = try await server.upload([5])
            #expect(try await server.ask(.put, "media/v3/upload/\(ordinary)", body: [3]).status == 409)
            for unknown in ["here.example/unknown", "there.example/x"] {
                #expect(try await server.ask(.put, "media/v3/upload/\(unknown)", body: [3]).code == "M_NOT_FOUND")
            }
        }
    }

    @Test func whoeverWaitsGetsTheFileWhenItComes() async throws {
        try await MediaServer.onEachEngine { server in
            let path = try server.path(of: try await server.ask(.post, "media/v1/create"))
            async let answer = server.download(path + "?timeout_ms=60000")
            try await Task.sleep(for: .milliseconds(30))
            let filled = try await server.ask(.put, "media/v3/upload/\(path)", body: [1, 2])
            #expect(filled.status == 200)
            #expect(try await answer.bytes == [1, 2])
        }
    }

    @Test func unusedURIsExpire() async throws {
        try await MediaServer.onEachEngine { server in
            let path = try server.path(of: try await server.ask(.post, "media/v1/create"))
            server.time.pass(milliseconds: 86_400_000)
            #expect(try await server.ask(.put, "media/v3/upload/\(path)", body: [3]).code == "M_NOT_FOUND")
            #expect(try await server.download(path).code == "M_NOT_FOUND")
            try await server.media.sweep()
            #expect(try await server.download(path).code == "M_NOT_FOUND")
        }
    }

    @Test func nobodyKeepsTooManyUnusedURIs() async throws {
        try await MediaServer.onEachEngine(policy: MediaPolicy(maximumAwaitedPerUser: 2)) { server in
            let first = try server.path(of: try await server.ask(.post, "media/v1/create"))
            server.time.pass(milliseconds: 1000)
            _ = try await server.ask(.post, "media/v1/create")
            let refused = try await server.ask(.post, "media/v1/create")
            #expect(refused.status == 429)
            #expect(refused.code == "M_LIMIT_EXCEEDED")
            #expect(refused.json["retry_after_ms"]?.int == 86_399_000)
            #expect(try await server.ask(.post, "media/v1/create", as: "bob").status == 200)
            _ = try await server.ask(.put, "media/v3/upload/\(first)", body: [1])
            #expect(try await server.ask(.post, "media/v1/create").status == 200)
        }
    }

    // MARK: Over sockets

    @Test func largeFilesPassThroughSockets() async throws {
        try await overSockets(limit: 30 << 20) { server, client in
            let bytes = (0..<(20 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 11) }
            let answer = try await client.request("POST", "/_matrix/media/v3/upload", body: bytes)
            let path = try #require(answer.json["content_uri"]?.string).dropFirst(6)
            let back = try await client.request("GET", "/_matrix/client/v1/media/download/\(path)", body: nil)
            #expect(back.body == bytes)
            let part = try await client.request(
                "GET", "/_matrix/client/v1/media/download/\(path)", headers: [("Range", "bytes=1000000-1000009")],
                body: nil)
            #expect(part.status == 206)
            #expect(part.body == Array(bytes[1_000_000..<1_000_010]))
            let head = try await client.request("HEAD", "/_matrix/client/v1/media/download/\(path)", body: nil)
            #expect(head.header("content-length") == "\(20 << 20)")
        }
    }

    @Test func clientsAreStoppedAtTheLimit() async throws {
        try await overSockets(limit: 1 << 20) { server, client in
            let declared = try await onThread {
                let socket = try TestSocket(port: client.port)
                try socket.send(Self.head("Content-Length: \(1 << 30)"))
                return try socket.readResponse()
            }
            #expect(declared.status == 413)
            #expect(declared.errcode == "M_TOO_LARGE")
            let chunked = try await onThread {
                let socket = try TestSocket(port: client.port)
                try socket.send(Self.head("Transfer-Encoding: chunked"))
                let piece = Array("10000\r\n".utf8) + [UInt8](repeating: 1, count: 65_536) + Array("\r\n".utf8)
                // The server may close before all is sent.
                for _ in 0..<20 { do { try socket.send(piece) } catch { break } }
                return try socket.readResponse()
            }
            #expect(chunked.status == 413)
            #expect(chunked.errcode == "M_TOO_LARGE")
            #expect(try await leavesNothing(server))
        }
    }

    @Test func nothingIsLeftOfWhoHangsUp() async throws {
        try await overSockets(limit: 1 << 20) { server, client in
            try await onThread {
                let socket = try TestSocket(port: client.port)
                try socket.send(Self.head("Content-Length: 500000"))
                try socket.send([UInt8](repeating: 1, count: 200_000))
                // Until some of it is on disk.
                for _ in 0..<500 where server.fileCount == 0 { Thread.sleep(forTimeInterval: 0.01) }
                if server.fileCount != 1 { throw Unexpected() }
            }
            #expect(try await leavesNothing(server))
        }
    }

    private func leavesNothing(_ server: MediaServer) async throws -> Bool {
        for _ in 0..<500 where server.fileCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
        return server.fileCount == 0
    }

    private static func head(_ length: String) -> String {
        "POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n\(length)\r\n\r\n"
    }

    private func overSockets(
        limit: Int64, _ body: (MediaServer, TestHTTPClient) async throws -> Void
    ) async throws {
        try await MediaServer.onEachEngine(policy: MediaPolicy(maximumUploadBytes: limit)) { server in
            var configuration = HTTPServerConfiguration()
            configuration.threads = 1
            let http = HTTPServer(configuration: configuration)
            let bound = try await http.start([Listener(.tcp(host: "127.0.0.1", port: 0), router: server.router)])
            do {
                try await body(server, TestHTTPClient(port: try #require(bound[0].port), accessToken: "alice"))
            } catch {
                await http.shutdown(deadline: .zero)
                throw error
            }
            await http.shutdown(deadline: .seconds(2))
        }
    }
}
