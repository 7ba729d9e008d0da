import Matrix
import Store

/// A file that a client sends.
public struct IncomingFile: Sendable {
    /// What the client says of it.
    public var description: MediaDescription
    /// How many bytes the client says it has.
    public var declaredBytes: Int64?
    /// The next piece, or `nil` at the end. Whoever calls it holds the client back until then.
    public var next: @Sendable () async throws -> [UInt8]?

    /// A file.
    public init(
        contentType: String?, uploadName: String?, declaredBytes: Int64?,
        next: @escaping @Sendable () async throws -> [UInt8]?
    ) {
        description = MediaDescription(
            contentType: contentType ?? "application/octet-stream", uploadName: uploadName)
        self.declaredBytes = declaredBytes
        self.next = next
    }
}

extension MediaService {
    /// Takes a file in. Nothing is left of it if it is too large or the client goes away.
    ///
    /// - Throws: 413 `M_TOO_LARGE`; 400 `M_INVALID_PARAM` for a name or a type that cannot be kept.
    public func upload(_ file: IncomingFile, by user: UserNumber) async throws -> MediaReference {
        let description = try checked(file.description)
        let reference = newReference()
        let now = clock.now
        try await take(file.declaredBytes, limit: policy.maximumUploadBytes, next: file.next) { writer, sha256 in
            guard try writer.media.insert(reference, uploader: user, description, sha256: sha256, now: now) else {
                throw StoreError.inconsistent("a media ID was given out twice")
            }
        }
        return reference
    }

    /// Gives out a URI for a file that is to follow.
    ///
    /// - Returns: The URI, and until when it is kept, in milliseconds since 1970.
    /// - Throws: 429 `M_LIMIT_EXCEEDED` for a user who has too many of these.
    public func reserve(for user: UserNumber) async throws -> (reference: MediaReference, expires: Int64) {
        let reference = newReference()
        let now = clock.now
        let expires = now + policy.awaitedLifetimeMilliseconds
        let limit = policy.maximumAwaitedPerUser
        try await store.write { writer in
            let awaited = try writer.read.media.awaited(of: user, now: now)
            guard awaited.count < limit else {
                throw MatrixError.limitExceeded(retryAfterMilliseconds: (awaited.firstExpiry ?? expires) - now)
            }
            try writer.media.reserve(reference, for: user, now: now, expires: expires)
        }
        return (reference, expires)
    }

    /// Takes the file in that a URI was given out for.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if the URI was not given out here or has expired; 403 `M_FORBIDDEN` if it was given to somebody
    ///   else; 409 `M_CANNOT_OVERWRITE_MEDIA` if there is a file already; and as ``upload(_:by:)``.
    public func upload(_ file: IncomingFile, to reference: MediaReference, by user: UserNumber) async throws {
        let description = try checked(file.description)
        let media = try await store.read { try $0.media.media(reference) }
        guard let media, let uploader = media.uploader else { throw Self.notFound }
        guard uploader == user else { throw MatrixError.forbidden("This media ID belongs to somebody else") }
        guard case .awaited(let expires) = media.content else { throw Self.cannotOverwrite }
        let now = clock.now
        guard expires > now else { throw Self.notFound }
        try await take(file.declaredBytes, limit: policy.maximumUploadBytes, next: file.next) { writer, sha256 in
            if try writer.media.fill(media.number, description, sha256: sha256, now: now) { return }
            // Somebody was faster: the same user from another device, or the sweep.
            throw try writer.read.media.media(reference) == nil ? Self.notFound : Self.cannotOverwrite
        }
        arrivals.arrived(reference)
    }

    // MARK: -

    /// Takes bytes in, and lets `refer` refer to them in the transaction that makes them known.
    func take(
        _ declaredBytes: Int64?, limit: Int64, next: @Sendable () async throws -> [UInt8]?,
        refer: @escaping @Sendable (StoreWriter, _ sha256: [UInt8]) throws -> Void
    ) async throws {
        if let declaredBytes, declaredBytes > limit { throw MatrixError.tooLarge("The file is too large") }
        let upload = try await blobs.begin()
        do {
            var size: Int64 = 0
            while let piece = try await next() {
                size += Int64(piece.count)
                guard size <= limit else { throw MatrixError.tooLarge("The file is too large") }
                try await upload.append(piece)
            }
            // Bodies that end early show as an error of `next`; this is for sources that do not notice.
            if let declaredBytes, declaredBytes != size {
                throw MatrixError(400, .unknown, "The file is shorter or longer than was announced")
            }
            try await keep(upload, refer: refer)
        } catch {
            await upload.discard()
            throw error
        }
        await upload.discard()
    }

    private func keep(
        _ upload: any BlobUpload, refer: @escaping @Sendable (StoreWriter, _ sha256: [UInt8]) throws -> Void
    ) async throws {
        let digest = try await upload.seal()
        let isKnown = try await store.write { writer in
            guard try writer.blobs.retain(sha256: digest.sha256) else { return false }
            try refer(writer, digest.sha256)
            return true
        }
        if isKnown { return }
        let name = Self.hexadecimal(digest.sha256) + "-" + randomness.text(8)
        let due = clock.now + Self.announcementLifetimeMilliseconds
        try await store.write { try $0.blobs.announce(name, due: due) }
        try await upload.publish(as: name)
        try await store.write { writer in
            let blob = BlobRecord(sha256: digest.sha256, name: name, size: digest.size)
            guard try writer.blobs.adopt(blob) else {
                throw MatrixError.unavailable("Storing the file took too long; try again")
            }
            try refer(writer, digest.sha256)
        }
    }

    private func checked(_ description: MediaDescription) throws -> MediaDescription {
        let type = description.contentType
        guard (1...255).contains(type.utf8.count), type.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw MatrixError.invalidParameter("The content type is not one")
        }
        if let name = description.uploadName {
            guard name.utf8.count <= 1024, !name.utf8.contains(0) else {
                throw MatrixError.invalidParameter("The file name is longer than 1024 bytes or holds a zero")
            }
        }
        return description
    }

    func newReference() -> MediaReference {
        // 24 letters and digits of randomness always make a media ID.
        MediaReference(server: serverName, id: MediaID(trusted: randomness.text(24)))
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// How long publishing may take once a name is announced.
    private static let announcementLifetimeMilliseconds: Int64 = 3_600_000

    private static let cannotOverwrite = MatrixError(409, .cannotOverwriteMedia, "This media ID has a file already")
}
