import Homeserver
import Web

/// What the endpoints of media need.
public struct MediaEndpoints: Sendable {
    let media: MediaService
    let servesLegacy: Bool
    let reads: ReadLog?

    /// - Parameters:
    ///   - media: The files.
    ///   - servesLegacy: Whether files are also served at the paths of old clients, to anyone who knows their URI
    ///     (`media.legacy_unauthenticated`). If not, those paths answer that there is no such file.
    ///   - reads: Notes what is read; `nil` where that is not noted.
    public init(media: MediaService, servesLegacy: Bool = true, reads: ReadLog? = nil) {
        self.media = media
        self.servesLegacy = servesLegacy
        self.reads = reads
    }

    /// Adds the endpoints that take files in and give them out.
    public func register(on router: Router, in environment: EndpointEnvironment) {
        router.add(UploadMedia(media: media), in: environment)
        router.add(CreateMedia(media: media), in: environment)
        router.add(UploadToMedia(media: media), in: environment)
        router.add(GetMediaConfiguration(media: media), in: environment)
        router.add(DownloadMedia(media: media, reads: reads), in: environment)
        router.add(GetThumbnail(media: media, reads: reads), in: environment)
        router.add(LegacyDownloadMedia(media: media, isServed: servesLegacy), in: environment)
        router.add(LegacyGetThumbnail(media: media, isServed: servesLegacy), in: environment)
    }
}

extension [Route] {
    /// A path of the media API in each version that clients use.
    static func media(_ method: HTTPMethod, _ path: String, versions: [String] = ["v3", "r0", "v1"]) -> [Route] {
        versions.map { Route(method, "/_matrix/media/\($0)\(path)") }
    }
}
