import Homeserver
import Matrix
import Web

/// [GET /devices/{deviceId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devicesdeviceid): one of the user's
/// devices.
struct GetDevice: Endpoint {
    static let routes: [Route] = .client(.get, "/devices/{deviceId}")
    static let authentication: Authentication<Caller> = .allowingGuests

    let devices: DeviceService

    struct Request: RequestDecodable {
        let device: DeviceID

        init(from input: RequestInput) throws { device = try input.path("deviceId") }
    }

    func handle(_ request: Request, caller: Caller) async throws -> DeviceResponse {
        DeviceResponse(device: try await devices.device(request.device, of: caller.user))
    }
}
