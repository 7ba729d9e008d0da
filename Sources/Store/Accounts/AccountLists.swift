import Database
import Matrix

/// Which accounts are wanted: what is `nil` does not matter.
public struct AccountSelection: Sendable {
    /// Whether they are administrators'.
    public var isAdmin: Bool?
    /// Whether they are guests'.
    public var isGuest: Bool?
    /// Whether they have been ended.
    public var isDeactivated: Bool?
    /// Whether they are locked.
    public var isLocked: Bool?
    /// What the user ID holds; small and capital letters are alike.
    public var userID: String?
    /// What the localpart or the name that others see holds, likewise. It comes before ``userID``.
    public var name: String?

    /// All accounts.
    public init() {}

    /// A pattern for the user ID.
    fileprivate var userPattern: String {
        if let name { return "@%\(LikePattern.literal(name))%:%" }
        return userID.map { "%\(LikePattern.literal($0))%" } ?? "%"
    }

    /// A pattern for the JSON text of the name.
    fileprivate var namePattern: String { name.map(LikePattern.inJSON) ?? LikePattern.nothing }
}

/// By what accounts are put in order.
public enum AccountOrder: String, Sendable {
    /// The user ID.
    case name
    /// Whether they are guests'.
    case isGuest = "is_guest"
    /// Whether they are administrators'.
    case isAdmin = "admin"
    /// Whether they have been ended.
    case isDeactivated = "deactivated"
    /// Whether they are locked.
    case isLocked = "locked"
    /// Whether they speak to nobody.
    case isShadowBanned = "shadow_banned"
    /// The name that others see.
    case displayName = "displayname"
    /// The picture that others see.
    case avatarURL = "avatar_url"
    /// When they were made.
    case created = "creation_ts"
    /// When they were last seen.
    case lastSeen = "last_seen_ts"

    fileprivate var expression: String {
        switch self {
        case .name: "u.user_id"
        case .isGuest: "a.is_guest"
        case .isAdmin: "a.is_admin"
        case .isDeactivated: "a.is_deactivated"
        case .isLocked: "a.is_locked"
        case .isShadowBanned: "a.is_shadow_banned"
        case .displayName: "COALESCE(\(AccountReader.displayName), '')"
        case .avatarURL: "COALESCE(\(AccountReader.avatar), '')"
        case .created: "a.created_ts"
        case .lastSeen: "COALESCE(\(AccountReader.lastSeen), 0)"
        }
    }
}

/// An account in a list of accounts.
public struct ListedAccount: Sendable {
    /// The account.
    public let account: AccountRecord
    /// When a device of it was last seen, in milliseconds since 1970.
    public let lastSeenAt: Int64?
}

/// How much an account has uploaded.
public struct MediaUsage: Sendable {
    /// Whose account.
    public let user: UserNumber
    /// Whose account, by name.
    public let userID: UserID
    /// How many files.
    public let count: Int64
    /// How many bytes they have.
    public let bytes: Int64
}

/// By what the accounts with files are put in order.
public enum MediaUsageOrder: String, Sendable {
    /// The user ID.
    case userID = "user_id"
    /// The name that others see.
    case displayName = "displayname"
    /// How many bytes.
    case bytes = "media_length"
    /// How many files.
    case count = "media_count"

    fileprivate var expression: String {
        switch self {
        case .userID: "u.user_id"
        case .displayName: "COALESCE(\(AccountReader.displayName), '')"
        case .bytes: "bytes"
        case .count: "files"
        }
    }
}

/// Parts of LIKE patterns whose escape character is `!`, to be compared with small letters.
enum LikePattern {
    /// What no JSON text is like.
    static let nothing = "\""

