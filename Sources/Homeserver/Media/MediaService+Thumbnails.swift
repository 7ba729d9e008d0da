import Matrix
import Store
import Synchronization

/// A thumbnail that is to be made.
struct ThumbnailWork: Hashable {
    let media: MediaNumber
    let key: ThumbnailKey
}

extension MediaService {
    /// A thumbnail of a file: made when it is first asked for, and kept.
    ///
    /// - Parameters:
    ///   - reference: The file.
    ///   - key: What the thumbnail is to be like.
    ///   - patience: How long to wait for the file.
    /// - Throws: 400 `M_UNKNOWN` for what is no picture, or a damaged one; 413 `M_TOO_LARGE`, 502 for another server's file; 429
    ///   `M_LIMIT_EXCEEDED` when too many wait for thumbnails; and as ``file(_:patience:)``.
    public func thumbnail(
        of reference: MediaReference, _ key: ThumbnailKey, patience: MediaPatience = MediaPatience()
    ) async throws -> StoredFile {
        let (media, blob) = try await content(of: reference, patience)
        let known = try await store.read { try $0.media.thumbnail(of: media.number, key) }
        let thumbnail: ThumbnailRecord
        if let known {
            thumbnail = known
        } else {
            // A picture that was just sent is asked for by everyone in the room at once.
            thumbnail = try await thumbnailsInTheMaking.run(ThumbnailWork(media: media.number, key: key)) { [self] in
                try await makeThumbnail(of: media, blob, key)
            }
        }
        let name = "thumbnail." + (thumbnail.contentType.split(separator: "/").last ?? "bin")
        return try await file(thumbnail.blob, of: media, contentType: thumbnail.contentType, name: name)
    }

    private func makeThumbnail(
        of media: MediaRecord, _ blob: BlobRecord, _ key: ThumbnailKey
    ) async throws -> ThumbnailRecord {
        guard let source = try await blobs.source(of: blob.name) else {
            throw StoreError.inconsistent("the blob \(blob.name) is missing")
        }
        let thumbnail: Thumbnail
        do {
            thumbnail = try await thumbnailer.thumbnail(of: source, sizeBytes: blob.size, key)
        } catch let failure as ThumbnailFailure {
            throw Self.error(for: failure, isRemote: media.reference.server != serverName)
        }
        switch thumbnail {
        case .original(let contentType):
            try await store.write { writer in
                guard try writer.blobs.retain(sha256: blob.sha256) else { throw Self.notFound }
                try Self.insert(key, of: media, contentType, blob.sha256, writer)
            }
        case .made(let bytes, let contentType):
            let rest = Mutex<[UInt8]?>(bytes)
            let next: @Sendable () async throws -> [UInt8]? = {
                rest.withLock { rest in
                    defer { rest = nil }
                    return rest
                }
            }
            try await take(Int64(bytes.count), limit: .max, next: next) { writer, sha256 in
                try Self.insert(key, of: media, contentType, sha256, writer)
            }
        }
        guard let record = try await store.read({ try $0.media.thumbnail(of: media.number, key) }) else {
            throw Self.notFound
        }
        return record
    }

    /// Adds a thumbnail, or gives its bytes up if another node was faster or the file is gone.
    private static func insert(
        _ key: ThumbnailKey, of media: MediaRecord, _ contentType: String, _ sha256: [UInt8], _ writer: StoreWriter
    ) throws {
        let isNew = try writer.media.insertThumbnail(
            of: media.number, key, contentType: contentType, sha256: sha256)
        if !isNew { try writer.blobs.release(sha256: sha256) }
    }

    private static func error(for failure: ThumbnailFailure, isRemote: Bool) -> MatrixError {
        switch failure {
        case .notAPicture: MatrixError(400, .unknown, "There can be no thumbnail of a file of this kind")
        case .damaged: MatrixError(400, .unknown, "There can be no thumbnail of this picture: it is damaged")
        case .tooLarge: MatrixError(isRemote ? 502 : 413, .tooLarge, "The picture is too large for a thumbnail")
        case .busy: .limitExceeded(retryAfterMilliseconds: 2000)
        }
    }
}
