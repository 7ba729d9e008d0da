import Matrix
import Store

/// Removes what devices leave behind when they go: the schema takes their keys and messages with them, this takes the signatures
/// they made, those on them, and the memory of what they sent.
public struct DeviceKeyRemoval: DeviceRemovalHook {
    /// The hook for ``DeviceRemoval``.
    public init() {}

    /// Removes them, in the transaction that removes the devices.
    public func devicesRemoved(_ devices: [DeviceID], of user: UserNumber, in writer: StoreWriter) throws {
        for device in devices { try writer.keySignatures.deleteAll(of: device, of: user) }
        try writer.toDevice.forgetTransactions(of: devices, of: user)
    }
}
