import Database
import Matrix

/// A user of another server and their membership of a room.
public struct ServerMember: Sendable {
    /// The user.
    public let user: UserNumber
    /// The user's server.
    public let server: ServerName
    /// The membership.
    public let membership: Membership
    /// When it came about.
    public let position: StreamPosition
}

/// Look-ups of which servers have to do with which rooms.
public struct ServerMemberReader {
    let sql: ReadTransaction

    /// Everyone of other servers that a room knows, whatever their membership.
    ///
    /// - Parameter local: This server, whose users are left out.
    public func members(of room: RoomNumber, except local: ServerName) throws -> [ServerMember] {
        try sql.all(
            """
            SELECT m.user_num, u.server, m.membership, m.position FROM memberships AS m
            JOIN users AS u ON u.num = m.user_num
            WHERE m.room_num = $1 AND u.server <> $2
            """, room, local
        ) { row in
            guard let membership = Membership(code: try row.int(2)) else {
                throw StoreError.inconsistent("unknown membership \(try row.int(2))")
            }
            return ServerMember(
                user: try row.number(0), server: try row.identifier(1), membership: membership,
                position: try row.number(3)
            )
        }
    }

    /// The users of some servers that a room knows, whatever their membership.
    public func users(of servers: [ServerName], in room: RoomNumber) throws -> [(user: UserNumber, server: ServerName)]
    {
        try sql.all(
            """
            SELECT m.user_num, u.server FROM memberships AS m JOIN users AS u ON u.num = m.user_num
            WHERE m.room_num = $1 AND u.server IN textlist($2)
            """, room, servers.map(\.string)
        ) { (user: try $0.number(0), server: try $0.identifier(1)) }
    }

    /// The events by which users of a server have come to their memberships of a room, the newest first.
    public func memberships(of server: ServerName, in room: RoomNumber, limit: Int) throws -> [EventNumber] {
        try sql.all(
            """
            SELECT m.event_num FROM users AS u JOIN memberships AS m ON m.user_num = u.num AND m.room_num = $2
            WHERE u.server = $1 ORDER BY m.position DESC LIMIT $3
            """, server, room, limit
        ) { try $0.number(0) }
    }

    /// When the last user of a server left a room, or `nil` if one is in it.
    public func left(_ server: ServerName, _ room: RoomNumber) throws -> StreamPosition? {
        try sql.first(
            """
            SELECT MAX(CASE WHEN m.membership = 1 THEN 1 ELSE 0 END), MAX(m.position) FROM users AS u
            JOIN memberships AS m ON m.user_num = u.num AND m.room_num = $2
            WHERE u.server = $1
            """, server, room
        ) { row in try row.intOrNil(0) == 0 ? try row.numberOrNil(1) : nil } ?? nil
    }

    /// The rooms that know a user of a server, whatever their membership, and those that may turn out to.
    public func rooms(of server: ServerName) throws -> [RoomNumber] {
        let rooms: [RoomNumber] = try sql.all(
            """
            SELECT DISTINCT m.room_num FROM users AS u JOIN memberships AS m ON m.user_num = u.num
            WHERE u.server = $1 ORDER BY m.room_num
            """, server
        ) { try $0.number(0) }
        let partial = try GraphReader(sql: sql).partialJoins().filter { $0.servers.contains(server) }.map(\.room)
        return partial.isEmpty ? rooms : Set(rooms).union(partial).sorted()
    }

    /// The rooms in which a user of a server is, and has come into or has got another name in a stretch of the journal: where the last did.
    public func entered(
        by server: ServerName, after: StreamPosition, through: StreamPosition, limit: Int
    ) throws -> [(room: RoomNumber, position: StreamPosition)] {
        try sql.all(
            """
            SELECT m.room_num, MAX(m.position) AS place FROM users AS u JOIN memberships AS m ON m.user_num = u.num
            WHERE u.server = $1 AND m.membership = 1 AND m.position > $2 AND m.position <= $3
            GROUP BY m.room_num ORDER BY place LIMIT $4
            """, server, after, through, limit
        ) { (room: try $0.number(0), position: try $0.number(1)) }
    }

    /// The rooms in which both a user of `server` and one of `local` are joined.
    public func sharedRooms(of server: ServerName, with local: ServerName) throws -> [RoomNumber] {
        try sql.all(
            """
            SELECT DISTINCT theirs.room_num FROM users AS u
            JOIN memberships AS theirs ON theirs.user_num = u.num AND theirs.membership = 1
            WHERE u.server = $1 AND EXISTS (
                SELECT 1 FROM memberships AS ours JOIN users AS o ON o.num = ours.user_num
                WHERE ours.room_num = theirs.room_num AND ours.membership = 1 AND o.server = $2
            ) ORDER BY theirs.room_num
            """, server, local
        ) { try $0.number(0) }
    }

    /// Whether a user of a server is joined to a room that `user` is joined to.
    public func isSharing(_ server: ServerName, with user: UserNumber) throws -> Bool {
        try sql.first(
            """
            SELECT 1 FROM memberships AS mine
            JOIN memberships AS theirs ON theirs.room_num = mine.room_num AND theirs.membership = 1
            JOIN users AS u ON u.num = theirs.user_num AND u.server = $2
            WHERE mine.user_num = $1 AND mine.membership = 1 LIMIT 1
            """, user, server
        ) { try $0.int(0) } != nil
    }
}

extension StoreReader {
    /// Which servers have to do with which rooms.
    public var serverMembers: ServerMemberReader { ServerMemberReader(sql: sql) }
}
