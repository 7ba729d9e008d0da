import Matrix
import Store

/// A part of what waits for a device.
public struct ToDeviceBatch: Sendable {
    /// The messages, in order.
    public let messages: [WaitingMessage]
    /// Whether more wait than were asked for.
    ///
    /// Then the client must not acknowledge more than it got: its next token has to say, for messages, the position of the last
    /// one here instead of the end of the sync.
    public let isLimited: Bool
}

/// The messages that wait for devices, for sync. Knows in memory who has none: an idle sync neither reads nor writes.
public final class ToDeviceInboxes: Sendable {
    /// Where the messages that wait are: nothing before `first`, nothing after `last`.
    private struct Extent {
        var first: StreamPosition
        var last: StreamPosition

        static let empty = Extent(first: StreamPosition(1), last: StreamPosition(0))
        var isEmpty: Bool { first > last }
    }

    private let store: Store
    private let cache: DeviceCache<Extent>

    /// How many messages go into one sync.
    ///
    /// [Server behavior](https://spec.matrix.org/v1.19/client-server-api/#server-behaviour-12).
    public static let standardLimit = 100

    /// - Parameters:
    ///   - store: Where the messages are.
    ///   - capacity: How many devices are remembered.
    public init(store: Store, capacity: Int = 50_000) {
        self.store = store
        cache = DeviceCache(capacity: capacity)
        store.journal.listen { [cache] entries in
            for entry in entries {
                switch entry.change {
                case .toDevice(let message):
                    cache.update(message.device, of: message.user) { extent in
                        if extent.isEmpty { extent.first = entry.position }
                        extent.last = max(extent.last, entry.position)
                    }
                // Perhaps the device is gone.
                case .deviceList(let user): cache.removeAll(of: user)
                default: break
                }
            }
        }
    }

    /// The messages that wait for a device, announced after one position up to another.
    ///
    /// - Parameters:
    ///   - start: What the client has acknowledged; 0 if nothing.
    ///   - end: What the sync covers.
    ///   - limit: How many messages at most.
    public func pending(
        for device: DeviceID, of user: UserNumber, after start: StreamPosition, through end: StreamPosition,
        limit: Int = standardLimit
    ) async throws -> ToDeviceBatch {
        let extent = try await extent(of: device, user)
        guard !extent.isEmpty, extent.last > start, extent.first <= end else {
            return ToDeviceBatch(messages: [], isLimited: false)
        }
        let found = try await store.read { reader in
            try reader.toDevice.pending(for: device, of: user, after: start, through: end, limit: limit + 1)
        }
        return ToDeviceBatch(messages: Array(found.prefix(limit)), isLimited: found.count > limit)
    }

    /// Removes what a client has acknowledged by asking for what comes after it.
    public func acknowledge(
        for device: DeviceID, of user: UserNumber, through position: StreamPosition
    ) async throws {
        let extent = try await extent(of: device, user)
        guard !extent.isEmpty, extent.first <= position else { return }
        _ = try await store.write { try $0.toDevice.delete(for: device, of: user, through: position) }
        cache.update(device, of: user) { extent in
            extent.first = max(extent.first, StreamPosition(position.rawValue + 1))
            if extent.isEmpty { extent = .empty }
        }
    }

    private func extent(of device: DeviceID, _ user: UserNumber) async throws -> Extent {
        let (known, ticket) = cache.value(device, of: user)
        if let known { return known }
        do {
            let range = try await store.read { try $0.toDevice.range(for: device, of: user) }
            let extent = range.map { Extent(first: $0.lowerBound, last: $0.upperBound) } ?? .empty
            cache.insert(extent, device, of: user, ticket: ticket)
            return extent
        } catch {
            cache.cancel(device, of: user, ticket: ticket)
            throw error
        }
    }
}
