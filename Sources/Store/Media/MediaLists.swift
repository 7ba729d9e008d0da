import Database
import Matrix

/// By what the files of a user are put in order.
public enum MediaOrder: String, Sendable {
    /// Their identifiers.
    case mediaID = "media_id"
    /// The names they were uploaded with.
    case uploadName = "upload_name"
    /// When they came.
    case created = "created_ts"
    /// How many bytes they have.
    case bytes = "media_length"
    /// What they are.
    case contentType = "media_type"
    /// Who has put them away.
    case isQuarantined = "quarantined_by"
    /// Whether they are not to be put away together with others.
    case isProtected = "safe_from_quarantine"

    fileprivate var expression: String {
        switch self {
        case .mediaID: "m.media_id"
        case .uploadName: "COALESCE(m.upload_name, '')"
        case .created: "m.created_ts"
        case .bytes: "b.size"
        case .contentType: "COALESCE(m.content_type, '')"
        case .isQuarantined: "COALESCE(m.quarantined_by, '')"
        case .isProtected: "m.protected"
        }
    }
}

extension MediaReader {
    private static let total = SQL(
        "SELECT COUNT(*) FROM media AS m JOIN blobs AS b ON b.sha256 = m.sha256 WHERE m.uploader_num = $1")

    /// A page of the files that a user has uploaded.
    ///
    /// - Parameters:
    ///   - user: Whose.
    ///   - order: By what they are in order; files that are alike in that are in the order of their identifiers.
    ///   - isDescending: Whether the greatest comes first.
    ///   - offset: How many are left out before.
    ///   - limit: The most to return.
    public func uploads(
        of user: UserNumber, by order: MediaOrder, isDescending: Bool, offset: Int, limit: Int
    ) throws -> [MediaRecord] {
        let references = try sql.all(
            SQL(
                """
                SELECT m.origin, m.media_id FROM media AS m JOIN blobs AS b ON b.sha256 = m.sha256
                WHERE m.uploader_num = $1
                ORDER BY \(order.expression) \(isDescending ? "DESC" : "ASC"), m.media_id LIMIT $2 OFFSET $3
                """), user, limit, offset, map: Self.reference)
        return try references.compactMap { try media($0) }
    }

    /// Files of a user that have not been put away and may be.
    public func spoilable(of user: UserNumber, limit: Int) throws -> [MediaReference] {
        try sql.all(
            """
            SELECT origin, media_id FROM media
            WHERE uploader_num = $1 AND sha256 IS NOT NULL AND quarantined = 0 AND protected = 0 LIMIT $2
            """, user, limit, map: Self.reference)
    }

    /// Files of other servers that came before a time in milliseconds since 1970, and have not been put away.
    public func fetched(before time: Int64, except local: ServerName, limit: Int) throws -> [MediaReference] {
        try sql.all(
            """
            SELECT origin, media_id FROM media
            WHERE origin <> $1 AND created_ts < $2 AND sha256 IS NOT NULL AND quarantined = 0 LIMIT $3
            """, local, time, limit, map: Self.reference)
    }

    /// Files of a server that came before a time in milliseconds since 1970, in the order in which they came.
    ///
    /// - Parameters:
    ///   - bytes: Only files with more bytes.
    ///   - after: Only files with greater numbers.
    public func old(
        of server: ServerName, before time: Int64, largerThan bytes: Int64, after: Int64, limit: Int
    ) throws -> [(number: Int64, file: MediaReference)] {
        try sql.all(
            """
            SELECT m.origin, m.media_id, m.num FROM media AS m JOIN blobs AS b ON b.sha256 = m.sha256
            WHERE m.origin = $1 AND m.created_ts < $2 AND b.size > $3 AND m.num > $4 ORDER BY m.num LIMIT $5
            """, server, time, bytes, after, limit
        ) { (number: try $0.int(2), file: try Self.reference($0)) }
    }

    /// How many copies of other servers' files there are from before a time, and how many bytes they have.
    public func fetchedTotal(before time: Int64, except local: ServerName) throws -> (files: Int64, bytes: Int64) {
        try sql.first(
            """
            SELECT COUNT(*), COALESCE(SUM(b.size), 0) FROM media AS m JOIN blobs AS b ON b.sha256 = m.sha256
            WHERE m.origin <> $1 AND m.created_ts < $2 AND m.quarantined = 0
            """, local, time
        ) { (files: try $0.int(0), bytes: try $0.int(1)) } ?? (0, 0)
    }

    private static func reference(_ row: Row) throws -> MediaReference {
        guard let id = MediaID(try row.text(1)) else {
            throw StoreError.inconsistent("stored media ID is malformed: \(try row.text(1))")
        }
        return MediaReference(server: try row.identifier(0), id: id)
    }

    /// How many files a user has uploaded.
    public func uploadCount(of user: UserNumber) throws -> Int {
        try sql.first(Self.total, user) { Int(try $0.int(0)) } ?? 0
    }
}
