import Database
import Matrix

/// Look-ups of files and their thumbnails.
public struct MediaReader {
    let sql: ReadTransaction

    /// A file, or a place for one, or `nil`.
    public func media(_ reference: MediaReference) throws -> MediaRecord? {
        try sql.first(
            """
            SELECT m.num, m.uploader_num, m.content_type, m.upload_name, m.created_ts, m.quarantined, m.expires_ts,
                m.sha256, b.name, b.size, m.quarantined_by, m.protected
            FROM media m LEFT JOIN blobs b ON b.sha256 = m.sha256
            WHERE m.origin = $1 AND m.media_id = $2
            """, reference.server, reference.id.string
        ) { row in
            let content: MediaRecord.Content
            if let sha256 = try row.blobOrNil(7) {
                content = .stored(BlobRecord(sha256: sha256, name: try row.text(8), size: try row.int(9)))
            } else {
                content = .awaited(until: try row.int(6))
            }
            return MediaRecord(
                number: try row.number(0), reference: reference, uploader: try row.numberOrNil(1),
                contentType: try row.textOrNil(2), uploadName: try row.textOrNil(3), created: try row.int(4),
                content: content, isQuarantined: try row.bool(5), quarantinedBy: try row.textOrNil(10),
                isProtected: try row.bool(11))
        }
    }

    /// How many places a user has asked for that are neither filled nor expired, and when the first of them expires.
    public func awaited(of user: UserNumber, now: Int64) throws -> (count: Int64, firstExpiry: Int64?) {
        let found = try sql.first(
            "SELECT COUNT(*), MIN(expires_ts) FROM media WHERE uploader_num = $1 AND expires_ts > $2", user, now
        ) { (try $0.int(0), try $0.intOrNil(1)) }
        return found.map { (count: $0.0, firstExpiry: $0.1) } ?? (0, nil)
    }

    /// A thumbnail that was made before, or `nil`.
    public func thumbnail(of media: MediaNumber, _ key: ThumbnailKey) throws -> ThumbnailRecord? {
        try sql.first(
            """
            SELECT t.content_type, t.sha256, b.name, b.size
            FROM media_thumbnails t JOIN blobs b ON b.sha256 = t.sha256
            WHERE t.media_num = $1 AND t.width = $2 AND t.height = $3 AND t.method = $4 AND t.animated = $5
            """, media, key.width, key.height, key.method.rawValue, key.isAnimated
        ) { row in
            ThumbnailRecord(
                contentType: try row.text(0),
                blob: BlobRecord(sha256: try row.blob(1), name: try row.text(2), size: try row.int(3)))
        }
    }
}

/// Stores files and their thumbnails. Whoever adds a row with bytes has a reference to them, from ``BlobWriter``.
public struct MediaWriter {
    let writer: StoreWriter

    /// Keeps a place for a file that is to follow.
    public func reserve(
        _ reference: MediaReference, for uploader: UserNumber, now: Int64, expires: Int64
    ) throws {
        try writer.sql.execute(
            """
            INSERT INTO media (origin, media_id, uploader_num, created_ts, expires_ts) VALUES ($1, $2, $3, $4, $5)
            """, reference.server, reference.id.string, uploader, now, expires)
    }

    /// Puts a file into a place that was kept for it. Answers whether the place is still there and empty.
    public func fill(_ media: MediaNumber, _ description: MediaDescription, sha256: [UInt8], now: Int64) throws -> Bool
    {
        try writer.sql.executeCounting(
            """
            UPDATE media SET content_type = $2, upload_name = $3, sha256 = $4, created_ts = $5, expires_ts = NULL
            WHERE num = $1 AND sha256 IS NULL
            """, media, description.contentType, description.uploadName, sha256, now) > 0
    }

    /// Adds a file. Answers whether the reference was free.
    ///
    /// - Parameters:
    ///   - reference: Its URI.
    ///   - uploader: Who uploaded it; `nil` for a copy of another server's file.
    ///   - description: What is said of it.
    ///   - sha256: Its bytes.
    ///   - now: The time, in milliseconds since 1970.
    public func insert(
        _ reference: MediaReference, uploader: UserNumber?, _ description: MediaDescription, sha256: [UInt8], now: Int64
    ) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO media (origin, media_id, uploader_num, content_type, upload_name, created_ts, sha256)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (origin, media_id) DO NOTHING
            """, reference.server, reference.id.string, uploader, description.contentType, description.uploadName, now,
            sha256) > 0
    }

    /// Adds a thumbnail. Answers whether the file is there and has no such thumbnail yet.
    public func insertThumbnail(
        of media: MediaNumber, _ key: ThumbnailKey, contentType: String, sha256: [UInt8]
    ) throws -> Bool {
        try writer.sql.executeCounting(
            """
            INSERT INTO media_thumbnails (media_num, width, height, method, animated, content_type, sha256)
            SELECT num, $2, $3, $4, $5, $6, $7 FROM media WHERE num = $1
            ON CONFLICT (media_num, width, height, method, animated) DO NOTHING
            """, media, key.width, key.height, key.method.rawValue, key.isAnimated, contentType, sha256) > 0
    }

    /// Puts a file away, or brings it back. Answers whether it is there.
    ///
    /// - Parameters:
    ///   - reference: Which one.
    ///   - isQuarantined: Whether it is to be put away.
    ///   - actor: Who puts it away.
    public func setQuarantined(
        _ reference: MediaReference, _ isQuarantined: Bool, by actor: String? = nil
    ) throws -> Bool {
        try writer.sql.executeCounting(
            "UPDATE media SET quarantined = $3, quarantined_by = $4 WHERE origin = $1 AND media_id = $2",
            reference.server, reference.id.string, isQuarantined, isQuarantined ? actor : nil) > 0
    }

    /// Says whether a file is not to be put away together with others. Answers whether it is there.
    public func setProtected(_ reference: MediaReference, _ isProtected: Bool) throws -> Bool {
        try writer.sql.executeCounting(
            "UPDATE media SET protected = $3 WHERE origin = $1 AND media_id = $2", reference.server,
            reference.id.string, isProtected) > 0
    }

    /// Deletes a file with its thumbnails, and gives up its bytes. Answers whether it was there.
    public func delete(_ reference: MediaReference) throws -> Bool {
        guard let media = try writer.read.media.media(reference) else { return false }
        let thumbnails = try writer.sql.all(
            "DELETE FROM media_thumbnails WHERE media_num = $1 RETURNING sha256", media.number
        ) { try $0.blob(0) }
        try writer.sql.execute("DELETE FROM media WHERE num = $1", media.number)
        for sha256 in thumbnails { try writer.blobs.release(sha256: sha256) }
        if case .stored(let blob) = media.content { try writer.blobs.release(sha256: blob.sha256) }
        return true
    }

    /// Forgets the places that were not filled in time.
    public func deleteExpired(now: Int64) throws -> Int {
        try writer.sql.executeCounting("DELETE FROM media WHERE expires_ts <= $1", now)
    }
}

extension StoreReader {
    /// Files that users upload.
    public var media: MediaReader { MediaReader(sql: sql) }
}

extension StoreWriter {
    /// Files that users upload.
    public var media: MediaWriter { MediaWriter(writer: self) }
}
