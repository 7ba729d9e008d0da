import Database
import Matrix

/// Look-ups of what other servers have sent.
public struct ReceivedTransactionReader {
    let sql: ReadTransaction

    /// What a server's transaction was answered, or `nil` if it is not known.
    public func response(to transaction: String, from origin: ServerName) throws -> [UInt8]? {
        try sql.first(
            "SELECT response FROM received_transactions WHERE origin = $1 AND txn_id = $2", origin, transaction
        ) { try $0.blob(0) }
    }
}

/// Stores what other servers have sent, for as long as they may send it again.
public struct ReceivedTransactionWriter {
    let writer: StoreWriter

    /// Transactions of a server that are remembered: a server sends the next only after the answer to the one before.
    public static let transactionsPerServer = 20
    /// Messages for devices that are remembered of a server.
    public static let messagesPerServer = 50_000
    /// Of so many messages one looks whether too many are remembered.
    private static let trimmingInterval: Int64 = 256

    /// Remembers what a transaction was answered.
    public func remember(_ transaction: String, from origin: ServerName, response: [UInt8], at time: Int64) throws {
        try writer.sql.execute(
            """
            INSERT INTO received_transactions (origin, txn_id, received_ts, response) VALUES ($1, $2, $3, $4)
            ON CONFLICT (origin, txn_id) DO NOTHING
            """, origin, transaction, time, response
        )
        try writer.sql.execute(
            """
            DELETE FROM received_transactions WHERE origin = $1 AND received_ts < (
                SELECT received_ts FROM received_transactions WHERE origin = $1
                ORDER BY received_ts DESC LIMIT 1 OFFSET $2)
            """, origin, Self.transactionsPerServer - 1
        )
    }

    /// Notes that a server's message for devices has been delivered.
    ///
    /// - Returns: `false` if it had been before: then nothing else may be done.
    public func begin(message: String, from origin: ServerName, at time: Int64) throws -> Bool {
        let number = try writer.sql.first(
            """
            INSERT INTO received_device_messages (origin, message_id, received_ts) VALUES ($1, $2, $3)
            ON CONFLICT (origin, message_id) DO NOTHING RETURNING num
            """, origin, message, time
        ) { try $0.int(0) }
        guard let number else { return false }
        if number % Self.trimmingInterval == 0 {
            try writer.sql.execute(
                """
                DELETE FROM received_device_messages WHERE origin = $1 AND num <= (
                    SELECT num FROM received_device_messages WHERE origin = $1 ORDER BY num DESC LIMIT 1 OFFSET $2)
                """, origin, Self.messagesPerServer
            )
        }
        return true
    }

    /// Rows that one cleaning removes of each kind at most.
    private static let forgottenAtOnce = 1_000

    /// Forgets what came before that time, the oldest first, some of it at a time.
    public func forget(before time: Int64) throws {
        try writer.sql.execute(
            """
            DELETE FROM received_transactions WHERE (origin, txn_id) IN (
                SELECT origin, txn_id FROM received_transactions WHERE received_ts < $1
                ORDER BY received_ts LIMIT $2)
            """, time, Self.forgottenAtOnce
        )
        try writer.sql.execute(
            """
            DELETE FROM received_device_messages WHERE num IN (
                SELECT num FROM received_device_messages WHERE received_ts < $1 ORDER BY received_ts LIMIT $2)
            """, time, Self.forgottenAtOnce
        )
    }
}

extension StoreReader {
    /// What other servers have sent.
    public var receivedTransactions: ReceivedTransactionReader { ReceivedTransactionReader(sql: sql) }
}

extension StoreWriter {
    /// What other servers have sent.
    public var receivedTransactions: ReceivedTransactionWriter { ReceivedTransactionWriter(writer: self) }
}
