import Matrix
import Store

/// Whose devices and keys changed in the eyes of a user.
///
/// [Tracking the device list for a user](https://spec.matrix.org/v1.19/client-server-api/#tracking-the-device-list-for-a-user).
public final class DeviceListService: Sendable {
    private let store: Store

    /// - Parameter store: Where the changes are.
    public init(store: Store) { self.store = store }

    /// The users whose devices or keys changed after one position up to another: of those who share a room with `viewer`, and the
    /// viewer.
    ///
    /// A user whose last change is later may be named already. Costs no look-up while nothing of the kind is in the journal's tail.
    public func changed(
        for viewer: UserNumber, after start: StreamPosition, through end: StreamPosition
    ) async throws -> [UserNumber] {
        guard let entries = store.journal.entries(after: start, through: end) else {
            return try await store.read { try $0.deviceLists.changed(for: viewer, after: start) }
        }
        var candidates: Set<UserNumber> = []
        for entry in entries {
            switch entry.change {
            case .deviceList(let user): candidates.insert(user)
            case .deviceListView(let user, viewer): candidates.insert(user)
            default: break
            }
        }
        guard !candidates.isEmpty else { return [] }
        let isOwn = candidates.remove(viewer) != nil
        var found: [UserNumber] = []
        if !candidates.isEmpty {
            found = try await store.read { [candidates] in
                try $0.memberships.sharing(with: viewer, among: Array(candidates))
            }
        }
        if isOwn { found.append(viewer) }
        return found.sorted()
    }

    /// What a client must know that has heard of everything up to `position`: changes, and with whom it shares rooms no more.
    ///
    /// [GET /keys/changes](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3keyschanges).
    public func delta(
        for viewer: UserNumber, after position: StreamPosition
    ) async throws -> (changed: [UserID], left: [UserID]) {
        try await store.read { reader in
            let delta = try reader.deviceLists.delta(for: viewer, after: position)
            return (
                try delta.changed.map { try reader.identifiers.user($0) }.sorted(),
                try delta.left.map { try reader.identifiers.user($0) }.sorted()
            )
        }
    }
}
