import Database
import Matrix

/// A device's identity keys as its client uploaded them, and what its user calls the device.
public struct DeviceKeysRecord: Sendable {
    /// The device.
    public let device: DeviceID
    /// What its user calls it.
    public let displayName: String?
    /// The `device_keys` object, byte for byte.
    public let json: [UInt8]
}

/// Look-ups of devices' identity keys.
public struct DeviceKeysReader {
    let sql: ReadTransaction

    /// A device's identity keys as uploaded, or `nil` if it has none.
    public func keys(of device: DeviceID, of user: UserNumber) throws -> [UInt8]? {
        try sql.first("SELECT json FROM device_keys WHERE user_num = $1 AND device_id = $2", user, device) {
            try $0.blob(0)
        }
    }

    /// The identity keys of a user's devices: of all that have some, or of those named.
    public func keys(of user: UserNumber, only devices: [DeviceID]? = nil) throws -> [DeviceKeysRecord] {
        if let devices {
            return try sql.all(
                """
                SELECT k.device_id, d.display_name, k.json FROM device_keys AS k
                JOIN devices AS d ON d.user_num = k.user_num AND d.device_id = k.device_id
                WHERE k.user_num = $1 AND k.device_id IN textlist($2) ORDER BY k.device_id
                """, user, devices.map(\.string), map: decode
            )
        }
        return try sql.all(
            """
            SELECT k.device_id, d.display_name, k.json FROM device_keys AS k
            JOIN devices AS d ON d.user_num = k.user_num AND d.device_id = k.device_id
            WHERE k.user_num = $1 ORDER BY k.device_id
            """, user, map: decode
        )
    }

    private func decode(_ row: Row) throws -> DeviceKeysRecord {
        DeviceKeysRecord(device: try row.identifier(0), displayName: try row.textOrNil(1), json: try row.blob(2))
    }
}

/// Stores devices' identity keys.
public struct DeviceKeysWriter {
    let writer: StoreWriter

    /// Replaces a device's identity keys. The device must exist. The caller announces the change.
    public func set(_ json: some Collection<UInt8>, of device: DeviceID, of user: UserNumber) throws {
        try writer.sql.execute(
            """
            INSERT INTO device_keys (user_num, device_id, json) VALUES ($1, $2, $3)
            ON CONFLICT (user_num, device_id) DO UPDATE SET json = excluded.json
            """, user, device, Array(json)
        )
    }
}

extension StoreReader {
    /// Devices' identity keys.
    public var deviceKeys: DeviceKeysReader { DeviceKeysReader(sql: sql) }
}

extension StoreWriter {
    /// Devices' identity keys.
    public var deviceKeys: DeviceKeysWriter { DeviceKeysWriter(writer: self) }
}
