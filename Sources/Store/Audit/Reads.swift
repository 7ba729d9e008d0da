import Database
import Matrix

/// Something that a user has read.
public struct ReadRecord: Sendable, Hashable {
    /// What was read.
    public enum Kind: String, Sendable, CaseIterable {
        /// A room was entered.
        case join
        /// A page of a room's messages.
        case messages
        /// A file.
        case media
    }

    /// Who read it.
    public let user: UserNumber
    /// When, in milliseconds since 1970.
    public let time: Int64
    /// What kind of thing it was.
    public let kind: Kind
    /// The room, or the file's URI.
    public let subject: String
    /// Where a page of messages began, as a token or an event's identifier.
    public let first: String?
    /// Where it ended.
    public let last: String?
    /// With which device.
    public let device: DeviceID?
    /// From which address.
    public let address: String?

    /// A record.
    public init(
        user: UserNumber, time: Int64, kind: Kind, subject: String, first: String? = nil, last: String? = nil,
        device: DeviceID? = nil, address: String? = nil
    ) {
        self.user = user
        self.time = time
        self.kind = kind
        self.subject = subject
        self.first = first
        self.last = last
        self.device = device
        self.address = address
    }

    /// The day it happened on, in days since 1970.
    var day: Int64 { time / Self.dayMilliseconds }

    static let dayMilliseconds: Int64 = 86_400_000
}

/// Look-ups of what users have read.
public struct ReadReader {
    let sql: ReadTransaction

    /// A page of what a user has read, in the order of time.
    ///
    /// - Parameters:
    ///   - user: Who.
    ///   - times: When, in milliseconds since 1970.
    ///   - after: The number of the last one of the page before; 0 for the first page.
    ///   - limit: The most to return.
    public func reads(
        of user: UserNumber, in times: ClosedRange<Int64>, after number: Int64, limit: Int
    ) throws -> [(number: Int64, record: ReadRecord)] {
        try sql.all(
            """
            SELECT num, user_num, time_ts, kind, subject, first, last, device_id, address FROM reads
            WHERE user_num = $1 AND time_ts >= $2 AND time_ts <= $3 AND num > $4 ORDER BY num LIMIT $5
            """, user, times.lowerBound, times.upperBound, number, limit
        ) { row in
            (
                try row.int(0),
                ReadRecord(
                    user: try row.number(1), time: try row.int(2),
                    kind: ReadRecord.Kind(rawValue: try row.text(3)) ?? .messages, subject: try row.text(4),
                    first: try row.textOrNil(5), last: try row.textOrNil(6), device: try row.identifierOrNil(7),
                    address: try row.textOrNil(8))
            )
        }
    }

    /// How much of what a user has read was not noted, because it was too much for a day.
    public func omitted(of user: UserNumber, in times: ClosedRange<Int64>) throws -> Int64 {
        try sql.first(
            "SELECT COALESCE(SUM(omitted), 0) FROM read_days WHERE user_num = $1 AND day >= $2 AND day <= $3", user,
            times.lowerBound / ReadRecord.dayMilliseconds, times.upperBound / ReadRecord.dayMilliseconds
        ) { try $0.int(0) } ?? 0
    }
}

/// Stores what users have read.
public struct ReadWriter {
    let writer: StoreWriter

    /// Stores records, of each user no more than so many a day. The rest is counted.
    public func add(_ records: [ReadRecord], maximumADay: Int64) throws {
        struct Day: Hashable {
            let user: UserNumber
            let day: Int64
        }
        for (day, all) in Dictionary(grouping: records, by: { Day(user: $0.user, day: $0.day) }) {
            let stored =
                try writer.read.sql.first(
                    "SELECT stored FROM read_days WHERE user_num = $1 AND day = $2", day.user, day.day
                ) { try $0.int(0) } ?? 0
            let kept = Array(all.prefix(Int(max(0, maximumADay - stored))))
            try writer.sql.execute(
                """
                INSERT INTO read_days (user_num, day, stored, omitted) VALUES ($1, $2, $3, $4)
                ON CONFLICT (user_num, day) DO UPDATE SET stored = read_days.stored + excluded.stored,
                    omitted = read_days.omitted + excluded.omitted
                """, day.user, day.day, kept.count, all.count - kept.count)
            guard !kept.isEmpty else { continue }
            let first = try writer.next("reads", count: kept.count)
            try writer.sql.executeMany(
                """
                INSERT INTO reads (num, user_num, time_ts, kind, subject, first, last, device_id, address)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                """,
                kept.enumerated().map { index, record in
                    [
                        first + Int64(index), record.user, record.time, record.kind.rawValue, record.subject,
                        record.first, record.last, record.device, record.address,
                    ] as [any SQLBindable]
                })
        }
    }

    /// Forgets what was read before a time, in milliseconds since 1970; a bounded number at once.
    ///
    /// - Returns: Whether there may be more.
    public func forget(before time: Int64) throws -> Bool {
        let page = 5_000
        let count = try writer.sql.executeCounting(
            """
            DELETE FROM reads WHERE num IN (SELECT num FROM reads WHERE time_ts < $1 ORDER BY time_ts LIMIT $2)
            """, time, page)
        if count < page {
            try writer.sql.execute("DELETE FROM read_days WHERE day < $1", time / ReadRecord.dayMilliseconds)
        }
        return count == page
    }
}

extension StoreReader {
    /// What users have read.
    public var reads: ReadReader { ReadReader(sql: sql) }
}

extension StoreWriter {
    /// What users have read.
    public var reads: ReadWriter { ReadWriter(writer: self) }
}
