import Homeserver
import Matrix
import Web

/// [POST /delete_devices](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices): removes several devices.
struct DeleteDevices: Endpoint {
    static let routes: [Route] = .client(.post, "/delete_devices")
    static let authentication: Authentication<Caller> = .required

    let devices: DeviceService
    let interactive: InteractiveAuthentication

    struct Request: RequestDecodable {
        let devices: [DeviceID]
        let auth: JSON?

        init(from input: RequestInput) throws {
            let body = try input.body
            devices = try body.required("devices", as: .array(of: .identifier))
            auth = try body.optional("auth", as: .rawObject)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        // The names are part of what is authorized, whatever order they come in.
        let names = JSONValue.array(request.devices.sorted().map { .string($0.string) }).serialized()
        let operation = "POST delete_devices \(String(decoding: names, as: UTF8.self))"
        let authorization = try await interactive.authorize(.withPassword(operation, of: caller), auth: request.auth)
        try await devices.delete(request.devices, of: caller.user) { [interactive] writer in
            try interactive.finish(authorization, in: writer)
        }
        return EmptyResponse()
    }
}
