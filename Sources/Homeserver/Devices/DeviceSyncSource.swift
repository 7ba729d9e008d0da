import Matrix
import Store

/// What sync tells a device of its keys, of its messages, and of the devices of others.
public struct DeviceSyncSource: SyncDeviceSource {
    private let store: Store
    private let counts: KeyCounts
    private let inboxes: ToDeviceInboxes

    /// - Parameters:
    ///   - store: Where changes of device lists are.
    ///   - counts: Knows how many keys devices have left.
    ///   - inboxes: The messages that wait for devices.
    public init(store: Store, counts: KeyCounts, inboxes: ToDeviceInboxes) {
        self.store = store
        self.counts = counts
        self.inboxes = inboxes
    }

    /// What is left of a device's keys.
    public func keyCounts(of user: UserNumber, _ device: DeviceID) async throws -> DeviceKeyCounts {
        let found = try await counts.counts(of: device, of: user)
        return DeviceKeyCounts(
            oneTimeKeys: found.oneTimeKeys.sorted { $0.key < $1.key }.map { ($0.key.string, $0.value) },
            unusedFallbackKeys: found.unusedFallbackKeys.map(\.string)
        )
    }

    /// The messages that wait for a device, oldest first, with their places.
    public func messages(
        for user: UserNumber, _ device: DeviceID, after: StreamPosition, through: StreamPosition, limit: Int
    ) async throws -> [(position: StreamPosition, content: [UInt8])] {
        try await inboxes.pending(for: device, of: user, after: after, through: through, limit: limit).messages
            .map { ($0.position, $0.content) }
    }

    /// Deletes the messages up to a place: the device has them.
    public func acknowledge(_ user: UserNumber, _ device: DeviceID, through position: StreamPosition) async throws {
        try await inboxes.acknowledge(for: device, of: user, through: position)
    }

    /// Users whose devices or keys changed after a place in the eyes of `viewer`; some may have changed after `through`.
    public func deviceListChanges(
        for viewer: UserNumber, after: StreamPosition, through: StreamPosition
    ) async throws -> [UserNumber] {
        try await store.read { try $0.deviceLists.changed(for: viewer, after: after) }
    }
}
