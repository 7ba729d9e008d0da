import Homeserver
import Matrix
import Web

/// [GET /devices](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices): the user's devices.
struct ListDevices: Endpoint {
    static let routes: [Route] = .client(.get, "/devices")
    static let authentication: Authentication<Caller> = .allowingGuests

    let devices: DeviceService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    struct Response: ResponseEncodable {
        let devices: [Device]

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.key("devices")
            encoder.json.beginArray()
            for device in devices { DeviceResponse(device: device).write(to: &encoder.json) }
            encoder.json.endArray()
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        Response(devices: try await devices.devices(of: caller.user))
    }
}
