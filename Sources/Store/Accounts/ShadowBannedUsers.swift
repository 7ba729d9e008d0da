import Database
import Matrix
import Synchronization

/// The users of this server who speak to nobody without being told so. All in memory: they are few, and whoever sends is looked for.
public final class ShadowBannedUsers: Sendable {
    private let users: Mutex<Set<UserID>>

    init(_ users: Set<UserID>) { self.users = Mutex(users) }

    /// Whether a user speaks to nobody.
    public func contains(_ user: UserID) -> Bool { users.withLock { !$0.isEmpty && $0.contains(user) } }

    func set(_ user: UserID, isBanned: Bool) {
        users.withLock { users in
            if isBanned { users.insert(user) } else { users.remove(user) }
        }
    }

    static func load(_ sql: ReadTransaction) throws -> ShadowBannedUsers {
        ShadowBannedUsers(
            Set(
                try sql.all(
                    """
                    SELECT u.user_id FROM accounts AS a JOIN users AS u ON u.num = a.user_num
                    WHERE a.is_shadow_banned = 1
                    """
                ) { try $0.identifier(0) }))
    }
}
