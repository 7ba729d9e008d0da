import Database
import Matrix

/// What a user has not read in a thread, or in a room's main timeline.
public struct UnreadThread: Sendable, Equatable {
    /// The events that notify.
    public var notification: Int
    /// Those of them that are highlighted.
    public var highlight: Int
    /// The place of the first event counted.
    public var first: StreamPosition
    /// The place of the last event counted.
    public var last: StreamPosition

    /// A count.
    public init(notification: Int, highlight: Int, first: StreamPosition, last: StreamPosition) {
        self.notification = notification
        self.highlight = highlight
        self.first = first
        self.last = last
    }
}

/// What a user has not read in a room, as far as it has been worked out.
public struct UnreadRecord: Sendable, Equatable {
    /// The timeline has been looked at up to here.
    public var position: StreamPosition
    /// Receipts have been taken into account up to this journal entry.
    public var receipts: StreamPosition
    /// The counts that are not zero, by thread: a root's event ID, or `main`.
    public var threads: [ExactString: UnreadThread]

    /// A record.
    public init(position: StreamPosition, receipts: StreamPosition, threads: [ExactString: UnreadThread]) {
        self.position = position
        self.receipts = receipts
        self.threads = threads
    }
}

/// Look-ups of unread counts.
public struct UnreadReader {
    let sql: ReadTransaction

    /// What has been worked out for a user and a room, or `nil` if nothing has.
    public func record(of user: UserNumber, in room: RoomNumber) throws -> UnreadRecord? {
        try sql.first(
            "SELECT position, receipts, counts FROM unread_counts WHERE user_num = $1 AND room_num = $2", user, room
        ) { row in
            UnreadRecord(
                position: try row.number(0), receipts: try row.number(1), threads: try Self.decode(try row.text(2)))
        }
    }

    static func encode(_ threads: [ExactString: UnreadThread]) -> String {
        var writer = JSONWriter(capacity: 64)
        writer.beginObject()
        for (thread, counts) in threads.sorted(by: { $0.key < $1.key }) {
            writer.key(thread.string)
            writer.beginArray()
            writer.write(counts.notification)
            writer.write(counts.highlight)
            writer.write(counts.first.rawValue)
            writer.write(counts.last.rawValue)
            writer.endArray()
        }
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    static func decode(_ text: String) throws -> [ExactString: UnreadThread] {
        guard let json = try? JSON(parsing: text) else { throw StoreError.inconsistent("unread counts are not JSON") }
        var threads: [ExactString: UnreadThread] = [:]
        for (thread, value) in json.members {
            let numbers = value.elements.compactMap(\.int)
            guard numbers.count == 4 else { throw StoreError.inconsistent("unread counts are malformed") }
            threads[ExactString(thread)] = UnreadThread(
                notification: Int(numbers[0]), highlight: Int(numbers[1]), first: StreamPosition(numbers[2]),
                last: StreamPosition(numbers[3]))
        }
        return threads
    }
}

/// Stores unread counts.
public struct UnreadWriter {
    let writer: StoreWriter

    /// Stores what has been worked out, unless something further along is there already.
    public func store(_ record: UnreadRecord, of user: UserNumber, in room: RoomNumber) throws {
        try writer.sql.execute(
            """
            INSERT INTO unread_counts (user_num, room_num, position, receipts, counts) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (user_num, room_num) DO UPDATE SET position = excluded.position, receipts = excluded.receipts,
                counts = excluded.counts
            WHERE excluded.position >= unread_counts.position AND excluded.receipts >= unread_counts.receipts
            """, user, room, record.position, record.receipts, UnreadReader.encode(record.threads))
    }

    /// Forgets what has been worked out, so that it is worked out again.
    public func remove(of user: UserNumber, in room: RoomNumber) throws {
        try writer.sql.execute("DELETE FROM unread_counts WHERE user_num = $1 AND room_num = $2", user, room)
    }
}

extension StoreReader {
    /// Unread counts.
    public var unread: UnreadReader { UnreadReader(sql: sql) }
}

extension StoreWriter {
    /// Unread counts.
    public var unread: UnreadWriter { UnreadWriter(writer: self) }
}
