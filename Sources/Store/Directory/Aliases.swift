import Database
import Matrix

/// An alias of this server.
public struct AliasRecord: Sendable {
    /// The alias.
    public let alias: RoomAlias
    /// The room it names.
    public let room: RoomNumber
    /// Who made it.
    public let creator: UserNumber
    /// When it was made, in milliseconds since 1970.
    public let created: Int64

    /// An alias.
    public init(alias: RoomAlias, room: RoomNumber, creator: UserNumber, created: Int64) {
        self.alias = alias
        self.room = room
        self.creator = creator
        self.created = created
    }
}

/// Look-ups of room aliases.
public struct AliasReader {
    let sql: ReadTransaction

    /// The alias, or `nil` if there is no such.
    public func alias(_ alias: RoomAlias) throws -> AliasRecord? {
        try sql.first(
            "SELECT alias, room_num, creator_num, created_ts FROM room_aliases WHERE alias = $1", alias, map: decode)
    }

    /// The aliases of a room, in their order as bytes.
    public func aliases(of room: RoomNumber) throws -> [RoomAlias] {
        try sql.all("SELECT alias FROM room_aliases WHERE room_num = $1 ORDER BY alias", room) { try $0.identifier(0) }
    }

    private func decode(_ row: Row) throws -> AliasRecord {
        AliasRecord(
            alias: try row.identifier(0), room: try row.number(1), creator: try row.number(2), created: try row.int(3))
    }
}

/// Stores room aliases.
public struct AliasWriter {
    let writer: StoreWriter

    /// Stores an alias.
    ///
    /// - Returns: Whether it is new; if not, nothing changes.
    public func insert(_ alias: AliasRecord) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO room_aliases (alias, room_num, creator_num, created_ts) VALUES ($1, $2, $3, $4)
            ON CONFLICT (alias) DO NOTHING
            """, alias.alias, alias.room, alias.creator, alias.created) > 0
    }

    /// Removes an alias.
    ///
    /// - Returns: Whether there was one.
    public func remove(_ alias: RoomAlias) throws -> Bool {
        try writer.sql.executeCounting("DELETE FROM room_aliases WHERE alias = $1", alias) > 0
    }

    /// Moves every alias of a room to another, as when a room is upgraded.
    public func move(from old: RoomNumber, to new: RoomNumber) throws {
        try writer.sql.execute("UPDATE room_aliases SET room_num = $1 WHERE room_num = $2", new, old)
    }
}

extension StoreReader {
    /// Room aliases.
    public var aliases: AliasReader { AliasReader(sql: sql) }
}

extension StoreWriter {
    /// Room aliases.
    public var aliases: AliasWriter { AliasWriter(writer: self) }
}
