import Adapters
import ClientAPI
import Foundation
import Homeserver
import Matrix
import Store
import Synchronization
import TestSupport
import Testing
import Web

/// Everything about media, wired as the server wires it, over a temporary database and a temporary directory.
struct MediaServer: Sendable {
    static let serverName = ServerName(trusted: "here.example")

    let store: Store
    let directory: String
    let time: VirtualTime
    let media: MediaService
    let router: Router

    /// Runs a test on every engine.
    static func onEachEngine(
        policy: MediaPolicy = MediaPolicy(maximumUploadBytes: 1 << 20), servesLegacy: Bool = true,
        remote: any RemoteMedia = NoRemoteMedia(), _ body: (MediaServer) async throws -> Void
    ) async throws {
        try await withEachEngine { database in
            let directory = try makeTemporaryDirectory()
            defer { removeTree(directory) }
            let store = try await Store.open(database, cacheBytes: 1 << 20)
            try await body(
                try await MediaServer(
                    store: store, directory: directory, policy: policy, servesLegacy: servesLegacy, remote: remote))
        }
    }

    private init(
        store: Store, directory: String, policy: MediaPolicy, servesLegacy: Bool, remote: any RemoteMedia
    ) async throws {
        self.store = store
        self.directory = directory
        time = VirtualTime()
        media = MediaService(
            store: store, blobs: try DirectoryBlobStore(directory: directory),
            thumbnailer: VipsThumbnailer(threads: 1), remote: remote, clock: time, scheduler: time,
            randomness: PlainRandomness(), serverName: Self.serverName, policy: policy)
        router = Router()
        let environment = EndpointEnvironment(
            authenticator: NamesAsTokens(store: store), rateLimiter: RateLimiter(RateLimits(isEnabled: false)) { 0 })
        MediaEndpoints(media: media, servesLegacy: servesLegacy).register(on: router, in: environment)
    }

    /// An answer, with the bytes that its body stands for.
    struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let bytes: [UInt8]

        var json: JSON { (try? JSON(parsing: bytes)) ?? .emptyObject }
        var code: String? { json["errcode"]?.string }
    }

    /// Asks something, as the user of that name.
    func ask(
        _ method: HTTPMethod, _ path: String, as user: String? = "alice", type: String? = nil, body: [UInt8] = [],
        headers: HTTPHeaders = [:]
    ) async throws -> Answer {
        var headers = headers
        if let user { headers["Authorization"] = "Bearer \(user)" }
        if let type { headers["Content-Type"] = type }
        let response = await router.respond(method, "/_matrix/" + path, headers: headers, body: .bytes(body))
        let bytes: [UInt8]
        switch response.body {
        case .empty: bytes = []
        case .bytes(let all): bytes = all
        case .file(let path, let range):
            let data = try Data(contentsOf: URL(filePath: path))
            bytes = Array(data[Int(range.lowerBound)..<Int(range.upperBound)])
        case .stream, .parked: throw Unexpected()
        }
        return Answer(status: response.status, headers: response.headers, bytes: bytes)
    }

    /// Uploads, and returns the file's server and name as they stand in paths.
    func upload(_ bytes: [UInt8], type: String? = nil, query: String = "", as user: String = "alice") async throws
        -> String
    {
        let answer = try await ask(.post, "media/v3/upload" + query, as: user, type: type, body: bytes)
        #expect(answer.status == 200)
        return try path(of: answer)
    }

    /// The file that an answer gives the URI of, as it stands in paths.
    func path(of answer: Answer) throws -> String {
        let uri = try #require(answer.json["content_uri"]?.string)
        let reference = try #require(MediaReference(uri: uri))
        #expect(reference.server == Self.serverName)
        return "\(reference.server)/\(reference.id)"
    }

    func download(_ path: String, headers: HTTPHeaders = [:]) async throws -> Answer {
        try await ask(.get, "client/v1/media/download/\(path)", headers: headers)
    }

    func thumbnail(_ path: String, _ query: String) async throws -> Answer {
        try await ask(.get, "client/v1/media/thumbnail/\(path)?\(query)")
    }

    /// How many files the directory holds, finished or not.
    var fileCount: Int {
        let all = FileManager.default.subpaths(atPath: directory) ?? []
        return all.count { path in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(directory)/\(path)", isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }
    }
}

struct Unexpected: Error {}

/// Time that passes when somebody waits.
final class VirtualTime: Homeserver.Clock, Scheduler {
    private let time = Mutex<Int64>(1_700_000_000_000)

    var now: Int64 { time.withLock { $0 } }

    func pass(milliseconds: Int64) { time.withLock { $0 += milliseconds } }

    func after(milliseconds: Int64, _ action: @escaping @Sendable () -> Void) {
        Task {
            // Long enough for what else goes on to get its turn.
            try? await Task.sleep(for: .milliseconds(5))
            pass(milliseconds: milliseconds)
            action()
        }
    }
}

/// The names of users are their tokens.
private struct NamesAsTokens: Authenticator {
    let store: Store

    func authenticate(
        accessToken: String, masquerade: Masquerade?, for request: HTTPRequest
    ) async throws -> Caller {
        guard let user = UserID("@\(accessToken):here.example") else { throw MatrixError.unknownToken() }
        return Caller(userID: user, userNumber: try await store.intern(user).rawValue)
    }
}

private struct PlainRandomness: Randomness {
    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255) } }
}
