import Database
import Matrix

/// A device of a user of this server.
public struct DeviceRecord: Sendable {
    /// Whose it is.
    public let user: UserNumber
    /// Its identifier.
    public let id: DeviceID
    /// What its user calls it.
    public let displayName: String?
    /// When it was last used, in milliseconds since 1970.
    public let lastSeenAt: Int64?
    /// The address from which it was last used.
    public let lastSeenAddress: String?
    /// The `User-Agent` with which it was last used.
    public let lastSeenUserAgent: String?
}

/// That a device was used.
public struct DeviceSighting: Sendable {
    /// Whose device.
    public let user: UserNumber
    /// Which device.
    public let device: DeviceID
    /// When, in milliseconds since 1970.
    public let seenAt: Int64
    /// From which address.
    public let address: String
    /// With which `User-Agent`.
    public let userAgent: String?

    /// A sighting.
    public init(user: UserNumber, device: DeviceID, seenAt: Int64, address: String, userAgent: String?) {
        self.user = user
        self.device = device
        self.seenAt = seenAt
        self.address = address
        self.userAgent = userAgent
    }
}

/// Look-ups of devices.
public struct DeviceReader {
    let sql: ReadTransaction

    /// A user's device, or `nil` if there is none of that name.
    public func device(_ id: DeviceID, of user: UserNumber) throws -> DeviceRecord? {
        try sql.first(
            """
            SELECT user_num, device_id, display_name, last_seen_ts, last_seen_ip, last_seen_user_agent
            FROM devices WHERE user_num = $1 AND device_id = $2
            """, user, id, map: Self.decode
        )
    }

    /// A user's devices, in the order of their names.
    public func devices(of user: UserNumber) throws -> [DeviceRecord] {
        try sql.all(
            """
            SELECT user_num, device_id, display_name, last_seen_ts, last_seen_ip, last_seen_user_agent
            FROM devices WHERE user_num = $1 ORDER BY device_id
            """, user, map: Self.decode
        )
    }

    /// How many devices a user has.
    public func count(of user: UserNumber) throws -> Int {
        try sql.first("SELECT COUNT(*) FROM devices WHERE user_num = $1", user) { Int(try $0.int(0)) } ?? 0
    }

    private static func decode(_ row: Row) throws -> DeviceRecord {
        DeviceRecord(
            user: try row.number(0), id: try row.identifier(1), displayName: try row.textOrNil(2),
            lastSeenAt: try row.intOrNil(3), lastSeenAddress: try row.textOrNil(4),
            lastSeenUserAgent: try row.textOrNil(5)
        )
    }
}

/// Stores devices.
public struct DeviceWriter {
    let writer: StoreWriter

    /// Adds a device.
    ///
    /// - Returns: Whether it is new; a known one keeps its name.
    public func insert(_ id: DeviceID, of user: UserNumber, displayName: String?, createdAt: Int64) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO devices (user_num, device_id, display_name, created_ts) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_num, device_id) DO NOTHING
            """, user, id, displayName, createdAt
        ) == 1
    }

    /// Renames a device.
    ///
    /// - Returns: Whether there is such a device.
    public func setDisplayName(_ name: String?, of id: DeviceID, _ user: UserNumber) throws -> Bool {
        try writer.sql.executeCounting(
            "UPDATE devices SET display_name = $3 WHERE user_num = $1 AND device_id = $2", user, id, name
        ) == 1
    }

    /// Notes that devices were used. Devices that are gone stay gone.
    public func note(_ sightings: [DeviceSighting]) throws {
        try writer.sql.executeMany(
            """
            UPDATE devices SET last_seen_ts = $3, last_seen_ip = $4, last_seen_user_agent = $5
            WHERE user_num = $1 AND device_id = $2 AND (last_seen_ts IS NULL OR last_seen_ts < $3)
            """,
            sightings.map { [$0.user, $0.device, $0.seenAt, $0.address, $0.userAgent] as [any SQLBindable] }
        )
    }

    /// Removes devices with their tokens.
    ///
    /// - Returns: Those that there were.
    public func delete(_ ids: [DeviceID], of user: UserNumber) throws -> [DeviceID] {
        try writer.sql.all(
            "DELETE FROM devices WHERE user_num = $1 AND device_id IN textlist($2) RETURNING device_id", user,
            ids.map(\.string)
        ) { try $0.identifier(0) }
    }
}

extension StoreReader {
    /// Devices of this server's users.
    public var devices: DeviceReader { DeviceReader(sql: sql) }
}

extension StoreWriter {
    /// Devices of this server's users.
    public var devices: DeviceWriter { DeviceWriter(writer: self) }
}
