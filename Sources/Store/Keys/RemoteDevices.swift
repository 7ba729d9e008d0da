import Database
import Matrix

/// A device of a user of another server.
public struct RemoteDeviceRecord: Sendable, Equatable {
    /// The device.
    public let device: DeviceID
    /// What its user calls it.
    public let displayName: String?
    /// Its identity keys, the text of a JSON object; `nil` if it has none.
    public let keys: [UInt8]?

    /// A device.
    public init(device: DeviceID, displayName: String?, keys: [UInt8]?) {
        self.device = device
        self.displayName = displayName
        self.keys = keys
    }
}

/// What is known of the devices of a user of another server as a whole.
public struct RemoteDeviceListRecord: Sendable, Equatable {
    /// The last updates that are in it, newest last.
    public var streamIDs: [Int64] = []
    /// The end of the journal when the list was asked for: since then it has been kept up to date. `nil` if something is missing.
    public var freshPosition: StreamPosition?
    /// When it was asked for last, in milliseconds since 1970.
    public var fetched: Int64 = 0
    /// When it is to be asked for again, in milliseconds since 1970.
    public var retry: Int64?
    /// How often it could not be had since it was had last.
    public var failures: Int = 0
    /// Counts what has been heard of the list.
    public var generation: Int64 = 0
    /// The user's master key, the text of a JSON object.
    public var masterKey: [UInt8]?
    /// The user's self-signing key, the text of a JSON object.
    public var selfSigningKey: [UInt8]?

    /// A list of which nothing is known.
    public init() {}
}

/// Look-ups of the devices of users of other servers.
public struct RemoteDeviceReader {
    let sql: ReadTransaction

    private static let columns =
        "user_num, stream_ids, fresh_position, fetched_ts, retry_ts, failures, generation, master_key, self_signing_key"
    private static let some = SQL("SELECT \(columns) FROM remote_device_lists WHERE user_num IN list($1)")

    /// What is known of a user's list, or `nil` if nothing is.
    public func list(of user: UserNumber) throws -> RemoteDeviceListRecord? { try lists(of: [user])[user] }

    /// What is known of users' lists.
    public func lists(of users: [UserNumber]) throws -> [UserNumber: RemoteDeviceListRecord] {
        var lists: [UserNumber: RemoteDeviceListRecord] = [:]
        try sql.forEach(Self.some, users.sqlList) { row in
            var list = RemoteDeviceListRecord()
            list.streamIDs = try row.text(1).split(separator: " ").compactMap { Int64($0) }
            list.freshPosition = try row.numberOrNil(2)
            list.fetched = try row.int(3)
            list.retry = try row.intOrNil(4)
            list.failures = Int(try row.int(5))
            list.generation = try row.int(6)
            list.masterKey = try row.blobOrNil(7)
            list.selfSigningKey = try row.blobOrNil(8)
            lists[try row.number(0)] = list
        }
        return lists
    }

    /// The devices of users.
    public func devices(of users: [UserNumber]) throws -> [UserNumber: [RemoteDeviceRecord]] {
        var devices: [UserNumber: [RemoteDeviceRecord]] = [:]
        try sql.forEach(
            """
            SELECT user_num, device_id, display_name, keys FROM remote_devices WHERE user_num IN list($1)
            ORDER BY user_num, device_id
            """, users.sqlList
        ) { row in
            devices[try row.number(0), default: []].append(
                RemoteDeviceRecord(
                    device: try row.identifier(1), displayName: try row.textOrNil(2), keys: try row.blobOrNil(3)))
        }
        return devices
    }

    /// One device of a user.
    public func device(_ device: DeviceID, of user: UserNumber) throws -> RemoteDeviceRecord? {
        try sql.first(
            "SELECT device_id, display_name, keys FROM remote_devices WHERE user_num = $1 AND device_id = $2", user,
            device
        ) { row in
            RemoteDeviceRecord(
                device: try row.identifier(0), displayName: try row.textOrNil(1), keys: try row.blobOrNil(2))
        }
    }

    /// How many devices of a user are known.
    public func count(of user: UserNumber) throws -> Int {
        try sql.first("SELECT COUNT(*) FROM remote_devices WHERE user_num = $1", user) { Int(try $0.int(0)) } ?? 0
    }

