import Homeserver
import Matrix
import Store
import Web

/// [GET /pushers](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushers): the user's pushers.
struct GetPushers: Endpoint {
    static let routes: [Route] = .client(.get, "/pushers")
    static let authentication: Authentication<Caller> = .required

    let pushers: PusherService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    struct Response: ResponseEncodable {
        let pushers: [PusherRecord]

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.key("pushers")
            encoder.json.beginArray()
            for pusher in pushers {
                encoder.json.beginObject()
                encoder.json.member("pushkey", pusher.pushKey)
                encoder.json.member("kind", pusher.kind)
                encoder.json.member("app_id", pusher.appID)
                encoder.json.member("app_display_name", pusher.appDisplayName)
                encoder.json.member("device_display_name", pusher.deviceDisplayName)
                encoder.json.member("profile_tag", pusher.profileTag)
                encoder.json.member("lang", pusher.language)
                encoder.json.key("data")
                encoder.json.writeRaw(pusher.data)
                encoder.json.endObject()
            }
            encoder.json.endArray()
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        Response(pushers: try await pushers.pushers(of: caller.user))
    }
}
