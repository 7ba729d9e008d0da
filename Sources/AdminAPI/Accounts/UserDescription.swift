import Homeserver
import Matrix
import Store

/// An account as the administration API describes it.
enum UserDescription {
    static func json(_ account: AccountRecord, displayName: String?) -> JSONValue {
        var json: JSONValue = [
            "user_id": .string(account.userID.string),
            "admin": .bool(account.flags.contains(.admin)),
            "guest": .bool(account.flags.contains(.guest)),
            "locked": .bool(account.flags.contains(.locked)),
            "suspended": .bool(account.flags.contains(.suspended)),
            "shadow_banned": .bool(account.flags.contains(.shadowBanned)),
            "deactivated": .bool(account.flags.contains(.deactivated)),
            "has_password": .bool(account.passwordHash != nil),
            "created_ts": .integer(account.createdAt),
        ]
        if let displayName { json["displayname"] = .string(displayName) }
        return json
    }
}

extension ProfileReader {
    /// The name that a user shows, if they have one.
    func displayName(of user: UserNumber) throws -> String? {
        guard let value = try field(ProfileService.displayNameField, of: user) else { return nil }
        return try JSON(parsing: value).string
    }
}

extension AccountService {
    /// The account that an administrator names, by localpart or user ID.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    func required(_ name: String) async throws -> AccountRecord {
        guard let account = try await account(named: name) else {
            throw MatrixError.notFound("There is no account \(name)")
        }
        return account
    }
}
