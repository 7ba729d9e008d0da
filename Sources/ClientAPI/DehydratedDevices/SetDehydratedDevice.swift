import Homeserver
import Matrix
import Store
import Web

/// [PUT /dehydrated_device](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)
struct SetDehydratedDevice: Endpoint {
    static let routes = [Route].dehydratedDevice(.put)
    static let authentication: Authentication<Caller> = .required

    let devices: DehydratedDeviceService

    var body: BodyPolicy { .buffered(limitBytes: 4 << 20) }

    struct Request: RequestDecodable {
        let device: DehydratedDevice
        let name: String?
        let keys: KeyUpload

        init(from input: RequestInput) throws {
            let body = try input.body
            let data = try body.required("device_data", as: .any)
            guard data["algorithm"]?.string != nil else {
                throw MatrixError.badJSON("device_data must name its algorithm")
            }
            device = DehydratedDevice(id: try body.required("device_id", as: .identifier), data: Array(data.bytes))
            name = try body.optional("initial_device_display_name", as: .string)
            keys = try KeyUpload(
                deviceKeys: try body.optional("device_keys", as: .any),
                oneTimeKeys: try body.optional("one_time_keys", as: .any),
                fallbackKeys: try body.optional("fallback_keys", as: .any)
            )
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try await devices.set(
            request.device, name: request.name, keys: request.keys, of: caller.user, userID: caller.userID)
        return ["device_id": .string(request.device.id.string)]
    }
}
