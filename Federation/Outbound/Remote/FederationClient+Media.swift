import FederationWire
import Homeserver
import Matrix
import NIOCore

extension FederationClient: RemoteMedia, RemoteThumbnails {
    /// How much longer than the other server may wait for an upload the head of its answer is waited for.
    private static let patienceMilliseconds: Int64 = 20_000
    private static let maximumRedirects = 3

    /// Begins to fetch a file from the server that it was uploaded to.
    public func open(_ reference: MediaReference, timeoutMilliseconds: Int64) async throws -> RemoteFile {
        try await open(reference, .file, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Begins to fetch a thumbnail from the server that the file was uploaded to.
    public func openThumbnail(
        _ reference: MediaReference, width: Int, height: Int, method: String, isAnimated: Bool,
        timeoutMilliseconds: Int64
    ) async throws -> RemoteFile {
        try await open(
            reference, .thumbnail(width: width, height: height, method: method, isAnimated: isAnimated),
            timeoutMilliseconds: timeoutMilliseconds)
    }

    private func open(
        _ reference: MediaReference, _ wanted: MediaTargets.Wanted, timeoutMilliseconds: Int64
    ) async throws -> RemoteFile {
        do {
            return try await openSigned(reference, wanted, timeoutMilliseconds)
        } catch let failure as RemoteServerFailure where failure.isUnrecognized {
            // A server from before version 1.11 of the specification.
            do { return try await openLegacy(reference, wanted, timeoutMilliseconds) } catch {
                throw Self.mediaError(error)
            }
        } catch {
            throw Self.mediaError(error)
        }
    }

    private func openSigned(
        _ reference: MediaReference, _ wanted: MediaTargets.Wanted, _ timeoutMilliseconds: Int64
    ) async throws -> RemoteFile {
        let target = MediaTargets.federation(reference.id, wanted, timeoutMilliseconds: timeoutMilliseconds)
        let response = try await open(
            target, isSigned: true, at: reference.server,
            timeoutMilliseconds: timeoutMilliseconds + Self.patienceMilliseconds)
        guard response.status == 200, let type = response.headers.first(name: "content-type"),
            let reader = MultipartReader(contentType: type)
        else { throw MalformedAnswer("is no file in two parts") }
        let body = MultipartBody(ArrivingFile(response), reader)
        let fields = try await body.head()
        if let location = fields.first(where: { $0.name == "location" })?.value {
            guard let address = HTTPSAddress(location) else { throw MalformedAnswer("redirects to no https URL") }
            return try await follow(address)
        }
        return RemoteFile(
            contentType: fields.first { $0.name == "content-type" }?.value,
            fileName: fields.first { $0.name == "content-disposition" }
                .flatMap { ContentDisposition.fileName(in: $0.value) },
            declaredBytes: nil, next: Self.telling { try await body.next() }
        )
    }

    private func openLegacy(
        _ reference: MediaReference, _ wanted: MediaTargets.Wanted, _ timeoutMilliseconds: Int64
    ) async throws -> RemoteFile {
        let target = MediaTargets.legacy(reference, wanted, timeoutMilliseconds: timeoutMilliseconds)
        let response = try await open(
            target, isSigned: false, at: reference.server,
            timeoutMilliseconds: timeoutMilliseconds + Self.patienceMilliseconds)
        if response.status == 200 { return Self.file(response) }
        // Relative to a server that was found by its name, nothing but absolute URLs makes sense.
        guard let location = response.headers.first(name: "location"), let address = HTTPSAddress(location) else {
            throw MalformedAnswer("is neither a file nor a redirect to one")
        }
        return try await follow(address)
    }

    /// Gets a file from where a server has said that it is.
    private func follow(_ first: HTTPSAddress) async throws -> RemoteFile {
        var address = first
        for _ in 0..<Self.maximumRedirects {
            let response = try await open(address, timeoutMilliseconds: Self.patienceMilliseconds)
            switch response.status {
            case 200: return Self.file(response)
            case 301, 302, 303, 307, 308:
                guard let next = response.headers.first(name: "location").flatMap(address.following) else {
                    throw MalformedAnswer("redirects to nowhere")
                }
                address = next
            default: throw RemoteServerFailure(status: 502, message: "A redirect leads to status \(response.status)")
            }
        }
        throw MalformedAnswer("redirects too often")
    }

    private static func file(_ response: IncomingResponse) -> RemoteFile {
        let file = ArrivingFile(response)
        return RemoteFile(
            contentType: response.headers.first(name: "content-type"),
            fileName: response.headers.first(name: "content-disposition")
                .flatMap { ContentDisposition.fileName(in: $0) },
            declaredBytes: response.contentLength, next: telling { try await file.next() }
        )
    }

    /// Pieces of a file, and if they break off what whoever asks for it is told.
    private static func telling(
        _ next: @escaping @Sendable () async throws -> [UInt8]?
    ) -> @Sendable () async throws -> [UInt8]? {
        {
            do { return try await next() } catch {
                throw mediaError(error)
            }
        }
    }

    /// What whoever asks for the file is told.
    private static func mediaError(_ error: any Error) -> any Error {
        if error is MatrixError || error is CancellationError { return error }
        guard let failure = error as? RemoteServerFailure else {
            return MatrixError(502, .unknown, "The file's server answers with what is no file")
        }
        if failure.code == .notYetUploaded || failure.status == 504 {
            return MatrixError(504, .notYetUploaded, "The file's server does not have it yet")
        }
        if failure.code == .tooLarge { return MatrixError(502, .tooLarge, "The file is too large for its server") }
        if failure.isAnswer, failure.status == 429 {
            return MatrixError.limitExceeded(retryAfterMilliseconds: failure.retryAfterMilliseconds ?? 1_000)
        }
        return MatrixError.notFound("The file's server does not give it out: \(failure.message)")
    }
}

/// A file's bytes, from a server that may be slow, but not for ever.
private final class ArrivingFile: Sendable {
    private let response: IncomingResponse
    private let deadline: NIODeadline

    /// Between two pieces.
    private static let pauseMilliseconds: Int64 = 30_000
    /// For all of it.
    private static let totalTime = TimeAmount.minutes(15)

    init(_ response: IncomingResponse) {
        self.response = response
        deadline = .now() + Self.totalTime
    }

    func next() async throws -> [UInt8]? {
        let left = (deadline - .now()).nanoseconds / 1_000_000
        do {
            return try await within(milliseconds: min(left, Self.pauseMilliseconds)) { [response] in
                try await response.next()
            }
        } catch is DeadlineExceeded {
            throw MatrixError(504, .unknown, "The file's server is too slow")
        }
    }
}

/// The file in an answer of two parts. There is one reader.
private final class MultipartBody: @unchecked Sendable {
    private let file: ArrivingFile
    private var reader: MultipartReader
    private var waiting: ArraySlice<MultipartReader.Output> = []

    init(_ file: ArrivingFile, _ reader: MultipartReader) {
        self.file = file
        self.reader = reader
    }

    func head() async throws -> [MultipartReader.Field] {
        guard case .head(let fields) = try await output() else { throw MalformedAnswer("has no file") }
        return fields
    }

    func next() async throws -> [UInt8]? {
        switch try await output() {
        case .content(let bytes): return bytes
        case .end: return nil
        case .head: throw MalformedAnswer("has two files")
        }
    }

    private func output() async throws -> MultipartReader.Output {
        while true {
            if let next = waiting.popFirst() { return next }
            guard let bytes = try await file.next() else {
                try reader.finish()
                return .end
            }
            waiting = try reader.receive(bytes)[...]
        }
    }
}
