import Homeserver
import Matrix
import Web

/// [GET /dehydrated_device](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)
struct GetDehydratedDevice: Endpoint {
    static let routes = [Route].dehydratedDevice(.get)
    static let authentication: Authentication<Caller> = .required

    let devices: DehydratedDeviceService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let device = try await devices.device(of: caller.user)
        return ["device_id": .string(device.id.string), "device_data": try JSON(parsing: device.data).value]
    }
}
