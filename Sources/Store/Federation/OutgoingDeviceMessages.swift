import Database
import Matrix

/// A message for devices on another server that has not been acknowledged yet.
public struct OutgoingDeviceMessageRecord: Sendable, Equatable {
    /// Its number: in their order messages are sent.
    public let number: Int64
    /// The content of the `m.direct_to_device`: the text of a JSON object.
    public let content: [UInt8]

    /// A message.
    public init(number: Int64, content: [UInt8]) {
        self.number = number
        self.content = content
    }
}

/// Look-ups of messages for devices on other servers.
public struct OutgoingDeviceMessageReader {
    let sql: ReadTransaction

    /// The messages that have waited longest for a server, in order.
    public func pending(for server: ServerName, limit: Int) throws -> [OutgoingDeviceMessageRecord] {
        try sql.all(
            "SELECT num, content FROM outgoing_device_messages WHERE server = $1 ORDER BY num LIMIT $2", server, limit
        ) { OutgoingDeviceMessageRecord(number: try $0.int(0), content: try $0.blob(1)) }
    }

    /// How many messages wait for a server.
    public func count(for server: ServerName) throws -> Int {
        try sql.first("SELECT COUNT(*) FROM outgoing_device_messages WHERE server = $1", server) {
            Int(try $0.int(0))
        } ?? 0
    }

    /// The servers for which messages wait.
    public func servers() throws -> [ServerName] {
        try sql.all("SELECT DISTINCT server FROM outgoing_device_messages ORDER BY server") { try $0.identifier(0) }
    }
}

/// Stores messages for devices on other servers.
public struct OutgoingDeviceMessageWriter {
    let writer: StoreWriter

    /// The most messages that wait for a server, give or take a few: one that never comes back must not fill the disk.
    public static let capacity = 20_000
    /// Of so many messages one looks whether there are too many.
    private static let trimmingInterval: Int64 = 64

    /// Stores a message. If too many wait for the server, the oldest go.
    public func append(_ content: [UInt8], for server: ServerName) throws {
        let number = try writer.sql.first(
            "INSERT INTO outgoing_device_messages (server, content) VALUES ($1, $2) RETURNING num", server, content
        ) { try $0.int(0) }
        if let number, number % Self.trimmingInterval == 0 { try trim(server, keeping: Self.capacity) }
    }

    /// Removes the oldest messages for a server until so many are left.
    public func trim(_ server: ServerName, keeping count: Int) throws {
        try writer.sql.execute(
            """
            DELETE FROM outgoing_device_messages WHERE server = $1 AND num <= (
                SELECT num FROM outgoing_device_messages WHERE server = $1 ORDER BY num DESC LIMIT 1 OFFSET $2
            )
            """, server, count
        )
    }

    /// Removes messages that have been acknowledged.
    public func delete(_ numbers: [Int64]) throws {
        guard !numbers.isEmpty else { return }
        try writer.sql.execute("DELETE FROM outgoing_device_messages WHERE num IN list($1)", numbers)
    }
}

extension StoreReader {
    /// Messages for devices on other servers.
    public var outgoingDeviceMessages: OutgoingDeviceMessageReader { OutgoingDeviceMessageReader(sql: sql) }
}

extension StoreWriter {
    /// Messages for devices on other servers.
    public var outgoingDeviceMessages: OutgoingDeviceMessageWriter { OutgoingDeviceMessageWriter(writer: self) }
}
