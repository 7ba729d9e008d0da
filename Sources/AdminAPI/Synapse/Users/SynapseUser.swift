import Homeserver
import Matrix
import Store

/// An account as Synapse describes it.
///
/// Types of users and consent there are not: these fields say so.
enum SynapseUser {
    /// As one of a list: times are milliseconds since 1970.
    static func listed(_ listed: ListedAccount, _ reader: StoreReader) throws -> JSONValue {
        var json = try common(listed.account, reader)
        json["creation_ts"] = .integer(listed.account.createdAt)
        json["last_seen_ts"] = listed.lastSeenAt.json
        return .object(json)
    }

    /// By itself: its time of creation is in seconds since 1970, the others in milliseconds.
    static func detailed(_ account: AccountRecord, _ reader: StoreReader) throws -> JSONValue {
        var json = try common(account, reader)
        json["creation_ts"] = .integer(account.createdAt / 1_000)
        json["last_seen_ts"] = try reader.accounts.lastSeen(of: account.user).json
        json["suspended"] = .bool(account.flags.contains(.suspended))
        json["appservice_id"] = account.appService.json
        for name in ["consent_server_notice_sent", "consent_version", "consent_ts"] { json[name] = .null }
        json["external_ids"] = .array(
            try reader.externalIDs.identifiers(of: account.user).map { known in
                ["auth_provider": .string(known.provider), "external_id": .string(known.id)]
            })
        json["threepids"] = .array(
            try reader.addresses.addresses(of: account.user).map { address in
                [
                    "medium": "email", "address": .string(address.address), "added_at": .integer(address.addedAt),
                    "validated_at": .integer(address.validatedAt),
                ]
            })
        return .object(json)
    }

    private static func common(_ account: AccountRecord, _ reader: StoreReader) throws -> JSONObject {
        func field(_ name: String) throws -> JSONValue {
            try reader.profiles.field(name, of: account.user).flatMap { try JSON(parsing: $0).string }.json
        }
        return [
            "name": .string(account.userID.string),
            "displayname": try field(ProfileService.displayNameField),
            "avatar_url": try field(ProfileService.avatarField),
            "is_guest": .bool(account.flags.contains(.guest)),
            "admin": .bool(account.flags.contains(.admin)),
            "deactivated": .bool(account.flags.contains(.deactivated)),
            "erased": .bool(account.flags.contains(.erased)),
            "locked": .bool(account.flags.contains(.locked)),
            "shadow_banned": .bool(account.flags.contains(.shadowBanned)),
            "user_type": .null,
        ]
    }
}
