import Homeserver
import Matrix
import Store
import Web

/// `GET /_chappe/admin/v1/users/{name}/export/{part}`: a part of all that is kept of a user, a page at a time. Secrets are left out.
///
/// Query: `from` (the `next` of the page before). Answer: `items`, and `next` if there may be more. Parts: `account`, `devices`, `rooms`,
/// `account_data`, `pushers`, `media`, `events`. Of events only those are there that the user has sent, in the form in which they are kept.
struct ExportUser: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/users/{name}/export/{part}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    enum Part: String, CaseIterable {
        case account, devices, rooms
        case accountData = "account_data"
        case pushers, media, events
    }

    private static let mediaPage = 1_000

    struct Request: RequestDecodable {
        let name: String
        let part: Part
        let from: Int64

        init(from input: RequestInput) throws {
            name = try input.path("name")
            part = try input.path("part", as: .choice)
            from = try input.query("from", as: .milliseconds) ?? 0
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let account = try await services.accounts.required(request.name)
        if request.from == 0 {
            try await services.store.write { [audit = services.audit] writer in
                try audit.note(
                    .userExport, by: caller.actor, on: account.userID.string,
                    detail: ["part": .string(request.part.rawValue)], in: writer)
            }
        }
        let (items, next) = try await services.store.read { [accountData = services.accountData] reader in
            switch request.part {
            case .account: (try Self.account(account, reader), nil as Int64?)
            case .devices: (try reader.devices.devices(of: account.user).map(Self.device), nil)
            case .rooms: (try Self.rooms(account, reader), nil)
            case .accountData: (try Self.accountData(account, accountData, reader), nil)
            case .pushers: (try reader.pushers.pushers(of: account.user).map(Self.pusher), nil)
            case .media: try Self.media(account, from: request.from, reader)
            case .events: try Self.events(account, from: request.from, reader)
            }
        }
        var answer: JSONValue = ["items": .array(items)]
        if let next { answer["next"] = .integer(next) }
        return answer
    }

    private static func account(_ account: AccountRecord, _ reader: StoreReader) throws -> [JSONValue] {
        var json = UserDescription.json(account, displayName: nil)
        var profile = JSONObject()
        for field in try reader.profiles.fields(of: account.user) {
            profile[field.name] = try JSON(parsing: field.value).value
        }
        json["profile"] = .object(profile)
        json["emails"] = .array(
            try reader.addresses.addresses(of: account.user).map { address in
                [
                    "address": .string(address.address), "added_ts": .integer(address.addedAt),
                    "validated_ts": .integer(address.validatedAt),
                ]
            })
        json["external_ids"] = .array(
            try reader.externalIDs.identifiers(of: account.user).map { known in
                ["auth_provider": .string(known.provider), "external_id": .string(known.id)]
            })
        if let validity = try reader.accountValidity.validity(of: account.user) {
            json["expires_ts"] = .integer(validity.expiresAt)
        }
        return [json]
    }

    private static func device(_ device: DeviceRecord) -> JSONValue {
        [
            "device_id": .string(device.id.string), "display_name": device.displayName.json,
            "last_seen_ts": device.lastSeenAt.json, "last_seen_ip": device.lastSeenAddress.json,
            "last_seen_user_agent": device.lastSeenUserAgent.json,
        ]
    }

    private static func rooms(_ account: AccountRecord, _ reader: StoreReader) throws -> [JSONValue] {
        try reader.memberships.rooms(of: account.user).map { record in
            [
                "room_id": .string(try reader.identifiers.room(record.room).string),
                "membership": .string(record.membership.rawValue),
            ]
        }
    }

    private static func accountData(
        _ account: AccountRecord, _ service: AccountDataService, _ reader: StoreReader
    ) throws -> [JSONValue] {
        try service.all(of: account.userID, number: account.user, in: reader).map { item in
            var json: JSONValue = ["type": .string(item.type), "content": try JSON(parsing: item.content).value]
            if let room = item.room { json["room_id"] = .string(try reader.identifiers.room(room).string) }
            return json
        }
    }

    private static func pusher(_ pusher: PusherRecord) throws -> JSONValue {
        [
            "app_display_name": .string(pusher.appDisplayName), "app_id": .string(pusher.appID),
            "device_display_name": .string(pusher.deviceDisplayName), "kind": .string(pusher.kind),
            "lang": .string(pusher.language), "pushkey": .string(pusher.pushKey),
        ]
    }

    private static func media(
        _ account: AccountRecord, from offset: Int64, _ reader: StoreReader
    ) throws -> ([JSONValue], Int64?) {
        let files = try reader.media.uploads(
            of: account.user, by: .created, isDescending: false, offset: Int(min(offset, 1 << 40)), limit: mediaPage)
        let items = files.map { file in SynapseMedia.json(file) }
        return (items, files.count == mediaPage ? offset + Int64(mediaPage) : nil)
    }

    private static func events(
        _ account: AccountRecord, from number: Int64, _ reader: StoreReader
    ) throws -> ([JSONValue], Int64?) {
        let (events, end) = try reader.events.events(of: account.user, after: EventNumber(number))
        let items = events.filter { $0.status == .accepted }.map { stored -> JSONValue in
            let event = stored.event
            var json: JSONValue = [
                "event_id": .string(event.eventID.string), "room_id": .string(event.roomID.string),
                "type": .string(event.type.string), "origin_server_ts": .integer(event.originServerTS),
                "content": event.content.value,
            ]
            if let key = event.stateKey { json["state_key"] = .string(key.string) }
            return json
        }
        return (items, end?.rawValue)
    }
}
