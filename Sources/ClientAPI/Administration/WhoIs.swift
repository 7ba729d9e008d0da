import Homeserver
import Matrix
import Store
import Web

/// [GET /admin/whois/{userId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3adminwhoisuserid): where a user's
/// sessions are. For administrators, and for the user.
struct WhoIs: Endpoint {
    static let routes: [Route] = .client(.get, "/admin/whois/{userId}")
    static let authentication: Authentication<Caller> = .required

    let accounts: AccountService
    let devices: DeviceService

    struct Request: RequestDecodable {
        let user: UserID

        init(from input: RequestInput) throws { user = try input.path("userId") }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        guard caller.isAdministrator || caller.userID == request.user else {
            throw MatrixError.forbidden("Only administrators can do this")
        }
        let account = try await accounts.moderated(request.user)
        var devices: JSONObject = [:]
        for device in try await self.devices.devices(of: account.user) {
            var connection: JSONObject = [:]
            if let address = device.lastSeenAddress { connection["ip"] = .string(address) }
            if let time = device.lastSeenAt { connection["last_seen"] = .integer(time) }
            if let agent = device.lastSeenUserAgent { connection["user_agent"] = .string(agent) }
            let connections: [JSONValue] = connection.isEmpty ? [] : [.object(connection)]
            devices[device.id.string] = ["sessions": [["connections": .array(connections)]]]
        }
        return ["user_id": .string(request.user.string), "devices": .object(devices)]
    }
}
