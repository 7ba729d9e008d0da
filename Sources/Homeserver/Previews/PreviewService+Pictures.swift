import Matrix
import Store

extension PreviewService {
    private static let types = ["image/jpeg", "image/png", "image/gif", "image/webp"]

    /// A picture of a page: one that is here already, or fetched and kept for a while.
    func picture(_ address: WebAddress, _ visit: WebVisit) async throws -> PreviewImage? {
        guard policy.permits(address) else { return nil }
        let now = clock.now
        let keptUntil = now + policy.keptMilliseconds + Self.pictureMarginMilliseconds
        let known = try await store.write { writer in
            try writer.previews.useImage(of: address.description, now: now, keptUntil: keptUntil)
        }
        if let known { return known }
        let (final, answer) = try await visit.open(address, accepts: "image/*")
        return try await picture(final, answer, of: address)
    }

    /// Keeps the picture that arrives. `nil` for what is no picture, or too large.
    func picture(
        _ final: WebAddress, _ answer: WebAnswer, of address: WebAddress? = nil
    ) async throws -> PreviewImage? {
        guard let type = answer.mediaType, Self.types.contains(type) else { return nil }
        let reference = media.newReference()
        let now = clock.now
        let image = NewPreviewImage(
            url: (address ?? final).description, goodUntil: now + policy.freshMilliseconds.upperBound,
            keptUntil: now + policy.keptMilliseconds + Self.pictureMarginMilliseconds)
        let name = final.target.prefix { $0 != "?" }.split(separator: "/").last.map { String($0.suffix(100)) }
        let description = MediaDescription(contentType: type, uploadName: name)
        do {
            try await media.take(answer.contentLength, limit: policy.maximumImageBytes, next: answer.next) {
                writer, sha256 in
                guard try writer.media.insert(reference, uploader: nil, description, sha256: sha256, now: now) else {
                    throw StoreError.inconsistent("a media ID was given out twice")
                }
                try writer.previews.insert(image, reference)
            }
        } catch let error as MatrixError where error.status == 413 || error.status == 400 {
            return nil
        }
        do {
            return try await look(at: reference, type)
        } catch {
            try await store.write { _ = try $0.media.delete(reference) }
            if error is ThumbnailFailure { return nil }
            throw error
        }
    }

    private func look(at reference: MediaReference, _ type: String) async throws -> PreviewImage {
        let file = try await media.file(reference, patience: MediaPatience(milliseconds: 0, asksRemoteServers: false))
        let found = try await pictures.inspect(file.source, sizeBytes: file.size)
        // What calls itself something else than it is may be shown as something else than was looked at.
        guard found.contentType.utf8.elementsEqual(type.utf8) else { throw ThumbnailFailure.damaged }
        try await store.write { try $0.previews.setSize(of: reference, width: found.width, height: found.height) }
        return PreviewImage(
            reference: reference, contentType: type, size: file.size, width: found.width, height: found.height)
    }

    private static let pictureMarginMilliseconds: Int64 = 86_400_000
}
