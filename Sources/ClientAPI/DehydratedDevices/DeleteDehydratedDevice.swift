import Homeserver
import Matrix
import Web

/// [DELETE /dehydrated_device](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)
struct DeleteDehydratedDevice: Endpoint {
    static let routes = [Route].dehydratedDevice(.delete)
    static let authentication: Authentication<Caller> = .required

    let devices: DehydratedDeviceService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        ["device_id": .string(try await devices.delete(of: caller.user).string)]
    }
}
