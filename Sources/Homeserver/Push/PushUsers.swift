import Matrix
import Store
import Synchronization

/// The users who have pushers, in memory: where nobody has one, pushing costs nothing.
///
/// Of users whose pushers went with their devices it may not know yet; nobody whose pusher is stored is missing.
public final class PushUsers: Sendable {
    private let store: Store
    private let users = Mutex<Set<UserNumber>>([])

    /// Nobody, before ``load()``.
    public init(store: Store) { self.store = store }

    /// Finds out who has pushers.
    public func load() async throws {
        let found = try await store.read { try $0.pushers.users() }
        users.withLock { $0.formUnion(found) }
    }

    /// Whether nobody has a pusher.
    var isEmpty: Bool { users.withLock { $0.isEmpty } }

    /// Whether a user may have a pusher.
    func contains(_ user: UserNumber) -> Bool { users.withLock { $0.contains(user) } }

    /// Looks again who of some users has pushers, in a transaction that changes them.
    func update(_ changed: [UserNumber], in writer: StoreWriter) throws {
        for user in changed {
            let hasPushers = try !writer.read.pushers.pushers(of: user).isEmpty
            writer.sql.onCommit { [weak self] in
                self?.users.withLock { users in
                    if hasPushers { users.insert(user) } else { users.remove(user) }
                }
            }
        }
    }
}
