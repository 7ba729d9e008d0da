import Homeserver
import Matrix
import Web

/// POST /sfu_webhook: what LiveKit tells of who comes and goes, for the delayed events of
/// [MSC4195](https://github.com/matrix-org/matrix-spec-proposals/pull/4195).
struct ReceiveLiveKitReport: Endpoint {
    static let routes: [Route] = .liveKit("/sfu_webhook")
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    let liveKit: LiveKitAuthorization

    typealias Request = SignedReport

    func handle(_ request: SignedReport, caller: Anonymous) async throws -> EmptyResponse {
        try await liveKit.hear(request.body, authorization: request.authorization)
        return EmptyResponse()
    }
}

/// POST /_matrix/client/unstable/fr.gouv.chappe/calls/{service}/webhook: what a conference service tells of its meetings. They come back to their
/// rooms as events of the family of [MSC3401](https://github.com/matrix-org/matrix-spec-proposals/pull/3401); see `Deploy/CALLS.md`.
struct ReceiveConferenceReport: Endpoint {
    static let routes: [Route] =
        .client(.post, "/calls/{service}/webhook", versions: ["unstable/fr.gouv.chappe"])
    static let authentication: Authentication<Anonymous> = .none
    static let rateLimit: RateLimitClass = .none

    let calls: CallService

    struct Request: RequestDecodable {
        let service: String
        let report: SignedReport

        init(from input: RequestInput) throws {
            service = try input.path("service")
            report = try SignedReport(from: input)
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> EmptyResponse {
        try await calls.hear(
            request.report.body, of: request.service, authorization: request.report.authorization,
            signature: request.report.signature)
        return EmptyResponse()
    }
}

/// What somebody tells, byte by byte, and what is to show that they do.
struct SignedReport: RequestDecodable {
    let body: [UInt8]
    let authorization: String?
    let signature: String?

    init(from input: RequestInput) throws {
        body = input.bytes
        authorization = input.request.headers["authorization"]
        signature = input.request.headers["x-visio-signature"]
    }
}
