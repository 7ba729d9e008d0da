import Database
import Matrix

/// A picture of a preview.
public struct PreviewImage: Sendable, Hashable {
    /// Its URI.
    public var reference: MediaReference
    /// What it is.
    public var contentType: String
    /// How many bytes it has.
    public var size: Int64
    /// Pixels across.
    public var width: Int
    /// Pixels down.
    public var height: Int

    /// A picture.
    public init(reference: MediaReference, contentType: String, size: Int64, width: Int, height: Int) {
        self.reference = reference
        self.contentType = contentType
        self.size = size
        self.width = width
        self.height = height
    }
}

/// A picture that has just been fetched, and not looked at yet.
public struct NewPreviewImage: Sendable, Hashable {
    /// Where it was fetched from.
    public var url: String
    /// Until when it need not be fetched again, in milliseconds since 1970.
    public var goodUntil: Int64
    /// Until when it is kept, in milliseconds since 1970.
    public var keptUntil: Int64

    /// A picture.
    public init(url: String, goodUntil: Int64, keptUntil: Int64) {
        self.url = url
        self.goodUntil = goodUntil
        self.keptUntil = keptUntil
    }
}

/// Look-ups of previews of web pages.
public struct PreviewReader {
    let sql: ReadTransaction

    /// A preview of a page, the text of a JSON object, or `nil` if none is good enough.
    ///
    /// - Parameters:
    ///   - url: The page's address.
    ///   - time: What the page is to be like it was then, in milliseconds since 1970.
    ///   - now: The time.
    public func preview(of url: String, at time: Int64, now: Int64) throws -> [UInt8]? {
        let then = try sql.first(Self.latest, url, time) { (text: try $0.text(0), expires: try $0.int(1)) }
        if let then, then.expires > time { return Array(then.text.utf8) }
        // What was fetched later is as good as what would be fetched now.
        let latest = try sql.first(Self.latest, url, now) { (text: try $0.text(0), expires: try $0.int(1)) }
        guard let latest, latest.expires > now else { return nil }
        return Array(latest.text.utf8)
    }

    private static let latest = SQL(
        """
        SELECT preview, expires_ts FROM url_previews WHERE url = $1 AND fetched_ts <= $2 ORDER BY fetched_ts DESC LIMIT 1
        """)
}

/// Stores previews of web pages.
public struct PreviewWriter {
    let writer: StoreWriter

    /// Keeps a preview.
    ///
    /// - Parameters:
    ///   - preview: The text of a JSON object.
    ///   - url: The page's address.
    ///   - fetched: When the page was fetched, in milliseconds since 1970.
    ///   - expires: When it is to be fetched again, in milliseconds since 1970.
    public func insert(_ preview: [UInt8], of url: String, fetched: Int64, expires: Int64) throws {
        try writer.sql.execute(
            """
            INSERT INTO url_previews (url, fetched_ts, expires_ts, preview) VALUES ($1, $2, $3, $4)
            ON CONFLICT (url, fetched_ts) DO UPDATE SET expires_ts = excluded.expires_ts, preview = excluded.preview
            """, url, fetched, expires, String(decoding: preview, as: UTF8.self))
    }

    /// A picture that was fetched from an address and need not be fetched again; it is kept longer then.
    public func useImage(of url: String, now: Int64, keptUntil: Int64) throws -> PreviewImage? {
        let found = try writer.read.sql.first(
            """
            SELECT i.media_num, m.origin, m.media_id, m.content_type, b.size, i.width, i.height
            FROM preview_images i JOIN media m ON m.num = i.media_num JOIN blobs b ON b.sha256 = m.sha256
            WHERE i.url = $1 AND i.good_until_ts > $2 AND i.width IS NOT NULL AND m.quarantined = 0
            ORDER BY i.good_until_ts DESC LIMIT 1
            """, url, now
        ) { row in
            (
                number: try row.number(0, as: MediaNumber.self),
                image: PreviewImage(
                    reference: MediaReference(
                        server: try row.identifier(1), id: MediaID(trusted: try row.text(2))),
                    contentType: try row.text(3), size: try row.int(4), width: Int(try row.int(5)),
                    height: Int(try row.int(6)))
            )
        }
        guard let found else { return nil }
        try writer.sql.execute(
            "UPDATE preview_images SET expires_ts = $2 WHERE media_num = $1 AND expires_ts < $2", found.number,
            keptUntil)
        return found.image
    }

    /// Notes that a file, which has just been added, is the picture of a preview.
    public func insert(_ image: NewPreviewImage, _ reference: MediaReference) throws {
        try writer.sql.execute(
            """
            INSERT INTO preview_images (media_num, url, good_until_ts, expires_ts)
            SELECT num, $3, $4, $5 FROM media WHERE origin = $1 AND media_id = $2
            """, reference.server, reference.id.string, image.url, image.goodUntil, image.keptUntil)
    }

    /// Notes how large a picture is.
    public func setSize(of reference: MediaReference, width: Int, height: Int) throws {
        try writer.sql.execute(
            """
            UPDATE preview_images SET width = $3, height = $4
            WHERE media_num = (SELECT num FROM media WHERE origin = $1 AND media_id = $2)
            """, reference.server, reference.id.string, width, height)
    }

    /// Forgets some previews that are old or too many, and some pictures that nobody has used for long.
    ///
    /// - Parameters:
    ///   - before: Previews of before, in milliseconds since 1970, are old.
    ///   - count: How many previews are kept at most.
    ///   - now: The time, in milliseconds since 1970.
    ///   - limit: How many of each are forgotten at once.
    /// - Returns: How many were. 0: nothing is left to do.
    public func deleteExpired(fetchedBefore before: Int64, keeping count: Int, now: Int64, limit: Int) throws -> Int {
        let sql = writer.read.sql
        let excess = try sql.first(
            "SELECT fetched_ts FROM url_previews ORDER BY fetched_ts DESC LIMIT 1 OFFSET $1", count
        ) {
            try $0.int(0)
        }
        let oldest = max(before, (excess ?? -1) + 1)
        let previews = try writer.sql.executeCounting(
            """
            DELETE FROM url_previews WHERE (url, fetched_ts) IN (
                SELECT url, fetched_ts FROM url_previews WHERE fetched_ts < $1 ORDER BY fetched_ts LIMIT $2)
            """, oldest, limit)
        let images = try sql.all(
            """
            SELECT m.origin, m.media_id FROM preview_images i JOIN media m ON m.num = i.media_num
            WHERE i.expires_ts <= $1 ORDER BY i.expires_ts LIMIT $2
            """, now, limit
        ) { MediaReference(server: try $0.identifier(0), id: MediaID(trusted: try $0.text(1))) }
        for image in images { _ = try writer.media.delete(image) }
        return previews + images.count
    }
}

extension StoreReader {
    /// Previews of web pages.
    public var previews: PreviewReader { PreviewReader(sql: sql) }
}

extension StoreWriter {
    /// Previews of web pages.
    public var previews: PreviewWriter { PreviewWriter(writer: self) }
}