    /// Servers with users whose lists are to be asked for by now.
    public func dueServers(now: Int64, limit: Int) throws -> [ServerName] {
        try sql.all(
            """
            SELECT DISTINCT u.server FROM remote_device_lists AS l JOIN users AS u ON u.num = l.user_num
            WHERE l.retry_ts IS NOT NULL AND l.retry_ts <= $1 ORDER BY u.server LIMIT $2
            """, now, limit
        ) { try $0.identifier(0) }
    }

    /// Servers with users whose lists could not be had.
    public func failingServers(limit: Int) throws -> [ServerName] {
        try sql.all(
            """
            SELECT DISTINCT u.server FROM remote_device_lists AS l JOIN users AS u ON u.num = l.user_num
            WHERE l.retry_ts IS NOT NULL AND l.failures > 0 ORDER BY u.server LIMIT $1
            """, limit
        ) { try $0.identifier(0) }
    }

    /// A server's users whose lists are to be asked for by now, those that have waited longest first.
    public func due(of server: ServerName, now: Int64, limit: Int) throws -> [(user: UserNumber, id: UserID)] {
        try sql.all(
            """
            SELECT l.user_num, u.user_id FROM remote_device_lists AS l JOIN users AS u ON u.num = l.user_num
            WHERE l.retry_ts IS NOT NULL AND l.retry_ts <= $1 AND u.server = $2
            ORDER BY l.retry_ts, l.user_num LIMIT $3
            """, now, server, limit
        ) { (user: try $0.number(0), id: try $0.identifier(1)) }
    }

    /// When the next list after `now` is to be asked for, in milliseconds since 1970.
    public func nextDue(after now: Int64) throws -> Int64? {
        try sql.first(
            "SELECT MIN(retry_ts) FROM remote_device_lists WHERE retry_ts IS NOT NULL AND retry_ts > $1", now
        ) { try $0.intOrNil(0) } ?? nil
    }
}

/// Stores the devices of users of other servers.
public struct RemoteDeviceWriter {
    let writer: StoreWriter

    /// Stores what is known of a user's list. The caller announces what has changed for others.
    public func set(_ list: RemoteDeviceListRecord, of user: UserNumber) throws {
        try writer.sql.execute(
            """
            INSERT INTO remote_device_lists (user_num, stream_ids, fresh_position, fetched_ts, retry_ts, failures, generation,
                master_key, self_signing_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (user_num) DO UPDATE SET stream_ids = excluded.stream_ids,
                fresh_position = excluded.fresh_position, fetched_ts = excluded.fetched_ts, retry_ts = excluded.retry_ts,
                failures = excluded.failures, generation = excluded.generation, master_key = excluded.master_key,
                self_signing_key = excluded.self_signing_key
            """, user, list.streamIDs.map(String.init).joined(separator: " "), list.freshPosition, list.fetched,
            list.retry, list.failures, list.generation, list.masterKey, list.selfSigningKey
        )
    }

    /// Stores a device of a user whose list is stored.
    public func set(_ device: RemoteDeviceRecord, of user: UserNumber) throws {
        try writer.sql.execute(
            """
            INSERT INTO remote_devices (user_num, device_id, display_name, keys) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_num, device_id) DO UPDATE SET display_name = excluded.display_name, keys = excluded.keys
            """, user, device.device, device.displayName, device.keys
        )
    }

    /// Removes a device.
    public func remove(_ device: DeviceID, of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM remote_devices WHERE user_num = $1 AND device_id = $2", user, device)
    }

    /// Forgets all that is known of a user's devices.
    public func forget(_ user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM remote_device_lists WHERE user_num = $1", user)
    }

    /// Has the lists of a server's users that could not be had asked for now.
    public func retryNow(_ server: ServerName, now: Int64) throws {
        try writer.sql.execute(
            """
            UPDATE remote_device_lists SET retry_ts = $2
            WHERE retry_ts > $2 AND user_num IN (SELECT num FROM users WHERE server = $1)
            """, server, now
        )
    }

    /// Puts off all lists of a server's users that are to be asked for by now.
    public func putOff(_ server: ServerName, until time: Int64, now: Int64) throws {
        try writer.sql.execute(
            """
            UPDATE remote_device_lists SET retry_ts = $2
            WHERE retry_ts <= $3 AND user_num IN (SELECT num FROM users WHERE server = $1)
            """, server, time, now
        )
    }
}

extension StoreReader {
    /// Devices of users of other servers.
    public var remoteDevices: RemoteDeviceReader { RemoteDeviceReader(sql: sql) }
}

extension StoreWriter {
    /// Devices of users of other servers.
    public var remoteDevices: RemoteDeviceWriter { RemoteDeviceWriter(writer: self) }
}
