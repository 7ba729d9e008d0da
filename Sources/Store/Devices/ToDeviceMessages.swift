import Database
import Matrix

/// A message that waits for a device.
public struct WaitingMessage: Sendable {
    /// Where it was announced.
    public let position: StreamPosition
    /// The message as the client gets it: the text of a JSON object with `type`, `sender` and `content`.
    public let content: [UInt8]
}

/// Look-ups of messages for devices.
public struct ToDeviceReader {
    let sql: ReadTransaction

    /// The messages that wait for a device, announced after one position up to another, in order, at most `limit`.
    public func pending(
        for device: DeviceID, of user: UserNumber, after position: StreamPosition, through end: StreamPosition,
        limit: Int
    ) throws -> [WaitingMessage] {
        try sql.all(
            """
            SELECT position, content FROM to_device
            WHERE user_num = $1 AND device_id = $2 AND position > $3 AND position <= $4 ORDER BY position LIMIT $5
            """, user, device, position, end, limit
        ) { WaitingMessage(position: try $0.number(0), content: try $0.blob(1)) }
    }

    /// Where the first and the last message that wait for a device were announced, or `nil` if none waits.
    public func range(for device: DeviceID, of user: UserNumber) throws -> ClosedRange<StreamPosition>? {
        try sql.first(
            "SELECT MIN(position), MAX(position) FROM to_device WHERE user_num = $1 AND device_id = $2", user, device
        ) { row in
            guard let first = try row.numberOrNil(0, as: StreamPosition.self) else { return nil }
            let last: StreamPosition = try row.number(1)
            return first...max(first, last)
        } ?? nil
    }

    /// Whether a request of that type and transaction was carried out. An application service may act without a device.
    public func isDone(
        _ transaction: String, type: EventType, from device: DeviceID?, of user: UserNumber
    ) throws -> Bool {
        try sql.first(
            """
            SELECT 1 FROM to_device_transactions
            WHERE user_num = $1 AND device_id = $2 AND type = $3 AND txn_id = $4
            """, user, device?.string ?? "", type, transaction
        ) { try $0.int(0) } != nil
    }
}

/// Stores messages for devices.
public struct ToDeviceWriter {
    let writer: StoreWriter

    /// The most messages that wait for a device, give or take a few: one that is never used again must not fill the disk.
    public static let capacity = 20_000
    /// Of so many messages one looks whether there are too many.
    private static let trimmingInterval: Int64 = 64

    /// Stores a message for a device, which must exist, and announces it. If too many wait, the oldest go.
    public func append(_ message: ToDeviceRecord) throws {
        let position = try writer.journal.append(.toDevice(message))
        try writer.sql.execute(
            "INSERT INTO to_device (user_num, device_id, position, content) VALUES ($1, $2, $3, $4)", message.user,
            message.device, position, message.content
        )
        if position.rawValue % Self.trimmingInterval == 0 {
            try trim(for: message.device, of: message.user, keeping: Self.capacity)
        }
    }

    /// Removes the oldest messages for a device until so many are left.
    public func trim(for device: DeviceID, of user: UserNumber, keeping count: Int) throws {
        try writer.sql.execute(
            """
            DELETE FROM to_device WHERE user_num = $1 AND device_id = $2 AND position <= (
                SELECT position FROM to_device WHERE user_num = $1 AND device_id = $2
                ORDER BY position DESC LIMIT 1 OFFSET $3
            )
            """, user, device, count
        )
    }

    /// Removes what a device has acknowledged.
    ///
    /// - Returns: How many messages there were.
    public func delete(for device: DeviceID, of user: UserNumber, through position: StreamPosition) throws -> Int {
        try writer.sql.executeCounting(
            "DELETE FROM to_device WHERE user_num = $1 AND device_id = $2 AND position <= $3", user, device, position
        )
    }

    /// Notes that a request was carried out.
    ///
    /// - Returns: `false` if it had been before: then nothing else may be done.
    public func begin(
        _ transaction: String, type: EventType, from device: DeviceID?, of user: UserNumber, at time: Int64
    ) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO to_device_transactions (user_num, device_id, type, txn_id, done_ts) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (user_num, device_id, type, txn_id) DO NOTHING
            """, user, device?.string ?? "", type, transaction, time
        ) > 0
    }

    /// Forgets the requests of devices: they are gone, and what is called by their names later is another device.
    public func forgetTransactions(of devices: [DeviceID], of user: UserNumber) throws {
        try writer.sql.execute(
            "DELETE FROM to_device_transactions WHERE user_num = $1 AND device_id IN textlist($2)", user,
            devices.map(\.string)
        )
    }

    /// Forgets requests that were carried out before that time.
    public func forgetTransactions(before time: Int64) throws {
        try writer.sql.execute("DELETE FROM to_device_transactions WHERE done_ts < $1", time)
    }
}

extension StoreReader {
    /// Messages for devices.
    public var toDevice: ToDeviceReader { ToDeviceReader(sql: sql) }
}

extension StoreWriter {
    /// Messages for devices.
    public var toDevice: ToDeviceWriter { ToDeviceWriter(writer: self) }
}
