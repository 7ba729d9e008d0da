import Homeserver
import Matrix
import Web

/// [DELETE /devices/{deviceId}](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid): removes a
/// device, which ends its session.
struct DeleteDevice: Endpoint {
    static let routes: [Route] = .client(.delete, "/devices/{deviceId}")
    static let authentication: Authentication<Caller> = .required

    let devices: DeviceService
    let interactive: InteractiveAuthentication

    struct Request: RequestDecodable {
        let device: DeviceID
        let auth: JSON?

        init(from input: RequestInput) throws {
            device = try input.path("deviceId")
            auth = try input.bodyOrEmpty.optional("auth", as: .rawObject)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        let authorization = try await interactive.authorize(
            .withPassword("DELETE devices \(request.device)", of: caller), auth: request.auth
        )
        try await devices.delete([request.device], of: caller.user) { [interactive] writer in
            try interactive.finish(authorization, in: writer)
        }
        return EmptyResponse()
    }
}
