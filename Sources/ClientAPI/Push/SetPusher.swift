import Homeserver
import Matrix
import Store
import Web

/// [POST /pushers/set](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset): makes, changes or removes a
/// pusher.
struct SetPusher: Endpoint {
    static let routes: [Route] = .client(.post, "/pushers/set")
    static let authentication: Authentication<Caller> = .required

    let pushers: PusherService

    struct Request: RequestDecodable {
        let appID: String
        let pushKey: String
        let details: Details?

        /// All that a pusher is that is not removed.
        struct Details: Sendable {
            let kind: String
            let appDisplayName: String
            let deviceDisplayName: String
            let profileTag: String?
            let language: String
            let data: JSON
            let keepsOthers: Bool
        }

        init(from input: RequestInput) throws {
            let body = try input.body
            appID = try body.required("app_id", as: .string)
            pushKey = try body.required("pushkey", as: .string)
            guard body.contains("kind") else { throw MatrixError.missingParameter("kind is missing") }
            // Null removes.
            guard let kind = try body.optional("kind", as: .string) else {
                details = nil
                return
            }
            details = Details(
                kind: kind, appDisplayName: try body.required("app_display_name", as: .string),
                deviceDisplayName: try body.required("device_display_name", as: .string),
                profileTag: try body.optional("profile_tag", as: .string),
                language: try body.required("lang", as: .string), data: try body.required("data", as: .rawObject),
                keepsOthers: try body.optional("append", as: .bool, default: false)
            )
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        guard let details = request.details else {
            try await pushers.delete(appID: request.appID, pushKey: request.pushKey, of: caller.user)
            return EmptyResponse()
        }
        let pusher = PusherRecord(
            user: caller.user, device: try caller.requireDevice(), kind: details.kind, appID: request.appID,
            pushKey: request.pushKey, appDisplayName: details.appDisplayName,
            deviceDisplayName: details.deviceDisplayName, profileTag: details.profileTag, language: details.language,
            data: Array(details.data.bytes)
        )
        try await pushers.set(pusher, keepsOthers: details.keepsOthers)
        return EmptyResponse()
    }
}
