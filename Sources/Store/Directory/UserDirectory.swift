import Database
import Matrix

/// Somebody who can be found by name.
public struct DirectoryUser: Sendable, Hashable {
    /// Their number.
    public let number: UserNumber
    /// Who.
    public let userID: UserID
    /// Their name.
    public let displayName: String?
    /// Their avatar, an `mxc` URI.
    public let avatarURL: String?
}

/// Look-ups of people by name.
public struct UserDirectoryReader {
    let sql: ReadTransaction

    /// People one of whose words begins with `word`, as far as a user may find them: who shares a room with them, or is in a room that is
    /// open to everybody. The user too is found only if everybody finds them.
    ///
    /// - Parameters:
    ///   - word: A word as ``Words`` makes them.
    ///   - findsAll: Whether everybody may be found.
    ///   - server: Only users of this server, if not `nil`.
    ///   - limit: How many at the most.
    public func users(
        beginningWith word: String, for user: UserNumber, findsAll: Bool, server: ServerName?, limit: Int
    ) throws -> [DirectoryUser] {
        try sql.all(
            """
            SELECT users.num, users.user_id, people.display_name, people.avatar_url
            FROM (SELECT DISTINCT user_num FROM directory_words WHERE word >= $1 AND word < $2) AS found
            JOIN users ON users.num = found.user_num
            JOIN directory_users AS people ON people.user_num = found.user_num
            WHERE COALESCE($5, users.server) = users.server AND ($4 = 1
                OR EXISTS (SELECT 1 FROM memberships AS theirs
                    JOIN memberships AS mine ON mine.room_num = theirs.room_num AND mine.user_num = $3
                        AND mine.membership = 1
                    WHERE theirs.user_num = found.user_num AND theirs.membership = 1 AND theirs.user_num <> $3)
                OR EXISTS (SELECT 1 FROM memberships AS theirs
                    JOIN open_rooms ON open_rooms.room_num = theirs.room_num
                    WHERE theirs.user_num = found.user_num AND theirs.membership = 1))
            LIMIT $6
            """, word, Words.end(ofPrefix: word), user, findsAll, server, limit
        ) { row in
            DirectoryUser(
                number: try row.number(0), userID: try row.identifier(1), displayName: try row.textOrNil(2),
                avatarURL: try row.textOrNil(3))
        }
    }

    /// Rooms that have members who cannot be found yet, and are not of this server.
    public func roomsWithMissingMembers() throws -> [RoomNumber] {
        try sql.all(
            """
            SELECT DISTINCT memberships.room_num FROM memberships
            WHERE memberships.membership = 1
                AND NOT EXISTS (SELECT 1 FROM directory_users WHERE directory_users.user_num = memberships.user_num)
                AND NOT EXISTS (SELECT 1 FROM accounts WHERE accounts.user_num = memberships.user_num)
            """
        ) { try $0.number(0) }
    }

    /// Members of a room who cannot be found yet, and the events that made them members.
    public func missingMembers(of room: RoomNumber, limit: Int) throws -> [(user: UserNumber, event: EventNumber)] {
        try sql.all(
            """
            SELECT memberships.user_num, memberships.event_num FROM memberships
            WHERE memberships.room_num = $1 AND memberships.membership = 1
                AND NOT EXISTS (SELECT 1 FROM directory_users WHERE directory_users.user_num = memberships.user_num)
                AND NOT EXISTS (SELECT 1 FROM accounts WHERE accounts.user_num = memberships.user_num)
            ORDER BY memberships.user_num LIMIT $2
            """, room, limit
        ) { (user: try $0.number(0), event: try $0.number(1)) }
    }
}

/// Stores who can be found by name.
public struct UserDirectoryWriter {
    let writer: StoreWriter

    /// Words of one user that are kept at the most.
    private static let maximumWords = 50
    private static let maximumNameBytes = 1_000

