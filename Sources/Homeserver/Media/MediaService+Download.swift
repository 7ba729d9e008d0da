import Matrix
import Store

/// A file that can be sent.
public struct StoredFile: Sendable {
    /// What it is, as its uploader has it; for thumbnails what it really is.
    public var contentType: String
    /// Its name, as its uploader has it.
    public var uploadName: String?
    /// How many bytes it has.
    public var size: Int64
    /// The SHA-256 of its bytes.
    public var sha256: [UInt8]
    /// Where its bytes can be read.
    public var source: BlobSource
    /// When it came here, in milliseconds since 1970.
    public var created: Int64
}

/// How patient somebody is who asks for a file.
public struct MediaPatience: Sendable {
    /// How long to wait for a file that is to follow, in milliseconds.
    public var milliseconds: Int64
    /// Whether to ask the server that the file was uploaded to.
    public var asksRemoteServers: Bool

    /// 20 seconds, as the specification has it, unless said otherwise.
    public init(milliseconds: Int64 = 20_000, asksRemoteServers: Bool = true) {
        self.milliseconds = milliseconds
        self.asksRemoteServers = asksRemoteServers
    }
}

extension MediaService {
    /// A file.
    ///
    /// - Throws: 404 `M_NOT_FOUND`; 504 `M_NOT_YET_UPLOADED`; 502 `M_TOO_LARGE` for another server's file.
    public func file(_ reference: MediaReference, patience: MediaPatience = MediaPatience()) async throws -> StoredFile
    {
        let (media, blob) = try await content(of: reference, patience)
        return try await file(
            blob, of: media, contentType: media.contentType ?? "application/octet-stream", name: media.uploadName)
    }

    /// The record of a file whose bytes are here, now or within the time given.
    func content(of reference: MediaReference, _ patience: MediaPatience) async throws -> (MediaRecord, BlobRecord) {
        let deadline = clock.now + max(0, min(patience.milliseconds, policy.maximumWaitMilliseconds))
        while true {
            guard let media = try await store.read({ try $0.media.media(reference) }) else {
                return try await fetched(reference, patience)
            }
            if media.isQuarantined { throw Self.notFound }
            let now = clock.now
            switch media.content {
            case .stored(let blob): return (media, blob)
            case .awaited(let expires) where expires <= now: throw Self.notFound
            case .awaited: break
            }
            guard now < deadline, await arrivals.wait(for: reference, atMost: deadline - now) else {
                throw MatrixError(504, .notYetUploaded, "The file has not been uploaded yet")
            }
            try Task.checkCancellation()
        }
    }

    func file(
        _ blob: BlobRecord, of media: MediaRecord, contentType: String, name: String?
    ) async throws -> StoredFile {
        guard let source = try await blobs.source(of: blob.name) else {
            throw StoreError.inconsistent("the blob \(blob.name) is missing")
        }
        return StoredFile(
            contentType: contentType, uploadName: name, size: blob.size, sha256: blob.sha256, source: source,
            created: media.created)
    }

    /// Another server's file, fetched once for all who wait for it, and kept.
    private func fetched(
        _ reference: MediaReference, _ patience: MediaPatience
    ) async throws -> (MediaRecord, BlobRecord) {
        guard reference.server != serverName, patience.asksRemoteServers else { throw Self.notFound }
        let media = try await fetches.run(reference) { [self] in
            let file = try await remote.open(
                reference, timeoutMilliseconds: max(0, min(patience.milliseconds, policy.maximumWaitMilliseconds)))
            let description = MediaDescription(
                contentType: Self.harmless(file.contentType, limit: 255) ?? "application/octet-stream",
                uploadName: Self.harmless(file.fileName, limit: 1024))
            let now = clock.now
            do {
                try await take(file.declaredBytes, limit: policy.maximumRemoteBytes, next: file.next) {
                    writer, sha256 in
                    // Another node may have fetched it meanwhile: then that copy counts.
                    if try !writer.media.insert(reference, uploader: nil, description, sha256: sha256, now: now) {
                        try writer.blobs.release(sha256: sha256)
                    }
                }
            } catch let error as MatrixError where error.status == 413 {
                throw MatrixError(502, .tooLarge, "The file is too large to be fetched")
            }
            guard let media = try await store.read({ try $0.media.media(reference) }) else { throw Self.notFound }
            return media
        }
        guard !media.isQuarantined, case .stored(let blob) = media.content else { throw Self.notFound }
        return (media, blob)
    }

    /// What another server says, if it can be kept.
    private static func harmless(_ text: String?, limit: Int) -> String? {
        guard let text, (1...limit).contains(text.utf8.count), !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
        else { return nil }
        return text
    }
}
