import Matrix
import Store

/// Devices' keys: publishing them, finding those of others, taking one-time keys.
///
/// [End-to-end encryption](https://spec.matrix.org/v1.19/client-server-api/#end-to-end-encryption).
public final class KeyService: Sendable {
    let store: Store
    let serverName: ServerName
    let clock: any Clock
    let remote: any RemoteServers
    /// What is known of the devices of users of other servers; `nil` for a server that is alone.
    let lists: RemoteDeviceLists?
    /// How many keys devices have left.
    public let counts: KeyCounts

    /// How long a claimed key is remembered, so that an upload repeated after a lost answer does not offer it again.
    static let claimedKeyMemoryMilliseconds: Int64 = 30 * 86_400_000
    /// The most one-time keys that a device may have waiting.
    static let maximumWaitingKeys = 10_000

    /// - Parameters:
    ///   - store: Where the keys are.
    ///   - serverName: The name of this server.
    ///   - clock: Tells the time.
    ///   - remote: Asks other servers.
    ///   - counts: Knows how many keys devices have left.
    ///   - lists: What is known of the devices of users of other servers; `nil` for a server that is alone.
    public init(
        store: Store, serverName: ServerName, clock: any Clock, remote: any RemoteServers, counts: KeyCounts,
        lists: RemoteDeviceLists? = nil
    ) {
        self.store = store
        self.serverName = serverName
        self.clock = clock
        self.remote = remote
        self.counts = counts
        self.lists = lists
    }

    /// Publishes keys of a device.
    ///
    /// - Returns: How many one-time keys of each algorithm the device has now.
    /// - Throws: 400 `M_BAD_JSON` for identity keys of another device or without what they need; 400 `M_UNKNOWN` for a one-time
    ///   key whose name another key has; 401 `M_UNKNOWN_TOKEN` if the device has been removed meanwhile.
    public func upload(
        _ upload: KeyUpload, user: UserNumber, userID: UserID, device: DeviceID
    ) async throws -> [KeyAlgorithm: Int] {
        if upload.isEmpty { return try await counts.counts(of: device, of: user).oneTimeKeys }
        try upload.check(user: userID, device: device)
        let now = clock.now
        return try await store.write { writer in
            guard try writer.read.devices.device(device, of: user) != nil else { throw MatrixError.unknownToken() }
            return try Self.store(upload, of: device, of: user, now: now, writer)
        }
    }

    /// Stores keys of a device, which have been checked.
    ///
    /// - Returns: How many one-time keys of each algorithm the device has now.
    static func store(
        _ upload: KeyUpload, of device: DeviceID, of user: UserNumber, now: Int64, _ writer: StoreWriter
    ) throws -> [KeyAlgorithm: Int] {
        if let keys = upload.deviceKeys { try publish(keys, of: device, of: user, writer) }
        var isChanged = false
        if !upload.oneTimeKeys.isEmpty {
            try writer.oneTimeKeys.forgetClaimed(before: now - claimedKeyMemoryMilliseconds, of: device, of: user)
        }
        for key in upload.oneTimeKeys {
            switch try writer.oneTimeKeys.insert(key, of: device, of: user) {
            case .stored: isChanged = true
            case .known: break
            case .conflict: throw MatrixError(400, .unknown, "There is another one-time key \(key.id) already")
            }
        }
        for key in upload.fallbackKeys {
            if try writer.fallbackKeys.set(key, of: device, of: user) { isChanged = true }
        }
        if isChanged { try writer.journal.append(.oneTimeKeys(user, device)) }
        let counts = try KeyCounts.counts(of: device, of: user, writer.read).oneTimeKeys
        guard counts.values.reduce(0, +) <= maximumWaitingKeys else {
            throw MatrixError.tooLarge("There are too many one-time keys of this device")
        }
        return counts
    }

    private static func publish(
        _ keys: JSON, of device: DeviceID, of user: UserNumber, _ writer: StoreWriter
    ) throws {
        if let known = try writer.read.deviceKeys.keys(of: device, of: user) {
            let known = try KeyText.parse(known)
            if KeyText.isSame(known, keys) { return }
            // Signatures of what the device was are not signatures of what it is now.
            if !KeyText.isSameSigned(known, keys) { try writer.keySignatures.deleteAll(of: device, of: user) }
        }
        try writer.deviceKeys.set(keys.bytes, of: device, of: user)
        try writer.journal.append(.deviceList(user))
    }
}
