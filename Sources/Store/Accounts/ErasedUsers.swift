import Database
import Matrix
import Synchronization

/// The users of this server who asked to be forgotten. All in memory: they are few, and every page of history asks.
public final class ErasedUsers: Sendable {
    private let users: Mutex<Set<UserNumber>>

    init(_ users: Set<UserNumber>) { self.users = Mutex(users) }

    /// Whether a user asked to be forgotten.
    public func contains(_ user: UserNumber) -> Bool { users.withLock { $0.contains(user) } }

    /// Whether nobody has.
    public var isEmpty: Bool { users.withLock { $0.isEmpty } }

    func set(_ user: UserNumber, isErased: Bool) {
        users.withLock { users in
            if isErased { users.insert(user) } else { users.remove(user) }
        }
    }

    static func load(_ sql: ReadTransaction) throws -> ErasedUsers {
        ErasedUsers(Set(try sql.all("SELECT user_num FROM accounts WHERE is_erased = 1") { try $0.number(0) }))
    }
}
