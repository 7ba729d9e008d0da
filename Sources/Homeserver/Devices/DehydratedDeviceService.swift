import Matrix
import Store

/// Devices that are kept on the server, encrypted, so that keys sent while a user is signed in nowhere are not lost.
///
/// [MSC3814](https://github.com/matrix-org/matrix-spec-proposals/pull/3814). A user has one at the most. It is a device like others for
/// those who send keys to it; nobody is signed in on it.
public final class DehydratedDeviceService: Sendable {
    private let store: Store
    private let clock: any Clock
    private let removal: DeviceRemoval
    private let inboxes: ToDeviceInboxes

    /// The largest encrypted device, in bytes.
    private static let maximumDataBytes = 65_536
    /// Messages in one answer.
    private static let batchSize = 100

    /// - Parameters:
    ///   - store: Where they are.
    ///   - clock: Tells the time.
    ///   - removal: Removes those that are replaced.
    ///   - inboxes: The messages that wait for them.
    public init(store: Store, clock: any Clock, removal: DeviceRemoval, inboxes: ToDeviceInboxes) {
        self.store = store
        self.clock = clock
        self.removal = removal
        self.inboxes = inboxes
    }

    /// A user's dehydrated device.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func device(of user: UserNumber) async throws -> DehydratedDevice {
        guard let device = try await store.read({ try $0.dehydratedDevices.device(of: user) }) else {
            throw Self.unknown
        }
        return device
    }

    /// Keeps a device, in place of the one before, which goes with all that waits for it.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - name: What its user calls it.
    ///   - keys: Its keys: they are published in the same moment, so that there is no device without keys.
    /// - Throws: 400 `M_BAD_JSON` for keys that are none, or of another device; `M_INVALID_PARAM` if another device has its name; 413.
    public func set(
        _ device: DehydratedDevice, name: String?, keys: KeyUpload, of user: UserNumber, userID: UserID
    ) async throws {
        guard device.data.count <= Self.maximumDataBytes else { throw MatrixError.tooLarge("device_data is too large") }
        guard keys.deviceKeys != nil else { throw MatrixError.missingParameter("device_keys is missing") }
        try keys.check(user: userID, device: device.id)
        let name = try name.map { try DeviceName.checked($0) }
        let now = clock.now
        try await store.write { [removal] writer in
            if let before = try writer.read.dehydratedDevices.device(of: user) {
                try removal.remove([before.id], of: user, in: writer)
            }
            guard try writer.devices.insert(device.id, of: user, displayName: name, createdAt: now) else {
                throw MatrixError.invalidParameter("There is a device of this name already")
            }
            try writer.dehydratedDevices.set(device, of: user)
            _ = try KeyService.store(keys, of: device.id, of: user, now: now, writer)
        }
    }

    /// Removes a user's dehydrated device.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func delete(of user: UserNumber) async throws -> DeviceID {
        try await store.write { [removal] writer in
            guard let device = try writer.read.dehydratedDevices.device(of: user) else { throw Self.unknown }
            try removal.remove([device.id], of: user, in: writer)
            return device.id
        }
    }

    /// Messages that have come for a user's dehydrated device. They stay until it is removed, since whoever reads them may fail before
    /// it has made use of them.
    ///
    /// - Parameter batch: Where the batch before ended; `nil` for the first.
    /// - Returns: The messages, and where they end. There are no more if there are none.
    /// - Throws: 404 `M_NOT_FOUND` if this is not the user's dehydrated device, 400 for a batch that is none.
    public func messages(
        for device: DeviceID, of user: UserNumber, after batch: String?
    ) async throws -> (messages: [[UInt8]], next: String) {
        guard try await self.device(of: user).id == device else { throw Self.unknown }
        var start = StreamPosition(0)
        if let batch {
            guard let number = Int64(batch), number >= 0 else {
                throw MatrixError.invalidParameter("next_batch is not one that this server gave out")
            }
            start = StreamPosition(number)
        }
        let found = try await inboxes.pending(
            for: device, of: user, after: start, through: store.journal.end, limit: Self.batchSize
        ).messages
        return (found.map(\.content), String(found.last?.position.rawValue ?? start.rawValue))
    }

    private static let unknown = MatrixError.notFound("There is no such dehydrated device")
}
