import FederationWire
import Homeserver
import Matrix
import Testing
import Web

@testable import FederationOutbound

/// Files from other servers, over real sockets.
@Suite struct RemoteMediaTests {
    private func file(_ content: [UInt8], _ head: String = "Content-Type: image/png") -> [UInt8] {
        Array("--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\n\(head)\r\n\r\n".utf8) + content
            + Array("\r\n--x--".utf8)
    }

    private func serve(_ network: TestNetwork, _ router: Router) async throws -> MediaReference {
        network.names.set("a.example", "127.0.0.1")
        let port = try await network.serve(["DNS:a.example"], router)
        return MediaReference(server: ServerName(trusted: "a.example:\(port)"), id: MediaID(trusted: "abc"))
    }

    private func bytes(_ file: RemoteFile) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try await file.next() { bytes += chunk }
        return bytes
    }

    private static let multipart: HTTPHeaders = ["Content-Type": "multipart/mixed; boundary=x"]

    @Test func filesAreStreamed() async throws {
        try await TestNetwork.run { network in
            let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let router = Router()
            let head = "Content-Type: image/png\r\nContent-Disposition: inline; filename=\"a.png\""
            let body = file(content, head)
            router.add(.get("/_matrix/federation/v1/media/download/abc")) { request in
                #expect(request.headers["authorization"]?.hasPrefix("X-Matrix ") == true)
                #expect(request.query["timeout_ms"] == "1000")
                return HTTPResponse(headers: Self.multipart, body: .bytes(body))
            }
            router.add(.get("/_matrix/federation/v1/media/thumbnail/abc")) { request in
                #expect(request.query["width"] == "32" && request.query["animated"] == "false")
                return HTTPResponse(headers: Self.multipart, body: .bytes(self.file([1, 2, 3])))
            }
            let reference = try await serve(network, router)
            let client = try network.client()
            let file = try await client.open(reference, timeoutMilliseconds: 1_000)
            #expect(file.contentType == "image/png" && file.fileName == "a.png")
            #expect(try await bytes(file) == content)
            let small = try await client.openThumbnail(
                reference, width: 32, height: 32, method: "crop", isAnimated: false, timeoutMilliseconds: 1_000)
            #expect(try await bytes(small) == [1, 2, 3])
        }
    }

    @Test func redirectsAreFollowedWithoutASignature() async throws {
        try await TestNetwork.run { network in
            let store = Router()
            store.add(.get("/file")) { request in
                #expect(!request.headers.contains("authorization"))
                return HTTPResponse(headers: ["Content-Type": "text/plain"], body: .bytes([9, 8]))
            }
            store.add(.get("/moved")) { _ in HTTPResponse(status: 307, headers: ["Location": "/file"]) }
            store.add(.get("/loop")) { _ in HTTPResponse(status: 307, headers: ["Location": "/loop"]) }
            network.names.set("cdn.example", "127.0.0.1")
            let port = try await network.serve(["DNS:cdn.example"], store)
            let router = Router()
            router.add(.get("/_matrix/federation/v1/media/download/{id}")) { request in
                let path = request.pathParameters["id"] ?? ""
                let url =
                    path == "plain" ? "http://cdn.example:\(port)/file" : "https://cdn.example:\(port)/\(path)"
                return HTTPResponse(headers: Self.multipart, body: .bytes(self.file([], "Location: \(url)")))
            }
            let reference = try await serve(network, router)
            let client = try network.client()
            func open(_ id: String) async throws -> RemoteFile {
                try await client.open(
                    MediaReference(server: reference.server, id: MediaID(trusted: id)), timeoutMilliseconds: 1_000)
            }
            for id in ["file", "moved"] {
                let file = try await open(id)
                #expect(file.contentType == "text/plain")
                #expect(try await bytes(file) == [9, 8])
            }
            for id in ["loop", "missing", "plain"] {
                await #expect(throws: MatrixError.self) { try await open(id) }
            }
        }
    }

    @Test func olderServersAreAskedTheOldWay() async throws {
        try await TestNetwork.run { network in
            let router = Router()
            router.add(.get("/_matrix/media/v3/download/{server}/{id}")) { request in
                #expect(!request.headers.contains("authorization"))
                #expect(request.query["allow_remote"] == "false")
                return HTTPResponse(
                    headers: ["Content-Type": "image/gif", "Content-Disposition": "inline; filename*=utf-8''%C3%A9"],
                    body: .bytes([4, 5]))
            }
            let file = try await network.client().open(try await serve(network, router), timeoutMilliseconds: 1_000)
            #expect(file.contentType == "image/gif" && file.fileName == "é" && file.declaredBytes == 2)
            #expect(try await bytes(file) == [4, 5])
        }
    }

    @Test func whatGoesWrongIsTold() async throws {
        try await TestNetwork.run { network in
            let router = Router()
            router.add(.get("/_matrix/federation/v1/media/download/{id}")) { request in
                switch request.pathParameters["id"] {
                case "later": return .error(MatrixError(504, .notYetUploaded, "later"))
                case "large": return .error(MatrixError(502, .tooLarge, "large"))
                case "busy": return .error(MatrixError.limitExceeded(retryAfterMilliseconds: 5))
                case "none": return .error(MatrixError.notFound("none"))
                case "odd": return .json(200, Array("{}".utf8))
                case "cut":
                    return HTTPResponse(headers: Self.multipart, body: .bytes(self.file([1, 2]).dropLast(4)))
                default: return HTTPResponse(status: 500)
                }
            }
            let reference = try await serve(network, router)
            let client = try network.client()
            func status(_ id: String) async -> Int? {
                do {
                    let file = try await client.open(
                        MediaReference(server: reference.server, id: MediaID(trusted: id)), timeoutMilliseconds: 1_000)
                    _ = try await bytes(file)
                    return nil
                } catch {
                    return (error as? MatrixError)?.status ?? 0
                }
            }
            #expect(await status("later") == 504)
            #expect(await status("large") == 502)
            #expect(await status("busy") == 429)
            #expect(await status("none") == 404)
            #expect(await status("odd") == 502)
            #expect(await status("cut") == 502)
            #expect(await status("other") == 404)
        }
    }
}
