import Homeserver
import Matrix
import Web

/// POST /get_token, as [MSC4195](https://github.com/matrix-org/matrix-spec-proposals/pull/4195) has it for services of their own: lets somebody
/// into a call who shows by an OpenID token who they are, also users of other servers.
struct GetLiveKitToken: Endpoint {
    static let routes: [Route] = .liveKit("/get_token")
    static let authentication: Authentication<Anonymous> = .none

    let liveKit: LiveKitAuthorization

    typealias Request = LiveKitRequest

    func handle(_ request: LiveKitRequest, caller: Anonymous) async throws -> LiveKitAnswer {
        let user = try await liveKit.user(
            ofOpenIDToken: request.token, at: request.server, claimed: request.claimed)
        return LiveKitAnswer(try await liveKit.admit(user, to: request.seat, delay: request.delay))
    }
}
