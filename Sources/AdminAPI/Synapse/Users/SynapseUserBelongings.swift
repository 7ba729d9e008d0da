import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/users/{userId}/joined_rooms`: the rooms that a user, of this server or another, is in as far as this server knows.
struct GetSynapseJoinedRooms: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/users/{userId}/joined_rooms")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let rooms = try await store.read { reader -> [JSONValue] in
            guard let user = try reader.identifiers.number(of: request.user) else { return [] }
            return try reader.memberships.joinedRooms(of: user).map { .string(try reader.identifiers.room($0).string) }
        }
        return ["joined_rooms": .array(rooms), "total": .integer(Int64(rooms.count))]
    }
}

/// `GET /_synapse/admin/v1/users/{userId}/memberships`: what a user, of this server or another, is to each room that knows them.
struct GetSynapseMemberships: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/users/{userId}/memberships")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let store: Store

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let memberships = try await store.read { reader -> [(String, JSONValue)] in
            guard let user = try reader.identifiers.number(of: request.user) else { return [] }
            return try reader.memberships.rooms(of: user).map { record in
                (try reader.identifiers.room(record.room).string, .string(record.membership.rawValue))
            }
        }
        return ["memberships": .object(JSONObject(memberships))]
    }
}

/// `GET /_synapse/admin/v1/users/{userId}/accountdata`: what a user's clients keep here.
struct GetSynapseAccountData: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/users/{userId}/accountdata")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        let (everywhere, rooms) = try await services.store.read { [accountData = services.accountData] reader in
            var everywhere: JSONObject = [:]
            var rooms: JSONObject = [:]
            for item in try accountData.all(of: account.userID, number: account.user, in: reader) {
                let content = try JSON(parsing: item.content).value
                guard let number = item.room else {
                    everywhere[item.type] = content
                    continue
                }
                let room = try reader.identifiers.room(number).string
                var known = rooms[room] ?? [:]
                known[item.type] = content
                rooms[room] = known
            }
            return (everywhere, rooms)
        }
        return ["account_data": ["global": .object(everywhere), "rooms": .object(rooms)]]
    }
}

/// `GET /_synapse/admin/v1/users/{userId}/pushers`: where a user's notifications are pushed.
struct GetSynapsePushers: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/users/{userId}/pushers")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        let pushers = try await services.store.read { try $0.pushers.pushers(of: account.user) }
        return [
            "pushers": .array(
                try pushers.map { pusher in
                    [
                        "app_display_name": .string(pusher.appDisplayName), "app_id": .string(pusher.appID),
                        "data": try JSON(parsing: pusher.data).value,
                        "device_display_name": .string(pusher.deviceDisplayName), "kind": .string(pusher.kind),
                        "lang": .string(pusher.language), "profile_tag": .string(pusher.profileTag ?? ""),
                        "pushkey": .string(pusher.pushKey),
                    ]
                }),
            "total": .integer(Int64(pushers.count)),
        ]
    }
}
