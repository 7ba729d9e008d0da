import Homeserver
import Matrix
import Web

/// [PUT /devices/{deviceId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid): renames a
/// device; an application service makes one that is not there.
struct UpdateDevice: Endpoint {
    static let routes: [Route] = .client(.put, "/devices/{deviceId}")
    static let authentication: Authentication<Caller> = .allowingGuests

    let devices: DeviceService

    struct Request: RequestDecodable {
        let device: DeviceID
        let displayName: String?

        init(from input: RequestInput) throws {
            device = try input.path("deviceId")
            displayName = try input.body.optional("display_name", as: .string)
        }
    }

    struct Response: ResponseEncodable {
        let isNew: Bool

        func encode(into encoder: inout ResponseEncoder) {
            if isNew { encoder.status = 201 }
            EmptyResponse().encode(into: &encoder)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        if caller.appServiceID != nil {
            return Response(
                isNew: try await devices.make(request.device, of: caller.user, named: request.displayName))
        }
        // Without a name nothing changes, but there must be such a device.
        if let name = request.displayName {
            try await devices.rename(request.device, of: caller.user, to: name)
        } else {
            _ = try await devices.device(request.device, of: caller.user)
        }
        return Response(isNew: false)
    }
}
