import Homeserver
import Matrix
import Web

/// POST /delegate_delayed_leave, as [MSC4195](https://github.com/matrix-org/matrix-spec-proposals/pull/4195) has it for services of their own:
/// somebody who is in a call leaves it to the server to say when they have gone.
struct DelegateDelayedLeave: Endpoint {
    static let routes: [Route] = .liveKit("/delegate_delayed_leave")
    static let authentication: Authentication<Anonymous> = .none

    let liveKit: LiveKitAuthorization

    typealias Request = LiveKitRequest

    func handle(_ request: LiveKitRequest, caller: Anonymous) async throws -> EmptyResponse {
        guard let delay = request.delay else {
            throw MatrixError.badJSON("delay_id or delay_timeout is missing")
        }
        let user = try await liveKit.user(
            ofOpenIDToken: request.token, at: request.server, claimed: request.claimed)
        try await liveKit.delegate(delay, of: user, in: request.seat)
        return EmptyResponse()
    }
}
