import Matrix
import Store
import Synchronization

/// Whom users ignore: what ignored users send is left out of what the user is told.
///
/// [Ignoring users](https://spec.matrix.org/v1.19/client-server-api/#ignoring-users).
public final class IgnoredUsers: Sendable {
    private let store: Store
    private let cache = GenerationalCache<UserNumber, Set<UserID>>(budget: 50_000)
    /// Grows whenever a list changes, so that a list that was read before is not remembered after.
    private let changes = Mutex<UInt64>(0)

    /// A service that listens to the journal from now on.
    public init(store: Store) {
        self.store = store
        store.journal.listen { [weak self] entries in
            for entry in entries {
                guard case .accountData(let data) = entry.change, data.room == nil,
                    ExactString(data.type) == ExactString(AccountDataType.ignoredUserList)
                else { continue }
                self?.forget(data.user)
            }
        }
    }

    /// The users that a user ignores.
    public func ignoredUsers(of user: UserNumber) async throws -> Set<UserID> {
        if let known = cache[user] { return known }
        let before = changes.withLock { $0 }
        let ignored = try await store.read { try Self.load(user, $0) }
        changes.withLock { changes in
            if changes == before { cache.insert(user, ignored, cost: 1 + ignored.count) }
        }
        return ignored
    }

    static func load(_ user: UserNumber, _ reader: StoreReader) throws -> Set<UserID> {
        let item = try reader.accountData.item(of: user, room: nil, type: AccountDataType.ignoredUserList)
        return item.map { parse($0.data.content) } ?? []
    }

    private func forget(_ user: UserNumber) {
        changes.withLock { changes in
            changes += 1
            cache.remove(user)
        }
    }

    /// The keys of `ignored_users`; what is no user ID cannot be ignored.
    static func parse(_ content: [UInt8]) -> Set<UserID> {
        guard let json = try? JSON(parsing: content), let users = json["ignored_users"] else { return [] }
        return Set(users.members.compactMap { UserID($0.name) })
    }
}
