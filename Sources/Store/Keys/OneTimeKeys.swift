import Database
import Matrix

/// A one-time or fallback key as its client uploaded it.
public struct OneTimeKeyRecord: Sendable, Hashable {
    /// Its identifier.
    public let id: DeviceKeyID
    /// The key, byte for byte: the text of a JSON string or object.
    public let json: [UInt8]

    /// A key.
    public init(id: DeviceKeyID, json: [UInt8]) {
        self.id = id
        self.json = json
    }
}

/// What became of a one-time key that a client uploaded.
public enum OneTimeKeyOutcome: Sendable, Hashable {
    /// It can be claimed now.
    case stored
    /// The same key was there already, or was there and has been claimed.
    case known
    /// Another key of that identifier waits to be claimed; it stays.
    case conflict
}

/// Look-ups of one-time keys.
public struct OneTimeKeyReader {
    let sql: ReadTransaction

    /// Whether a key of an algorithm can be claimed of a device.
    public func has(_ algorithm: KeyAlgorithm, of device: DeviceID, of user: UserNumber) throws -> Bool {
        try sql.first(
            """
            SELECT 1 FROM one_time_keys
            WHERE user_num = $1 AND device_id = $2 AND algorithm = $3 AND claimed_ts IS NULL LIMIT 1
            """, user, device, algorithm
        ) { try $0.int(0) } != nil
    }

    /// How many keys of each algorithm can be claimed of a device.
    public func counts(of device: DeviceID, of user: UserNumber) throws -> [KeyAlgorithm: Int] {
        var counts: [KeyAlgorithm: Int] = [:]
        try sql.forEach(
            """
            SELECT algorithm, COUNT(*) FROM one_time_keys
            WHERE user_num = $1 AND device_id = $2 AND claimed_ts IS NULL GROUP BY algorithm
            """, user, device
        ) { row in counts[try row.identifier(0)] = Int(try row.int(1)) }
        return counts
    }
}

/// Stores one-time keys and gives each out once.
public struct OneTimeKeyWriter {
    let writer: StoreWriter

    /// Adds a key. The device must exist.
    public func insert(_ key: OneTimeKeyRecord, of device: DeviceID, of user: UserNumber) throws -> OneTimeKeyOutcome {
        let known = try writer.sql.first(
            """
            SELECT json, claimed_ts FROM one_time_keys
            WHERE user_num = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4
            """, user, device, key.id.algorithm, key.id.name
        ) { (json: try $0.blob(0), isClaimed: !$0.isNull(1)) }
        if let known {
            if Self.isSame(known.json, key.json) { return .known }
            guard known.isClaimed else { return .conflict }
            // The client began to count anew: what it calls by an old name is a new key.
            try writer.sql.execute(
                "DELETE FROM one_time_keys WHERE user_num = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4",
                user, device, key.id.algorithm, key.id.name
            )
        }
        try writer.sql.execute(
            "INSERT INTO one_time_keys (user_num, device_id, algorithm, key_id, json) VALUES ($1, $2, $3, $4, $5)",
            user, device, key.id.algorithm, key.id.name, key.json
        )
        return .stored
    }

    /// Takes the key of an algorithm that was uploaded first, never to be given out again; `nil` if none is left.
    ///
    /// The caller announces the change, and does so first: the journal's lock is what keeps several servers on one database
    /// from looking for the same key at the same time.
    public func claim(
        _ algorithm: KeyAlgorithm, of device: DeviceID, of user: UserNumber, at time: Int64
    ) throws -> OneTimeKeyRecord? {
        try writer.sql.first(
            """
            UPDATE one_time_keys SET claimed_ts = $4 WHERE claimed_ts IS NULL AND num = (
                SELECT MIN(num) FROM one_time_keys
                WHERE user_num = $1 AND device_id = $2 AND algorithm = $3 AND claimed_ts IS NULL
            ) RETURNING key_id, json
            """, user, device, algorithm, time
        ) { OneTimeKeyRecord(id: DeviceKeyID(algorithm: algorithm, name: try $0.text(0)), json: try $0.blob(1)) }
    }

    /// Forgets keys that were claimed before that time: from then on an upload of the same key would be taken for a new one.
    public func forgetClaimed(before time: Int64, of device: DeviceID, of user: UserNumber) throws {
        try writer.sql.execute(
            "DELETE FROM one_time_keys WHERE user_num = $1 AND device_id = $2 AND claimed_ts < $3", user, device, time
        )
    }

    /// Whether two texts are the same key. Clients do not write the members of an object in the same order each time.
    static func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        if left == right { return true }
        guard let left = try? JSON(parsing: left, options: .stored),
            let right = try? JSON(parsing: right, options: .stored)
        else { return false }
        return CanonicalJSON.text(of: left) == CanonicalJSON.text(of: right)
    }
}

extension StoreReader {
    /// One-time keys.
    public var oneTimeKeys: OneTimeKeyReader { OneTimeKeyReader(sql: sql) }
}

extension StoreWriter {
    /// One-time keys.
    public var oneTimeKeys: OneTimeKeyWriter { OneTimeKeyWriter(writer: self) }
}
