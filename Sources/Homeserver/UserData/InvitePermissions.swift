import Matrix
import Store
import Synchronization

/// Whose invitations users take: asked whenever somebody of this server is invited, and before an invitation is told.
public final class InvitePermissions: Sendable {
    private let store: Store
    private let cache = GenerationalCache<UserNumber, InvitePermission>(budget: 50_000)
    /// Grows whenever somebody's wishes change, so that those that were read before are not remembered after.
    private let changes = Mutex<UInt64>(0)

    /// A service that listens to the journal from now on.
    public init(store: Store) {
        self.store = store
        store.journal.listen { [weak self] entries in
            for entry in entries {
                guard case .accountData(let data) = entry.change, data.room == nil,
                    InvitePermission.types.contains(ExactString(data.type))
                else { continue }
                self?.forget(data.user)
            }
        }
    }

    /// What a user wishes.
    public func permission(of user: UserNumber) async throws -> InvitePermission {
        if let known = cache[user] { return known }
        let before = changes.withLock { $0 }
        let permission = try await store.read { reader in
            var items: [ExactString: JSON] = [:]
            for type in InvitePermission.types {
                guard let item = try reader.accountData.item(of: user, room: nil, type: type.string), !item.isDeleted
                else { continue }
                items[type] = try? JSON(parsing: item.data.content)
            }
            return InvitePermission(items)
        }
        changes.withLock { changes in
            if changes == before { cache.insert(user, permission, cost: permission.allowsAll ? 1 : 20) }
        }
        return permission
    }

    /// Refuses an invitation that its addressee, a user of this server, does not want.
    ///
    /// - Throws: 403 `M_INVITE_BLOCKED`.
    public func check(inviteOf target: UserID, by sender: UserID) async throws {
        guard target != sender, let number = try await store.number(of: target) else { return }
        guard case .block(let code) = try await permission(of: number).verdict(on: sender) else { return }
        throw MatrixError(403, code, "This person does not want to be invited")
    }

    /// Whether a user is not to be told of an invitation.
    public func hides(inviteBy sender: UserID, from user: UserNumber) async throws -> Bool {
        try await permission(of: user).verdict(on: sender) != .allow
    }

    private func forget(_ user: UserNumber) {
        changes.withLock { changes in
            changes += 1
            cache.remove(user)
        }
    }
}
