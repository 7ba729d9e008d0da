import Homeserver
import Web

/// [GET /_matrix/client/v1/media/preview_url](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url), and the
/// deprecated [GET /_matrix/media/v3/preview_url](https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3preview_url)
struct PreviewURL: Endpoint {
    static let routes =
        [Route].client(.get, "/media/preview_url", versions: ["v1"]) + [Route].media(.get, "/preview_url")
    static let authentication = Authentication<Caller>.required
    static let rateLimit = RateLimitClass.preview

    let previews: PreviewService

    struct Request: RequestDecodable {
        let url: String
        let timestamp: Int64?

        init(from input: RequestInput) throws {
            url = try input.requiredQuery("url", as: .string)
            timestamp = try input.query("ts", as: .milliseconds)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> HTTPResponse {
        try caller.checkNotSuspended()
        return HTTPResponse.json(200, try await previews.preview(of: request.url, at: request.timestamp))
    }
}

extension Router {
    /// Serves previews of web pages.
    public func addPreviewRoutes(previews: PreviewService, in environment: EndpointEnvironment) {
        add(PreviewURL(previews: previews), in: environment)
    }
}
