import Crypto
import Database
import Matrix

/// What other servers may know of a device.
public struct AnnouncedDevice: Sendable {
    /// The device.
    public let device: DeviceID
    /// What its user calls it.
    public let displayName: String?
    /// Its identity keys with the user's signatures, if it has some: the text of a JSON object.
    public let keys: [UInt8]?

    /// A device.
    public init(device: DeviceID, displayName: String?, keys: [UInt8]?) {
        self.device = device
        self.displayName = displayName
        self.keys = keys
    }
}

/// An announcement of a change to a user's devices or cross-signing keys.
public struct DeviceAnnouncement: Sendable, Equatable {
    /// Whose.
    public let user: UserNumber
    /// The device; `nil` for the cross-signing keys.
    public let device: DeviceID?
    /// The `stream_id`.
    public let streamID: Int64
    /// The `stream_id` of the user's announcement before.
    public let previousID: Int64?
    /// Where in the journal the change was announced.
    public let position: StreamPosition
    /// Whether the device is gone.
    public let isDeleted: Bool
}

/// Look-ups of announcements.
public struct DeviceAnnouncementReader {
    let sql: ReadTransaction

    /// The last `stream_id` of a user, or 0 if other servers were never told of a device of theirs.
    public func streamID(of user: UserNumber) throws -> Int64 {
        try sql.first("SELECT MAX(stream_id) FROM device_announcements WHERE user_num = $1", user) {
            try $0.intOrNil(0) ?? 0
        } ?? 0
    }

    /// The announcements from a stretch of the journal that a server has to hear of: those of users who share a room
    /// with it.
    ///
    /// Of each device there is only the last one, even if it was announced later than others before it.
    public func announcements(
        for server: ServerName, after: StreamPosition, through: StreamPosition, limit: Int
    ) throws -> [DeviceAnnouncement] {
        try sql.all(
            """
            SELECT a.user_num, a.device_id, a.stream_id, a.prev_id, a.position, a.digest IS NULL
            FROM device_announcements AS a
            WHERE a.position > $2 AND a.position <= $3 AND EXISTS (
                SELECT 1 FROM memberships AS mine
                JOIN memberships AS theirs ON theirs.room_num = mine.room_num AND theirs.membership = 1
                JOIN users AS u ON u.num = theirs.user_num AND u.server = $1
                WHERE mine.user_num = a.user_num AND mine.membership = 1
            ) ORDER BY a.position, a.user_num, a.stream_id LIMIT $4
            """, server, after, through, limit
        ) { row in
            let device = try row.text(1)
            return DeviceAnnouncement(
                user: try row.number(0), device: device.isEmpty ? nil : DeviceID(device), streamID: try row.int(2),
                previousID: try row.intOrNil(3), position: try row.number(4), isDeleted: try row.bool(5)
            )
        }
    }
}

/// Stores announcements.
public struct DeviceAnnouncementWriter {
    let writer: StoreWriter

    /// The most devices that are gone of which a user's announcements are kept. A server that missed an older one
    /// sees a gap in the `stream_id`s and asks for the whole list.
    public static let maximumDeleted = 100

    private struct Known {
        var digest: [UInt8]?
        var streamID: Int64
    }

    /// Compares what a user's devices and keys are with what was last announced, and stores an announcement for each
    /// difference. Doing it again changes nothing.
    ///
    /// - Parameters:
    ///   - devices: All devices of the user.
    ///   - crossSigningKeys: The texts of the master and the self-signing key.
    ///   - position: The journal entry that says that something has changed.
    /// - Returns: Whether there is something to announce.
    @discardableResult
    public func update(
        _ user: UserNumber, devices: [AnnouncedDevice], crossSigningKeys: [[UInt8]], at position: StreamPosition
    ) throws -> Bool {
        var known: [String: Known] = [:]
        try writer.sql.forEach(
            "SELECT device_id, stream_id, digest FROM device_announcements WHERE user_num = $1", user
        ) { row in known[try row.text(0)] = Known(digest: try row.blobOrNil(2), streamID: try row.int(1)) }
        var last = known.values.map(\.streamID).max() ?? 0
        var isChanged = false
        func announce(_ device: String, _ digest: [UInt8]?, hasStreamID: Bool = true) throws {
            isChanged = true
            var stream: (id: Int64, previous: Int64?) = (0, nil)
            if hasStreamID {
                stream = (max(last + 1, position.rawValue), last == 0 ? nil : last)
                last = stream.id
            }
            try insert(user, device, stream, digest, position)
        }
        for device in devices.sorted(by: { $0.device < $1.device }) {
            let digest = Self.digest(of: device)
            let before = known.removeValue(forKey: device.device.string)
            if before?.digest != digest { try announce(device.device.string, digest) }
        }
        let keys = known.removeValue(forKey: "")
        if keys != nil || !crossSigningKeys.isEmpty {
            let digest = Self.digest(of: crossSigningKeys)
            if keys?.digest != digest { try announce("", digest, hasStreamID: false) }
        }
        for device in known.keys.sorted() where known[device]?.digest != nil { try announce(device, nil) }
        if isChanged { try forgetOldest(of: user) }
        return isChanged
    }

    private func insert(
        _ user: UserNumber, _ device: String, _ stream: (id: Int64, previous: Int64?), _ digest: [UInt8]?,
        _ position: StreamPosition
    ) throws {
        try writer.sql.execute(
            """
            INSERT INTO device_announcements (user_num, device_id, stream_id, prev_id, position, digest)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (user_num, device_id) DO UPDATE SET stream_id = excluded.stream_id, prev_id = excluded.prev_id,
                position = excluded.position, digest = excluded.digest
            """, user, device, stream.id, stream.previous, position, digest
        )
    }

    private func forgetOldest(of user: UserNumber) throws {
        try writer.sql.execute(
            """
            DELETE FROM device_announcements WHERE user_num = $1 AND digest IS NULL AND stream_id <= (
                SELECT stream_id FROM device_announcements WHERE user_num = $1 AND digest IS NULL
                ORDER BY stream_id DESC LIMIT 1 OFFSET $2
            )
            """, user, Self.maximumDeleted
        )
    }

    private static func digest(of device: AnnouncedDevice) -> [UInt8] {
        digest(of: [device.displayName.map { Array($0.utf8) } ?? [0xFF], device.keys ?? []])
    }

    /// Each part goes in with its length, so that no two lists of parts are alike.
    private static func digest(of parts: [[UInt8]]) -> [UInt8] {
        var hash = SHA256()
        for part in parts {
            withUnsafeBytes(of: UInt64(part.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: part)
        }
        return Array(hash.finalize())
    }
}

extension StoreReader {
    /// What other servers were told of users' devices.
    public var deviceAnnouncements: DeviceAnnouncementReader { DeviceAnnouncementReader(sql: sql) }
}

extension StoreWriter {
    /// What other servers are told of users' devices.
    public var deviceAnnouncements: DeviceAnnouncementWriter { DeviceAnnouncementWriter(writer: self) }
}