    /// A text as it is.
    static func literal(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if byte == UInt8(ascii: "%") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "!") {
                bytes.append(UInt8(ascii: "!"))
            }
            bytes.append((0x41...0x5A).contains(byte) ? byte + 0x20 : byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// JSON texts of strings that hold a text.
    static func inJSON(_ text: String) -> String {
        "%\(literal(String(decoding: JSONValue.string(text).serialized().dropFirst().dropLast(), as: UTF8.self)))%"
    }
}

extension AccountReader {
    fileprivate static let displayName =
        "(SELECT p.value FROM profile_fields AS p WHERE p.user_num = a.user_num AND p.name = 'displayname')"
    fileprivate static let avatar =
        "(SELECT p.value FROM profile_fields AS p WHERE p.user_num = a.user_num AND p.name = 'avatar_url')"
    fileprivate static let lastSeen =
        "(SELECT MAX(d.last_seen_ts) FROM devices AS d WHERE d.user_num = a.user_num)"
    private static let selection = """
        FROM accounts AS a JOIN users AS u ON u.num = a.user_num
        WHERE COALESCE($1, a.is_admin) = a.is_admin AND COALESCE($2, a.is_guest) = a.is_guest
            AND COALESCE($3, a.is_deactivated) = a.is_deactivated AND COALESCE($4, a.is_locked) = a.is_locked
            AND (LOWER(u.user_id) LIKE $5 ESCAPE '!' OR LOWER(COALESCE(\(displayName), '')) LIKE $6 ESCAPE '!')
        """
    private static let total = SQL("SELECT COUNT(*) \(selection)")
    private static let seen = SQL("SELECT MAX(last_seen_ts) FROM devices WHERE user_num = $1")
    private static let usage = """
        FROM media AS m JOIN blobs AS b ON b.sha256 = m.sha256 JOIN accounts AS a ON a.user_num = m.uploader_num
            JOIN users AS u ON u.num = a.user_num
        WHERE m.created_ts >= $1 AND m.created_ts <= $2
            AND (LOWER(u.user_id) LIKE $3 ESCAPE '!' OR LOWER(COALESCE(\(displayName), '')) LIKE $4 ESCAPE '!')
        """
    private static let users = SQL("SELECT COUNT(DISTINCT m.uploader_num) \(usage)")

    /// A page of accounts.
    ///
    /// - Parameters:
    ///   - selection: Which ones.
    ///   - order: By what they are in order; accounts that are alike in that are in the order of their names.
    ///   - isDescending: Whether the greatest comes first.
    ///   - offset: How many are left out before.
    ///   - limit: The most to return.
    public func accounts(
        _ selection: AccountSelection, by order: AccountOrder, isDescending: Bool, offset: Int, limit: Int
    ) throws -> [ListedAccount] {
        let numbers = try sql.all(
            SQL(
                """
                SELECT a.user_num, \(Self.lastSeen) \(Self.selection)
                ORDER BY \(order.expression) \(isDescending ? "DESC" : "ASC"), u.user_id LIMIT $7 OFFSET $8
                """), selection.isAdmin, selection.isGuest, selection.isDeactivated, selection.isLocked,
            selection.userPattern, selection.namePattern, limit, offset
        ) { (try $0.number(0, as: UserNumber.self), try $0.intOrNil(1)) }
        return try numbers.compactMap { number, seen in
            try account(number).map { ListedAccount(account: $0, lastSeenAt: seen) }
        }
    }

    /// How many accounts a selection has.
    public func count(_ selection: AccountSelection) throws -> Int {
        try sql.first(
            Self.total, selection.isAdmin, selection.isGuest, selection.isDeactivated, selection.isLocked,
            selection.userPattern, selection.namePattern
        ) { Int(try $0.int(0)) } ?? 0
    }

    /// When a device of a user was last seen, in milliseconds since 1970.
    public func lastSeen(of user: UserNumber) throws -> Int64? {
        try sql.first(Self.seen, user) { try $0.intOrNil(0) } ?? nil
    }

    /// A page of the accounts that have uploaded something, and how much that is.
    ///
    /// - Parameters:
    ///   - name: What the localpart or the name that others see holds, if not `nil`; small and capital letters are alike.
    ///   - times: When the files came, in milliseconds since 1970.
    ///   - order: By what they are in order; accounts that are alike in that are in the order of their names.
    ///   - isDescending: Whether the greatest comes first.
    ///   - offset: How many are left out before.
    ///   - limit: The most to return.
    public func mediaUsage(
        name: String?, in times: ClosedRange<Int64>, by order: MediaUsageOrder, isDescending: Bool, offset: Int,
        limit: Int
    ) throws -> [MediaUsage] {
        var selection = AccountSelection()
        selection.name = name
        return try sql.all(
            SQL(
                """
                SELECT a.user_num, u.user_id, COUNT(*) AS files, CAST(SUM(b.size) AS BIGINT) AS bytes \(Self.usage)
                GROUP BY a.user_num, u.user_id
                ORDER BY \(order.expression) \(isDescending ? "DESC" : "ASC"), u.user_id LIMIT $5 OFFSET $6
                """), times.lowerBound, times.upperBound, selection.userPattern, selection.namePattern, limit, offset
        ) { row in
            MediaUsage(
                user: try row.number(0), userID: try row.identifier(1), count: try row.int(2), bytes: try row.int(3))
        }
    }

    /// How many accounts have uploaded something; see ``mediaUsage(name:in:by:isDescending:offset:limit:)``.
    public func mediaUsers(name: String?, in times: ClosedRange<Int64>) throws -> Int {
        var selection = AccountSelection()
        selection.name = name
        return try sql.first(
            Self.users, times.lowerBound, times.upperBound, selection.userPattern, selection.namePattern
        ) { Int(try $0.int(0)) } ?? 0
    }
}
