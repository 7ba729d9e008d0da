import Database
import Matrix

/// Look-ups of fallback keys: what is given out when a device has no one-time keys left.
public struct FallbackKeyReader {
    let sql: ReadTransaction

    /// The algorithms of a device's fallback keys that nobody has been given yet, in order.
    public func unusedAlgorithms(of device: DeviceID, of user: UserNumber) throws -> [KeyAlgorithm] {
        try sql.all(
            """
            SELECT algorithm FROM fallback_keys WHERE user_num = $1 AND device_id = $2 AND used = 0 ORDER BY algorithm
            """, user, device
        ) { try $0.identifier(0) }
    }

    /// A device's fallback key of an algorithm, and whether it has been given out.
    public func key(
        _ algorithm: KeyAlgorithm, of device: DeviceID, of user: UserNumber
    ) throws -> (key: OneTimeKeyRecord, isUsed: Bool)? {
        try sql.first(
            "SELECT key_id, json, used FROM fallback_keys WHERE user_num = $1 AND device_id = $2 AND algorithm = $3",
            user, device, algorithm
        ) { row in
            let id = DeviceKeyID(algorithm: algorithm, name: try row.text(0))
            return (OneTimeKeyRecord(id: id, json: try row.blob(1)), try row.bool(2))
        }
    }
}

/// Stores fallback keys.
public struct FallbackKeyWriter {
    let writer: StoreWriter

    /// Replaces a device's fallback key of an algorithm. The device must exist.
    ///
    /// - Returns: Whether anything changed: the same key once more does not count as unused again.
    public func set(_ key: OneTimeKeyRecord, of device: DeviceID, of user: UserNumber) throws -> Bool {
        if let known = try writer.read.fallbackKeys.key(key.id.algorithm, of: device, of: user),
            known.key.id == key.id, OneTimeKeyWriter.isSame(known.key.json, key.json)
        {
            return false
        }
        try writer.sql.execute(
            """
            INSERT INTO fallback_keys (user_num, device_id, algorithm, key_id, json) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (user_num, device_id, algorithm)
            DO UPDATE SET key_id = excluded.key_id, json = excluded.json, used = 0
            """, user, device, key.id.algorithm, key.id.name, key.json
        )
        return true
    }

    /// Notes that a device's fallback key of an algorithm has been given out.
    public func markUsed(_ algorithm: KeyAlgorithm, of device: DeviceID, of user: UserNumber) throws {
        try writer.sql.execute(
            "UPDATE fallback_keys SET used = 1 WHERE user_num = $1 AND device_id = $2 AND algorithm = $3", user, device,
            algorithm
        )
    }
}

extension StoreReader {
    /// Fallback keys.
    public var fallbackKeys: FallbackKeyReader { FallbackKeyReader(sql: sql) }
}

extension StoreWriter {
    /// Fallback keys.
    public var fallbackKeys: FallbackKeyWriter { FallbackKeyWriter(writer: self) }
}
