import Matrix
import Store

/// What else goes when devices go: keys, messages that wait for them, pushers.
public protocol DeviceRemovalHook: Sendable {
    /// Removes what belongs to devices, in the transaction that removes them.
    func devicesRemoved(_ devices: [DeviceID], of user: UserNumber, in writer: StoreWriter) throws
}

/// Ends sessions: the one place where devices are removed.
public final class DeviceRemoval: Sendable {
    private let hooks: [any DeviceRemovalHook]
    private let sessionsChanged: @Sendable (UserNumber) -> Void
    let cache: SessionCache

    /// - Parameters:
    ///   - hooks: What else goes when devices go.
    ///   - cachedTokens: How many access tokens are kept in memory.
    ///   - sessionsChanged: Told of users whose tokens may mean something else from now on.
    public init(
        hooks: [any DeviceRemovalHook] = [], cachedTokens: Int = 50_000,
        sessionsChanged: @escaping @Sendable (UserNumber) -> Void = { _ in }
    ) {
        self.hooks = hooks
        self.sessionsChanged = sessionsChanged
        cache = SessionCache(capacity: cachedTokens)
    }

    /// Removes those of `devices` that there are, with their tokens and all else, and announces it.
    func remove(_ devices: [DeviceID], of user: UserNumber, in writer: StoreWriter) throws {
        let removed = try writer.devices.delete(devices, of: user)
        guard !removed.isEmpty else { return }
        for hook in hooks { try hook.devicesRemoved(removed, of: user, in: writer) }
        try writer.journal.append(.deviceList(user))
        forget(user, in: writer)
    }

    /// Removes all devices of a user but one.
    func removeAll(of user: UserNumber, except kept: DeviceID? = nil, in writer: StoreWriter) throws {
        let devices = try writer.read.devices.devices(of: user).map(\.id).filter { $0 != kept }
        try remove(devices, of: user, in: writer)
    }

    /// Has what is known of a user's tokens looked up again once the transaction is durable.
    func forget(_ user: UserNumber, in writer: StoreWriter) {
        writer.sql.onCommit { [cache, sessionsChanged] in
            cache.invalidate(user)
            sessionsChanged(user)
        }
    }
}
