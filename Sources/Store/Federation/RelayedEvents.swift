import Database
import Matrix

/// How an event reaches the other servers, where it is not simply sent by the server of its sender.
public enum EventRelay: Sendable, Hashable {
    /// This server let it in on behalf of that one, and sends it to all the others.
    case onBehalf(of: ServerName)
    /// Another server sends it to everyone.
    case handedOver
}

/// Look-ups of relayed events.
public struct RelayReader {
    let sql: ReadTransaction

    /// How those of `events` are relayed that are not simply sent by their sender's server.
    public func relays(_ events: [EventNumber]) throws -> [EventNumber: EventRelay] {
        guard !events.isEmpty else { return [:] }
        var relays: [EventNumber: EventRelay] = [:]
        try sql.forEach(
            "SELECT event_num, origin FROM relayed_events WHERE event_num IN list($1)", events.sqlList
        ) { row in
            let origin = try row.identifierOrNil(1, as: ServerName.self)
            relays[try row.number(0)] = origin.map { .onBehalf(of: $0) } ?? .handedOver
        }
        return relays
    }
}

/// Notes which events are relayed, in the transaction that stores them.
public struct RelayWriter {
    let writer: StoreWriter

    /// Has an event sent to all servers in its room but `origin`, which has handed it to this server to let it in.
    ///
    /// [send_join](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid),
    /// and so for departures and knocks.
    public func add(_ event: EventNumber, origin: ServerName) throws { try insert(event, origin) }

    /// Has an event of a user of this server sent to nobody: it was handed to a server in the room, which sends it to
    /// the others.
    public func handOver(_ event: EventNumber) throws { try insert(event, nil) }

    private func insert(_ event: EventNumber, _ origin: ServerName?) throws {
        try writer.sql.execute(
            """
            INSERT INTO relayed_events (event_num, origin) VALUES ($1, $2)
            ON CONFLICT (event_num) DO UPDATE SET origin = excluded.origin
            """, event, origin
        )
    }
}

extension StoreReader {
    /// Events that are relayed.
    public var relays: RelayReader { RelayReader(sql: sql) }
}

extension StoreWriter {
    /// Events that are relayed.
    public var relays: RelayWriter { RelayWriter(writer: self) }
}
