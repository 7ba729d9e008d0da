import Database
import Matrix

/// A device that is kept encrypted on the server.
public struct DehydratedDevice: Sendable {
    /// Its identifier.
    public let id: DeviceID
    /// The device itself, encrypted: the text of a JSON object.
    public let data: [UInt8]

    /// A device.
    public init(id: DeviceID, data: [UInt8]) {
        self.id = id
        self.data = data
    }
}

/// Look-ups of dehydrated devices.
public struct DehydratedDeviceReader {
    let sql: ReadTransaction

    /// A user's dehydrated device.
    public func device(of user: UserNumber) throws -> DehydratedDevice? {
        try sql.first("SELECT device_id, device_data FROM dehydrated_devices WHERE user_num = $1", user) { row in
            DehydratedDevice(id: try row.identifier(0), data: Array(try row.text(1).utf8))
        }
    }
}

/// Stores dehydrated devices. They go with the device of their name.
public struct DehydratedDeviceWriter {
    let writer: StoreWriter

    /// Stores a user's dehydrated device, in place of another. There must be a device of its name.
    public func set(_ device: DehydratedDevice, of user: UserNumber) throws {
        try writer.sql.execute(
            """
            INSERT INTO dehydrated_devices (user_num, device_id, device_data) VALUES ($1, $2, $3)
            ON CONFLICT (user_num) DO UPDATE SET device_id = excluded.device_id, device_data = excluded.device_data
            """, user, device.id, String(decoding: device.data, as: UTF8.self))
    }
}

extension StoreReader {
    /// Dehydrated devices.
    public var dehydratedDevices: DehydratedDeviceReader { DehydratedDeviceReader(sql: sql) }
}

extension StoreWriter {
    /// Dehydrated devices.
    public var dehydratedDevices: DehydratedDeviceWriter { DehydratedDeviceWriter(writer: self) }
}
