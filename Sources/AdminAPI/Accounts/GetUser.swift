import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/users/{name}`: an account, its devices and rooms.
struct GetUser: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/users/{name}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let accounts: AccountService
    let addresses: AddressService
    let store: Store

    func handle(_ request: NameRequest, caller: Operator) async throws -> JSONValue {
        let account = try await accounts.required(request.name)
        let (name, devices, rooms) = try await store.read { reader in
            (
                try reader.profiles.displayName(of: account.user), try reader.devices.devices(of: account.user),
                try reader.memberships.joinedRooms(of: account.user).map { try reader.identifiers.room($0) }
            )
        }
        var json = UserDescription.json(account, displayName: name)
        json["devices"] = .array(
            devices.map { device in
                var json: JSONValue = ["device_id": .string(device.id.string)]
                if let name = device.displayName { json["display_name"] = .string(name) }
                if let seen = device.lastSeenAt { json["last_seen_ts"] = .integer(seen) }
                if let address = device.lastSeenAddress { json["last_seen_ip"] = .string(address) }
                return json
            }
        )
        let emails = try await addresses.addresses(of: account.user)
        json["emails"] = .array(emails.map { .string($0.address) })
        json["joined_rooms"] = .array(rooms.map { .string($0.string) })
        return json
    }
}

/// A request that says nothing but whose account it is about.
struct NameRequest: RequestDecodable {
    let name: String

    init(from input: RequestInput) throws { name = try input.path("name") }
}
