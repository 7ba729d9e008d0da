import Homeserver
import Matrix
import Store
import Web

/// `POST /_synapse/mas/upsert_device`: makes a device (201), or renames it (200). Body: `localpart`, `device_id`, `display_name`.
struct UpsertServiceDevice: Endpoint {
    static let routes: [Route] = .service(.post, "upsert_device")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> StatusAnswer {
        let device = try request.body.required("device_id", as: .identifier) as DeviceID
        let name = try request.body.optional("display_name", as: .string)
        let account = try await users.account(request.localpart)
        let isNew = try await users.administration.devices.make(
            device, of: account.user, named: name,
            alongside: users.noting(
                .deviceCreate, account.userID, request, ["device_id": .string(device.string)]))
        return StatusAnswer(status: isNew ? 201 : 200, json: [:])
    }
}

/// `POST /_synapse/mas/delete_device`: removes a device, if it is there (204). Body: `localpart`, `device_id`.
struct DeleteServiceDevice: Endpoint {
    static let routes: [Route] = .service(.post, "delete_device")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> HTTPResponse {
        let device = try request.body.required("device_id", as: .identifier) as DeviceID
        let account = try await users.account(request.localpart)
        try await users.administration.devices.delete(
            [device], of: account.user,
            alongside: users.noting(.sessionEnd, account.userID, request, ["device_id": .string(device.string)]))
        return HTTPResponse(status: 204)
    }
}

/// `POST /_synapse/mas/update_device_display_name`. Body: `localpart`, `device_id`, `display_name`.
struct RenameServiceDevice: Endpoint {
    static let routes: [Route] = .service(.post, "update_device_display_name")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> EmptyResponse {
        let device = try request.body.required("device_id", as: .identifier) as DeviceID
        let name = try request.body.required("display_name", as: .string)
        let account = try await users.account(request.localpart)
        try await users.administration.devices.rename(
            device, of: account.user, to: name,
            alongside: users.noting(
                .deviceRename, account.userID, request, ["device_id": .string(device.string)]))
        return EmptyResponse()
    }
}

/// `POST /_synapse/mas/sync_devices`: makes the devices that a user does not have, and removes those that are not named. Body: `localpart`,
/// `devices`.
struct SyncServiceDevices: Endpoint {
    static let routes: [Route] = .service(.post, "sync_devices")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> EmptyResponse {
        let wanted = Set(try request.body.required("devices", as: .array(of: .identifier)) as [DeviceID])
        let account = try await users.account(request.localpart)
        let (known, dehydrated) = try await users.store.read { reader in
            (
                Set(try reader.devices.devices(of: account.user).map(\.id)),
                try reader.dehydratedDevices.device(of: account.user)?.id
            )
        }
        // The service knows nothing of a device that nobody has signed in with.
        let extra = known.subtracting(wanted).filter { $0 != dehydrated }
        let devices = users.administration.devices
        if !extra.isEmpty {
            try await devices.delete(
                Array(extra), of: account.user,
                alongside: users.noting(
                    .sessionEnd, account.userID, request,
                    ["device_ids": .array(extra.map(\.string).sorted().map { .string($0) })]))
        }
        for device in wanted.subtracting(known) {
            _ = try await devices.make(
                device, of: account.user, named: nil,
                alongside: users.noting(
                    .deviceCreate, account.userID, request, ["device_id": .string(device.string)]))
        }
        return EmptyResponse()
    }
}
