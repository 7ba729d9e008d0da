import Matrix

/// Where files are asked for.
public enum MediaTargets {
    /// What is wanted of a file.
    public enum Wanted: Sendable, Hashable {
        /// The file itself.
        case file
        /// A small picture of it: pixels across and down, `crop` or `scale`, and whether it may move.
        case thumbnail(width: Int, height: Int, method: String, isAnimated: Bool)
    }

    /// [GET /media/download/{mediaId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediadownloadmediaid) and
    /// [GET /media/thumbnail/{mediaId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediathumbnailmediaid)
    public static func federation(_ id: MediaID, _ wanted: Wanted, timeoutMilliseconds: Int64) -> RequestTarget {
        switch wanted {
        case .file: .v1("media/download", id.string).with("timeout_ms", String(timeoutMilliseconds))
        case .thumbnail:
            thumbnail(.v1("media/thumbnail", id.string), wanted).with("timeout_ms", String(timeoutMilliseconds))
        }
    }

    /// [GET /_matrix/media/v3/download](https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaid) and
    /// the like for thumbnails: for servers from before version 1.11 of the specification.
    public static func legacy(
        _ reference: MediaReference, _ wanted: Wanted, timeoutMilliseconds: Int64
    ) -> RequestTarget {
        let target =
            switch wanted {
            case .file: RequestTarget("/_matrix/media/v3/download", reference.server.string, reference.id.string)
            case .thumbnail:
                thumbnail(
                    RequestTarget("/_matrix/media/v3/thumbnail", reference.server.string, reference.id.string), wanted)
            }
        return target.with("allow_remote", "false").with("allow_redirect", "true")
            .with("timeout_ms", String(timeoutMilliseconds))
    }

    private static func thumbnail(_ target: RequestTarget, _ wanted: Wanted) -> RequestTarget {
        guard case .thumbnail(let width, let height, let method, let isAnimated) = wanted else { return target }
        return target.with("width", String(width)).with("height", String(height)).with("method", method)
            .with("animated", isAnimated ? "true" : "false")
    }
}
