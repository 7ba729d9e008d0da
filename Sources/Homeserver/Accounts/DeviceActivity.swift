import Store
import Synchronization

/// Notes when devices were last used: gathered in memory, written in batches, lost in a crash without harm.
public final class DeviceActivity: Sendable {
    private struct Key: Hashable {
        let user: Int64
        let device: String
    }

    private let store: Store
    private let pending = Mutex<[Key: DeviceSighting]>([:])
    /// Sightings beyond this are dropped until the next batch is written.
    private let maximumPending: Int

    /// - Parameters:
    ///   - store: Where they are written.
    ///   - maximumPending: The most devices that wait to be written.
    public init(store: Store, maximumPending: Int = 50_000) {
        self.store = store
        self.maximumPending = maximumPending
    }

    /// Notes that a device was used.
    func note(_ sighting: DeviceSighting) {
        let key = Key(user: sighting.user.rawValue, device: sighting.device.string)
        pending.withLock { pending in
            if pending.count < maximumPending || pending[key] != nil { pending[key] = sighting }
        }
    }

    /// Writes what was noted. What cannot be written waits for the next time, unless the device is used again meanwhile.
    public func flush() async throws {
        var rest = Array(
            pending.withLock { pending in
                defer { pending = [:] }
                return pending
            })[...]
        while !rest.isEmpty {
            let batch = rest.prefix(500)
            do {
                try await store.write { try $0.devices.note(batch.map(\.value)) }
            } catch {
                let unwritten = rest
                pending.withLock { $0.merge(unwritten.map { ($0.key, $0.value) }) { newer, _ in newer } }
                throw error
            }
            rest = rest.dropFirst(500)
        }
    }

    /// Writes what was noted again and again, until the task is cancelled; then one last time.
    ///
    /// - Parameter interval: How long to wait between two batches.
    public func run(every interval: Duration = .seconds(5)) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)
            // A failure loses nothing: what was not written is tried again with the next batch.
            await Task.detached { try? await self.flush() }.value
        }
    }
}