    /// Lets a user of another server be found under a name.
    ///
    /// - Parameter isOpen: Whether everybody may see the name. One that only members of some rooms have seen does not replace one that
    ///   everybody may see.
    public func set(_ user: UserNumber, name: String?, avatarURL: String?, isOpen: Bool) throws {
        let known = try writer.sql.first("SELECT has_open_name FROM directory_users WHERE user_num = $1", user) {
            try $0.bool(0)
        }
        if known == true, !isOpen { return }
        try store(user, name: name, avatarURL: avatarURL, isOpen: isOpen)
    }

    /// Lets a user of this server be found under the name of their profile, or not at all: guests, and whose account has ended.
    func refresh(_ user: UserNumber) throws {
        guard let account = try writer.read.accounts.account(user) else { return }
        if !account.flags.isDisjoint(with: [.guest, .deactivated]) {
            try writer.sql.execute("DELETE FROM directory_words WHERE user_num = $1", user)
            try writer.sql.execute("DELETE FROM directory_users WHERE user_num = $1", user)
            return
        }
        func text(_ name: String) throws -> String? {
            guard let value = try writer.read.profiles.field(name, of: user) else { return nil }
            return (try? JSON(parsing: value))?.string
        }
        try store(user, name: try text("displayname"), avatarURL: try text("avatar_url"), isOpen: true)
    }

    /// Lets some users of this server be found who are from before there was a directory.
    ///
    /// - Returns: Whether there may be more.
    public func addMissingAccounts(limit: Int) throws -> Bool {
        let users = try writer.sql.all(
            """
            SELECT user_num FROM accounts WHERE is_guest = 0 AND is_deactivated = 0
                AND NOT EXISTS (SELECT 1 FROM directory_users WHERE directory_users.user_num = accounts.user_num)
            LIMIT $1
            """, limit
        ) { try $0.number(0, as: UserNumber.self) }
        for user in users { try refresh(user) }
        return users.count == limit
    }

    /// Notes whether everybody may join a room or read it.
    public func setOpen(_ isOpen: Bool, _ room: RoomNumber) throws {
        if isOpen {
            try writer.sql.execute(
                "INSERT INTO open_rooms (room_num) VALUES ($1) ON CONFLICT (room_num) DO NOTHING", room)
        } else {
            try writer.sql.execute("DELETE FROM open_rooms WHERE room_num = $1", room)
        }
    }

    private func store(_ user: UserNumber, name: String?, avatarURL: String?, isOpen: Bool) throws {
        let name = Self.stored(name)
        let avatarURL = Self.stored(avatarURL)
        try writer.sql.execute(
            """
            INSERT INTO directory_users (user_num, display_name, avatar_url, has_open_name) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_num) DO UPDATE SET display_name = excluded.display_name, avatar_url = excluded.avatar_url,
                has_open_name = excluded.has_open_name
            """, user, name, avatarURL, isOpen
        )
        let localpart = try writer.read.identifiers.user(user).localpart
        let words = Words.words(of: localpart) + Words.words(of: name ?? "")
        let kept = Array(Set(words.map { ExactString($0) }).sorted().prefix(Self.maximumWords)).map(\.string)
        try writer.sql.execute("DELETE FROM directory_words WHERE user_num = $1", user)
        try writer.sql.execute(
            "INSERT INTO directory_words (word, user_num) SELECT words.value, $2 FROM textlist($1) AS words", kept, user
        )
    }

    private static func stored(_ text: String?) -> String? {
        guard let text, !text.isEmpty, text.utf8.count <= maximumNameBytes, !text.utf8.contains(0) else { return nil }
        return text
    }
}

extension StoreReader {
    /// People who can be found by name.
    public var userDirectory: UserDirectoryReader { UserDirectoryReader(sql: sql) }
}

extension StoreWriter {
    /// People who can be found by name.
    public var userDirectory: UserDirectoryWriter { UserDirectoryWriter(writer: self) }
}
