import Database
import Matrix

/// When a pusher that sends mail did so last.
public struct SentMail: Sendable, Hashable {
    /// When, in milliseconds since 1970.
    public var sent: Int64
    /// How long there is no other mail, in milliseconds.
    public var pauseMilliseconds: Int64

    /// A mail.
    public init(sent: Int64, pauseMilliseconds: Int64) {
        self.sent = sent
        self.pauseMilliseconds = pauseMilliseconds
    }
}

/// A pusher that has something to tell by mail.
public struct WaitingMail: Sendable, Hashable {
    /// Which pusher.
    public var key: PusherKey
    /// When the oldest of what it has to tell was noted, in milliseconds since 1970.
    public var since: Int64
    /// The last mail.
    public var last: SentMail?
}

/// Look-ups of mail about what users have not read.
public struct MailPusherReader {
    let sql: ReadTransaction

    /// When a pusher sent mail last.
    public func last(of key: PusherKey) throws -> SentMail? {
        try sql.first(
            "SELECT sent_ts, pause_ms FROM mail_pushers WHERE user_num = $1 AND app_id = $2 AND push_key = $3",
            key.user,
            key.appID, key.pushKey
        ) { SentMail(sent: try $0.int(0), pauseMilliseconds: try $0.int(1)) }
    }

    /// The pushers that have something to tell by mail: those of some users, or of all.
    public func waiting(of users: [UserNumber]? = nil) throws -> [WaitingMail] {
        func decode(_ row: Row) throws -> WaitingMail {
            let sent = try row.intOrNil(4)
            return WaitingMail(
                key: PusherKey(user: try row.number(0), appID: try row.text(1), pushKey: try row.text(2)),
                since: try row.int(3),
                last: try sent.map { SentMail(sent: $0, pauseMilliseconds: try row.int(5)) })
        }
        if let users { return try sql.all(Self.waitingOfUsers, users.sqlList, map: decode) }
        return try sql.all(Self.waiting, map: decode)
    }

    private static func waiting(where condition: String) -> SQL {
        SQL(
            """
            SELECT p.user_num, p.app_id, p.push_key, MIN(w.added_ts), MIN(m.sent_ts), MIN(m.pause_ms)
            FROM pushers p
            JOIN pending_pushes w ON w.user_num = p.user_num AND w.app_id = p.app_id AND w.push_key = p.push_key
            LEFT JOIN mail_pushers m ON m.user_num = p.user_num AND m.app_id = p.app_id AND m.push_key = p.push_key
            WHERE p.kind = 'email'\(condition)
            GROUP BY p.user_num, p.app_id, p.push_key ORDER BY p.user_num, p.app_id, p.push_key
            """)
    }
    private static let waiting = waiting(where: "")
    private static let waitingOfUsers = waiting(where: " AND p.user_num IN list($1)")
}

/// Notes mail about what users have not read.
public struct MailPusherWriter {
    let writer: StoreWriter

    /// Notes a mail, unless its pusher is gone.
    public func note(_ mail: SentMail, of key: PusherKey) throws {
        try writer.sql.execute(
            """
            INSERT INTO mail_pushers (user_num, app_id, push_key, sent_ts, pause_ms)
            SELECT user_num, app_id, push_key, $4, $5 FROM pushers WHERE user_num = $1 AND app_id = $2 AND push_key = $3
            ON CONFLICT (user_num, app_id, push_key) DO UPDATE SET sent_ts = excluded.sent_ts, pause_ms = excluded.pause_ms
            """, key.user, key.appID, key.pushKey, mail.sent, mail.pauseMilliseconds)
    }
}

extension StoreReader {
    /// Mail about what users have not read.
    public var mailPushers: MailPusherReader { MailPusherReader(sql: sql) }
}

extension StoreWriter {
    /// Mail about what users have not read.
    public var mailPushers: MailPusherWriter { MailPusherWriter(writer: self) }
}
