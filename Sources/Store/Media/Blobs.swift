import Database

/// Look-ups of the bytes behind files.
public struct BlobReader {
    let sql: ReadTransaction

    /// The bytes of that SHA-256, or `nil` if nothing consists of them.
    public func blob(sha256: [UInt8]) throws -> BlobRecord? {
        try sql.first("SELECT name, size FROM blobs WHERE sha256 = $1", sha256) {
            BlobRecord(sha256: sha256, name: try $0.text(0), size: try $0.int(1))
        }
    }

    /// How many things consist of the bytes of that SHA-256.
    public func references(sha256: [UInt8]) throws -> Int64 {
        try sql.first("SELECT refs FROM blobs WHERE sha256 = $1", sha256) { try $0.int(0) } ?? 0
    }

    /// Names of blobs that nothing refers to and that are to be deleted by now.
    ///
    /// - Parameters:
    ///   - now: The time, in milliseconds since 1970.
    ///   - limit: How many at most.
    public func dueOrphans(now: Int64, limit: Int) throws -> [String] {
        try sql.all("SELECT name FROM blob_orphans WHERE due_ts <= $1 ORDER BY due_ts, name LIMIT $2", now, limit) {
            try $0.text(0)
        }
    }
}

/// Counts what refers to the bytes behind files.
///
/// A blob gets its row only once the store has it for good. Before, and once the last reference is gone, its name is among the
/// orphans: after a crash at any point it is known what to delete.
public struct BlobWriter {
    let writer: StoreWriter

    /// Notes that a name is about to be used.
    ///
    /// - Parameters:
    ///   - name: A name that was never used.
    ///   - due: When to delete what is there unless it is referred to by then, in milliseconds since 1970.
    public func announce(_ name: String, due: Int64) throws {
        try writer.sql.execute("INSERT INTO blob_orphans (name, due_ts) VALUES ($1, $2)", name, due)
    }

    /// Refers once more to bytes that are kept already. Answers whether they are.
    public func retain(sha256: [UInt8]) throws -> Bool {
        try writer.sql.executeCounting("UPDATE blobs SET refs = refs + 1 WHERE sha256 = $1", sha256) > 0
    }

    /// Refers to bytes that are now in the store under a name that was announced.
    ///
    /// If the same bytes are kept already, it is those that are referred to, and the name stays among the orphans.
    ///
    /// - Returns: False if the name has been given up meanwhile: the bytes must be stored again.
    public func adopt(_ blob: BlobRecord) throws -> Bool {
        if try retain(sha256: blob.sha256) {
            try writer.sql.execute("UPDATE blob_orphans SET due_ts = 0 WHERE name = $1 AND due_ts > 0", blob.name)
            return true
        }
        let isAnnounced = try writer.sql.executeCounting(
            "DELETE FROM blob_orphans WHERE name = $1 AND due_ts > 0", blob.name)
        guard isAnnounced > 0 else { return false }
        try writer.sql.execute(
            "INSERT INTO blobs (sha256, name, size, refs) VALUES ($1, $2, $3, 1)", blob.sha256, blob.name, blob.size)
        return true
    }

    /// Gives up a reference, after the row that held it is gone; with the last one the bytes become an orphan.
    public func release(sha256: [UInt8]) throws {
        let remaining = try writer.sql.executeCounting(
            "UPDATE blobs SET refs = refs - 1 WHERE sha256 = $1 AND refs > 1", sha256)
        if remaining > 0 { return }
        guard let blob = try writer.read.blobs.blob(sha256: sha256) else {
            throw StoreError.inconsistent("a reference to a blob that is unknown")
        }
        try writer.sql.execute("DELETE FROM blobs WHERE sha256 = $1", sha256)
        try announce(blob.name, due: 0)
    }

    /// Marks orphans so that they cannot be adopted any more. Returns those that are to be deleted from the store.
    public func condemn(now: Int64, limit: Int) throws -> [String] {
        let names = try writer.read.blobs.dueOrphans(now: now, limit: limit)
        try writer.sql.execute("UPDATE blob_orphans SET due_ts = 0 WHERE name IN textlist($1)", names)
        return names
    }

    /// Forgets orphans that have been deleted from the store.
    public func forgetOrphans(_ names: [String]) throws {
        try writer.sql.execute("DELETE FROM blob_orphans WHERE name IN textlist($1) AND due_ts = 0", names)
    }
}

extension StoreReader {
    /// The bytes behind files.
    public var blobs: BlobReader { BlobReader(sql: sql) }
}

extension StoreWriter {
    /// The bytes behind files.
    public var blobs: BlobWriter { BlobWriter(writer: self) }
}
