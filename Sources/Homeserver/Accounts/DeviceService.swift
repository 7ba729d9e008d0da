import Matrix
import Store

/// A device of a user of this server.
public typealias Device = DeviceRecord

/// The devices of a user, as they see them themselves.
public final class DeviceService: Sendable {
    private let store: Store
    private let removal: DeviceRemoval
    private let clock: any Clock

    /// - Parameters:
    ///   - store: Where devices are.
    ///   - removal: Ends sessions.
    ///   - clock: Tells the time.
    public init(store: Store, removal: DeviceRemoval, clock: any Clock) {
        self.store = store
        self.clock = clock
        self.removal = removal
    }

    /// A user's devices.
    public func devices(of user: UserNumber) async throws -> [Device] {
        try await store.read { try $0.devices.devices(of: user) }
    }

    /// A user's device.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func device(_ id: DeviceID, of user: UserNumber) async throws -> Device {
        guard let device = try await store.read({ try $0.devices.device(id, of: user) }) else { throw Self.unknown }
        return device
    }

    /// Renames a device, which others hear of.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - user: Whose.
    ///   - name: Its new name.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 404 `M_NOT_FOUND`; 400 for a name that is too long.
    public func rename(
        _ id: DeviceID, of user: UserNumber, to name: String,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        let name = try DeviceName.checked(name)
        try await store.write { writer in
            try alongside(writer)
            guard try writer.devices.setDisplayName(name, of: id, user) else { throw Self.unknown }
            try writer.journal.append(.deviceList(user))
        }
    }

    /// Makes a device without a session, as application services do for their users; one that is there is renamed.
    ///
    /// [Creating devices](https://spec.matrix.org/v1.19/application-service-api/#creating-devices)
    ///
    /// - Parameters:
    ///   - id: Its identifier.
    ///   - user: Whose it is.
    ///   - name: Its name; `nil` for none.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Returns: Whether it is new.
    /// - Throws: 400 for a name that is too long.
    public func make(
        _ id: DeviceID, of user: UserNumber, named name: String?,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws -> Bool {
        let now = clock.now
        let name = try name.map(DeviceName.checked)
        return try await store.write { writer in
            try alongside(writer)
            let isNew = try writer.devices.insert(id, of: user, displayName: name, createdAt: now)
            if !isNew {
                guard let name else { return false }
                _ = try writer.devices.setDisplayName(name, of: id, user)
            }
            try writer.journal.append(.deviceList(user))
            return isNew
        }
    }

    /// Removes devices, which ends their sessions. Those that there are not are passed over.
    ///
    /// - Parameters:
    ///   - ids: Which ones.
    ///   - user: Whose.
    ///   - alongside: What else is done in the same transaction, before.
    public func delete(
        _ ids: [DeviceID], of user: UserNumber, alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { [removal] writer in
            try alongside(writer)
            try removal.remove(ids, of: user, in: writer)
        }
    }

    private static let unknown = MatrixError.notFound("There is no such device")
}
