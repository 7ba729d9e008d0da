import Homeserver
import Matrix
import Web

/// POST /sfu/get: ``GetLiveKitToken`` as clients asked before
/// [MSC4195](https://github.com/matrix-org/matrix-spec-proposals/pull/4195) had slots.
struct GetLegacyLiveKitToken: Endpoint {
    static let routes: [Route] = .liveKit("/sfu/get")
    static let authentication: Authentication<Anonymous> = .none

    let liveKit: LiveKitAuthorization

    struct Request: RequestDecodable {
        let request: LiveKitRequest
        init(from input: RequestInput) throws { request = try LiveKitRequest(legacy: input) }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> LiveKitAnswer {
        let request = request.request
        let user = try await liveKit.user(ofOpenIDToken: request.token, at: request.server, claimed: nil)
        return LiveKitAnswer(try await liveKit.admit(user, to: request.seat, delay: request.delay))
    }
}
