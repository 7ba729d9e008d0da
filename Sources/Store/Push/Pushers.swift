import Database
import Matrix

/// Whom to tell of what a user is notified of.
public struct PusherRecord: Sendable, Hashable {
    /// Whose notifications.
    public let user: UserNumber
    /// The device on which the pusher was made: it goes with it.
    public let device: DeviceID
    /// The kind: `http`.
    public let kind: String
    /// The application, as the push gateway knows it.
    public let appID: String
    /// The application's installation, as the push gateway knows it.
    public let pushKey: String
    /// What the application is called.
    public let appDisplayName: String
    /// What the telephone is called.
    public let deviceDisplayName: String
    /// Which of the application's profiles it is.
    public let profileTag: String?
    /// The language of notifications that people read.
    public let language: String
    /// More for the kind: the text of a JSON object.
    public let data: [UInt8]
    /// Since when the push key is known, in milliseconds since 1970; 0 as long as it is not stored.
    public let createdTimestamp: Int64

    /// Which pusher it is.
    public var key: PusherKey { PusherKey(user: user, appID: appID, pushKey: pushKey) }

    /// A pusher.
    public init(
        user: UserNumber, device: DeviceID, kind: String, appID: String, pushKey: String, appDisplayName: String,
        deviceDisplayName: String, profileTag: String?, language: String, data: [UInt8], createdTimestamp: Int64 = 0
    ) {
        self.user = user
        self.device = device
        self.kind = kind
        self.appID = appID
        self.pushKey = pushKey
        self.appDisplayName = appDisplayName
        self.deviceDisplayName = deviceDisplayName
        self.profileTag = profileTag
        self.language = language
        self.data = data
        self.createdTimestamp = createdTimestamp
    }
}

/// Look-ups of pushers.
public struct PusherReader {
    let sql: ReadTransaction

    /// A user's pushers, in the order in which they were made.
    public func pushers(of user: UserNumber) throws -> [PusherRecord] {
        try sql.all(Self.ofUser, user, map: decode)
    }

    /// A pusher, or `nil` if it is gone.
    public func pusher(_ key: PusherKey) throws -> PusherRecord? {
        try sql.first(Self.one, key.user, key.appID, key.pushKey, map: decode)
    }

    /// Everyone who has a pusher.
    public func users() throws -> [UserNumber] {
        try sql.all("SELECT DISTINCT user_num FROM pushers") { try $0.number(0) }
    }

    private static let columns =
        "user_num, device_id, kind, app_id, push_key, app_name, device_name, profile_tag, language, data, created_ts"
    private static let ofUser = SQL(
        "SELECT \(columns) FROM pushers WHERE user_num = $1 ORDER BY created_ts, app_id, push_key")
    private static let one = SQL(
        "SELECT \(columns) FROM pushers WHERE user_num = $1 AND app_id = $2 AND push_key = $3")

    private func decode(_ row: Row) throws -> PusherRecord {
        PusherRecord(
            user: try row.number(0), device: try row.identifier(1), kind: try row.text(2), appID: try row.text(3),
            pushKey: try row.text(4), appDisplayName: try row.text(5), deviceDisplayName: try row.text(6),
            profileTag: try row.textOrNil(7), language: try row.text(8), data: Array(try row.text(9).utf8),
            createdTimestamp: try row.int(10)
        )
    }
}

/// Stores pushers.
public struct PusherWriter {
    let writer: StoreWriter

    /// Stores a pusher, in the place of one of the same application and key.
    ///
    /// - Parameter now: The time, in milliseconds since 1970.
    public func set(_ pusher: PusherRecord, now: Int64) throws {
        try writer.sql.execute(
            """
            INSERT INTO pushers (user_num, app_id, push_key, device_id, kind, app_name, device_name, profile_tag, language,
                data, created_ts)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (user_num, app_id, push_key) DO UPDATE SET device_id = excluded.device_id, kind = excluded.kind,
                app_name = excluded.app_name, device_name = excluded.device_name, profile_tag = excluded.profile_tag,
                language = excluded.language, data = excluded.data
            """, pusher.user, pusher.appID, pusher.pushKey, pusher.device, pusher.kind, pusher.appDisplayName,
            pusher.deviceDisplayName, pusher.profileTag, pusher.language, String(decoding: pusher.data, as: UTF8.self),
            now
        )
    }

    /// Removes a user's pusher.
    public func delete(appID: String, pushKey: String, of user: UserNumber) throws {
        try writer.sql.execute(
            "DELETE FROM pushers WHERE user_num = $1 AND app_id = $2 AND push_key = $3", user, appID, pushKey)
    }

    /// Removes other users' pushers for the same installation: its telephone has a new user.
    ///
    /// - Returns: Whose they were.
    @discardableResult
    public func deleteOthers(appID: String, pushKey: String, than user: UserNumber) throws -> [UserNumber] {
        try writer.sql.all(
            "DELETE FROM pushers WHERE push_key = $1 AND app_id = $2 AND user_num <> $3 RETURNING user_num", pushKey,
            appID, user
        ) { try $0.number(0) }
    }
}

extension StoreReader {
    /// Pushers.
    public var pushers: PusherReader { PusherReader(sql: sql) }
}

extension StoreWriter {
    /// Pushers.
    public var pushers: PusherWriter { PusherWriter(writer: self) }
}
