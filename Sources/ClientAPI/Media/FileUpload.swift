import Homeserver
import Matrix
import Synchronization
import Web

/// A file in the body of a request.
struct FileUpload: RequestDecodable {
    let file: IncomingFile

    init(from input: RequestInput) throws {
        let request = input.request
        file = IncomingFile(
            contentType: request.headers["content-type"].flatMap { $0.isEmpty ? nil : $0 },
            uploadName: request.query["filename"].flatMap { $0.isEmpty ? nil : $0 },
            declaredBytes: request.headers["content-length"].flatMap { Int64($0) },
            next: Self.pieces(of: request.body))
    }

    private static func pieces(of body: RequestBody) -> @Sendable () async throws -> [UInt8]? {
        switch body {
        case .stream(let stream): return { try await stream.next() }
        case .bytes(let bytes):
            let rest = Once(bytes)
            return { rest.take() }
        }
    }
}

/// Bytes that are there once.
private final class Once: Sendable {
    private let bytes: Mutex<[UInt8]?>

    init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes.isEmpty ? nil : bytes) }

    func take() -> [UInt8]? {
        bytes.withLock { bytes in
            defer { bytes = nil }
            return bytes
        }
    }
}

extension MediaService {
    /// The limit of uploads, for the server to hold clients to before a handler sees anything.
    var uploadBody: BodyPolicy { .streamed(limitBytes: Int(clamping: policy.maximumUploadBytes)) }
}
