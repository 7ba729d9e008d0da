import Homeserver
import Matrix
import Web

/// `DELETE /_chappe/admin/v1/users/{name}/devices`: ends all sessions of a user; their devices are removed.
struct EndUserSessions: Endpoint {
    static let routes = [Route.delete("/_chappe/admin/v1/users/{name}/devices")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    func handle(_ request: NameRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.accounts.required(request.name)
        let devices = try await services.devices.devices(of: account.user)
        try await services.sessions.endAll(of: account.user) { [audit = services.audit] writer in
            try audit.note(.sessionEnd, by: caller.actor, on: account.userID.string, in: writer)
        }
        return ["ended": .integer(Int64(devices.count))]
    }
}

/// `DELETE /_chappe/admin/v1/users/{name}/devices/{device}`: ends the session of a device, which is removed.
struct EndUserSession: Endpoint {
    static let routes = [Route.delete("/_chappe/admin/v1/users/{name}/devices/{device}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let name: String
        let device: DeviceID

        init(from input: RequestInput) throws {
            name = try input.path("name")
            device = try input.path("device")
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.accounts.required(request.name)
        let device = try await services.devices.device(request.device, of: account.user).id
        try await services.devices.delete([device], of: account.user) { [audit = services.audit] writer in
            try audit.note(
                .sessionEnd, by: caller.actor, on: account.userID.string, detail: ["device_id": .string(device.string)],
                in: writer)
        }
        return ["ended": 1]
    }
}
