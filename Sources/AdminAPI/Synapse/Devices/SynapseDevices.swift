import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v2/users/{userId}/devices`: a user's devices.
struct ListSynapseDevices: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v2/users/{userId}/devices")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        let (devices, dehydrated) = try await services.store.read { reader in
            (
                try reader.devices.devices(of: account.user),
                try reader.dehydratedDevices.device(of: account.user)?.id
            )
        }
        let list = devices.map { device in
            var json = device.json(of: account)
            json["dehydrated"] = .bool(device.id == dehydrated)
            return json
        }
        return ["devices": .array(list), "total": .integer(Int64(devices.count))]
    }
}

/// `POST /_synapse/admin/v2/users/{userId}/devices`: makes a device without a session (201). One that is there stays as it is.
///
/// Body: `device_id`.
struct MakeSynapseDevice: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v2/users/{userId}/devices")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let device: DeviceID

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            device = try input.body.required("device_id", as: .identifier)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> StatusAnswer {
        let account = try await services.account(of: request.user)
        _ = try await services.administration.devices.make(
            request.device, of: account.user, named: nil,
            alongside: services.noting(
                .deviceCreate, on: account.userID.string, by: caller,
                detail: ["device_id": .string(request.device.string)]))
        return StatusAnswer(status: 201, json: [:])
    }
}

/// A request about one device of a user.
struct SynapseDeviceRequest: RequestDecodable {
    let user: UserID
    let device: DeviceID

    init(from input: RequestInput) throws {
        user = try input.path("userId")
        device = try input.path("deviceId")
    }
}

/// `GET /_synapse/admin/v2/users/{userId}/devices/{deviceId}`: a device.
struct GetSynapseDevice: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v2/users/{userId}/devices/{deviceId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseDeviceRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        return try await services.administration.devices.device(request.device, of: account.user).json(of: account)
    }
}

/// `PUT /_synapse/admin/v2/users/{userId}/devices/{deviceId}`: gives a device another name.
///
/// Body: `display_name`; without it nothing changes.
struct RenameSynapseDevice: Endpoint {
    static let routes = [Route.put("/_synapse/admin/v2/users/{userId}/devices/{deviceId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let device: SynapseDeviceRequest
        let name: String?

        init(from input: RequestInput) throws {
            device = try SynapseDeviceRequest(from: input)
            name = try input.bodyOrEmpty.optional("display_name", as: .string)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.account(of: request.device.user)
        let devices = services.administration.devices
        let device = try await devices.device(request.device.device, of: account.user)
        guard let name = request.name else { return EmptyResponse() }
        try await devices.rename(
            device.id, of: account.user, to: name,
            alongside: services.noting(
                .deviceRename, on: account.userID.string, by: caller, detail: ["device_id": .string(device.id.string)]))
        return EmptyResponse()
    }
}

/// `DELETE /_synapse/admin/v2/users/{userId}/devices/{deviceId}`: removes a device, which ends its session.
struct DeleteSynapseDevice: Endpoint {
    static let routes = [Route.delete("/_synapse/admin/v2/users/{userId}/devices/{deviceId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseDeviceRequest, caller: Operator) async throws -> EmptyResponse {
        try await services.deleteDevices([request.device], of: request.user, by: caller)
        return EmptyResponse()
    }
}

/// `POST /_synapse/admin/v2/users/{userId}/delete_devices`: removes devices, which ends their sessions.
///
/// Body: `devices` (identifiers). Those that there are not are passed over.
struct DeleteSynapseDevices: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v2/users/{userId}/delete_devices")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let devices: [DeviceID]

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            devices = try input.body.required("devices", as: .array(of: .identifier))
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        try await services.deleteDevices(request.devices, of: request.user, by: caller)
        return EmptyResponse()
    }
}

extension SynapseServices {
    fileprivate func deleteDevices(_ devices: [DeviceID], of user: UserID, by caller: Operator) async throws {
        let account = try await account(of: user)
        let names = devices.map { JSONValue.string($0.string) }
        try await administration.devices.delete(
            devices, of: account.user,
            alongside: noting(
                .sessionEnd, on: account.userID.string, by: caller,
                detail: names.count == 1 ? ["device_id": names[0]] : ["device_ids": .array(names)]))
    }
}

extension DeviceRecord {
    fileprivate func json(of account: AccountRecord) -> JSONValue {
        [
            "device_id": .string(id.string), "display_name": displayName.json, "last_seen_ip": lastSeenAddress.json,
            "last_seen_user_agent": lastSeenUserAgent.json, "last_seen_ts": lastSeenAt.json,
            "user_id": .string(account.userID.string),
        ]
    }
}
