import Matrix
import Store
import Synchronization

/// What a running server does for somebody who copies all that it holds: it keeps what is to be copied, and hands out a copy of its database
/// where the database cannot do so itself.
///
/// Whoever copies has to say now and then that they still do; else the server goes on as if they had finished.
public final class BackupService: Sendable {
    /// A backup that is being made.
    public struct Session: Sendable {
        /// Its name.
        public let id: String
        /// The file with a copy of the database; `nil` on PostgreSQL, which is copied from outside.
        public let snapshot: String?
    }

    private struct Lease {
        let id: String
        var until: Int64
    }

    private let store: Store
    private let media: MediaService
    private let audit: AuditTrail
    private let clock: any Clock
    private let randomness: any Randomness
    private let path: String
    private let lease = Mutex<Lease?>(nil)

    private static let leaseMilliseconds: Int64 = 600_000
    /// Copying a large database takes a while, and nobody can say meanwhile that they still wait.
    private static let snapshotMilliseconds: Int64 = 24 * 3_600_000

    /// - Parameters:
    ///   - store: What is copied.
    ///   - media: Whose files are copied.
    ///   - audit: Hears of it.
    ///   - clock: Tells the time.
    ///   - randomness: Names backups.
    ///   - path: Where a copy of the database is put. What an earlier server left there is removed.
    public init(
        store: Store, media: MediaService, audit: AuditTrail, clock: any Clock, randomness: any Randomness, path: String
    ) {
        self.store = store
        self.media = media
        self.audit = audit
        self.clock = clock
        self.randomness = randomness
        self.path = path
        Store.removeSnapshot(at: path)
    }

    /// Begins: from now on no file is deleted, and the database is copied.
    ///
    /// - Parameter actor: Who makes the backup, for the audit trail.
    /// - Throws: 409 while another is being made.
    public func begin(by actor: AuditActor) async throws -> Session {
        let id = randomness.text(16)
        let now = clock.now
        let isFree = lease.withLock { lease in
            if let lease, lease.until > now { return false }
            lease = Lease(id: id, until: now + Self.snapshotMilliseconds)
            return true
        }
        guard isFree else { throw MatrixError(409, .unknown, "Another backup is being made") }
        media.keepEverything(until: now + Self.snapshotMilliseconds)
        do {
            // Before the copy: the backup tells of itself.
            try await store.write { [audit] writer in try audit.note(.backupCreate, by: actor, on: nil, in: writer) }
            let hasSnapshot = try await store.snapshot(to: path)
            try renew(id)
            return Session(id: id, snapshot: hasSnapshot ? path : nil)
        } catch {
            try? end(id)
            throw error
        }
    }

    /// Notes that somebody still copies.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if they were silent for too long.
    public func renew(_ id: String) throws {
        let until = clock.now + Self.leaseMilliseconds
        try change(id) { $0?.until = until }
        media.keepEverything(until: until)
    }

    /// Ends: files may be deleted again, and the copy of the database goes.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if it has ended.
    public func end(_ id: String) throws {
        try change(id) { $0 = nil }
        media.keepEverything(until: 0)
        Store.removeSnapshot(at: path)
    }

    private func change(_ id: String, _ body: (inout Lease?) -> Void) throws {
        let isKnown = lease.withLock { lease in
            guard let known = lease?.id, known.utf8.elementsEqual(id.utf8) else { return false }
            body(&lease)
            return true
        }
        guard isKnown else { throw MatrixError.notFound("There is no such backup under way") }
    }
}
