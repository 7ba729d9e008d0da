import Matrix
import Store

/// What a device's client is told of its keys in every sync.
///
/// [Extensions to sync](https://spec.matrix.org/v1.19/client-server-api/#e2e-extensions-to-sync).
public struct KeyCountsOfDevice: Sendable, Hashable {
    /// How many one-time keys of each algorithm are left; `signed_curve25519` is always there.
    public let oneTimeKeys: [KeyAlgorithm: Int]
    /// The algorithms of the fallback keys that nobody has been given yet, in order.
    public let unusedFallbackKeys: [KeyAlgorithm]

    /// Counts.
    public init(oneTimeKeys: [KeyAlgorithm: Int], unusedFallbackKeys: [KeyAlgorithm]) {
        self.oneTimeKeys = oneTimeKeys
        self.unusedFallbackKeys = unusedFallbackKeys
    }
}

/// Knows how many keys devices have left, without the database while nothing changes.
public final class KeyCounts: Sendable {
    private let store: Store
    private let cache: DeviceCache<KeyCountsOfDevice>

    /// - Parameters:
    ///   - store: Where the keys are.
    ///   - capacity: How many devices are remembered.
    public init(store: Store, capacity: Int = 50_000) {
        self.store = store
        cache = DeviceCache(capacity: capacity)
        store.journal.listen { [cache] entries in
            for entry in entries {
                switch entry.change {
                case .oneTimeKeys(let user, let device): cache.remove(device, of: user)
                // Perhaps the device is gone.
                case .deviceList(let user): cache.removeAll(of: user)
                default: break
                }
            }
        }
    }

    /// The counts of a device.
    public func counts(of device: DeviceID, of user: UserNumber) async throws -> KeyCountsOfDevice {
        let (known, ticket) = cache.value(device, of: user)
        if let known { return known }
        do {
            let counts = try await store.read { try Self.counts(of: device, of: user, $0) }
            cache.insert(counts, device, of: user, ticket: ticket)
            return counts
        } catch {
            cache.cancel(device, of: user, ticket: ticket)
            throw error
        }
    }

    static func counts(of device: DeviceID, of user: UserNumber, _ reader: StoreReader) throws -> KeyCountsOfDevice {
        var counts = try reader.oneTimeKeys.counts(of: device, of: user)
        // Clients upload keys when they see this fall; some do not notice when it is missing.
        counts[.signedCurve25519, default: 0] += 0
        return KeyCountsOfDevice(
            oneTimeKeys: counts, unusedFallbackKeys: try reader.fallbackKeys.unusedAlgorithms(of: device, of: user)
        )
    }
}
