import Homeserver
import Matrix
import Web

/// [POST /keys/device_signing/upload](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload):
/// publishes cross-signing keys.
struct UploadCrossSigningKeys: Endpoint {
    static let routes: [Route] = .client(.post, "/keys/device_signing/upload", versions: ["v3", "r0", "unstable"])
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .standard

    let crossSigning: CrossSigningService

    struct Request: RequestDecodable {
        let master: JSON?
        let selfSigning: JSON?
        let userSigning: JSON?
        let auth: JSON?

        init(from input: RequestInput) throws {
            let body = try input.body
            master = try body.optional("master_key", as: .rawObject)
            selfSigning = try body.optional("self_signing_key", as: .rawObject)
            userSigning = try body.optional("user_signing_key", as: .rawObject)
            auth = try body.optional("auth", as: .rawObject)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        let upload = try CrossSigningUpload(
            master: request.master, selfSigning: request.selfSigning, userSigning: request.userSigning,
            owner: caller.userID
        )
        try await crossSigning.upload(
            upload, user: caller.user, userID: caller.userID, auth: request.auth,
            isAppService: caller.appServiceID != nil
        )
        return EmptyResponse()
    }
}
