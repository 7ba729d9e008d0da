import Logging
import Matrix
import Store
import Synchronization

/// Files that users upload, and their thumbnails.
///
/// The bytes are in a ``BlobStore``, each once however often it is uploaded; what refers to them is in the database. The order is
/// always: announce a name in the database, publish the bytes under it, refer to it; and backwards to delete. So a crash leaves
/// nothing behind that ``sweep()`` does not find, and no reference to bytes that are not there.
///
/// [Content repository](https://spec.matrix.org/v1.19/client-server-api/#content-repository).
public final class MediaService: Sendable {
    /// How much media may take.
    public let policy: MediaPolicy

    let store: Store
    let blobs: any BlobStore
    let thumbnailer: any Thumbnailer
    let remote: any RemoteMedia
    let clock: any Clock
    let randomness: any Randomness
    let serverName: ServerName
    let arrivals: UploadArrivals
    let thumbnailsInTheMaking = SingleFlight<ThumbnailWork, ThumbnailRecord>()
    let fetches = SingleFlight<MediaReference, MediaRecord>()
    /// Until when nothing is deleted, in milliseconds since 1970.
    private let keptUntil = Mutex<Int64>(0)

    /// A service.
    ///
    /// - Parameters:
    ///   - store: The store.
    ///   - blobs: Where the bytes are kept.
    ///   - thumbnailer: What makes thumbnails.
    ///   - remote: The files of other servers.
    ///   - clock: The time.
    ///   - scheduler: Wakes those who wait for a file that is to follow.
    ///   - randomness: Where names come from that nobody can guess.
    ///   - serverName: This server's name.
    ///   - policy: How much media may take.
    public init(
        store: Store, blobs: any BlobStore, thumbnailer: any Thumbnailer, remote: any RemoteMedia = NoRemoteMedia(),
        clock: any Clock, scheduler: any Scheduler, randomness: any Randomness, serverName: ServerName,
        policy: MediaPolicy = MediaPolicy()
    ) {
        self.store = store
        self.blobs = blobs
        self.thumbnailer = thumbnailer
        self.remote = remote
        self.clock = clock
        self.randomness = randomness
        self.serverName = serverName
        self.policy = policy
        arrivals = UploadArrivals(scheduler: scheduler)
    }

    // MARK: Administration

    /// Puts a file away, so that nobody gets it, or brings it back.
    ///
    /// - Parameters:
    ///   - reference: Which one.
    ///   - isQuarantined: Whether it is to be put away.
    ///   - actor: Who does it.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 404 `M_NOT_FOUND`; 400 for a file that is protected.
    public func setQuarantined(
        _ reference: MediaReference, _ isQuarantined: Bool, by actor: String? = nil,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { writer in
            try alongside(writer)
            if isQuarantined, try writer.read.media.media(reference)?.isProtected == true {
                throw MatrixError(400, .unknown, "This file is protected")
            }
            guard try writer.media.setQuarantined(reference, isQuarantined, by: actor) else { throw Self.notFound }
        }
    }

    /// Protects a file from being put away, or ends that.
    ///
    /// - Parameters:
    ///   - reference: Which one.
    ///   - isProtected: Whether it is to be protected.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 404 `M_NOT_FOUND`.
    public func setProtected(
        _ reference: MediaReference, _ isProtected: Bool,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { writer in
            try alongside(writer)
            guard try writer.media.setProtected(reference, isProtected) else { throw Self.notFound }
        }
    }

    /// Deletes a file and its thumbnails. Its bytes go with the next ``sweep()`` unless another file has the same.
    ///
    /// - Parameters:
    ///   - reference: Which one.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 404 `M_NOT_FOUND`.
    public func delete(
        _ reference: MediaReference, alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { writer in
            try alongside(writer)
            guard try writer.media.delete(reference) else { throw Self.notFound }
        }
    }

    /// Deletes bytes that nothing refers to, and places for files that never came. To be called now and then.
    ///
    /// - Returns: How many blobs were deleted.
    @discardableResult
    public func sweep() async throws -> Int {
        let now = clock.now
        var deleted = 0
        _ = try await store.write { try $0.media.deleteExpired(now: now) }
        while true {
            // Looked at in the transaction: what a backup's copy of the database refers to must not go.
            let names = try await store.write { [self] writer in
                guard keptUntil.withLock({ $0 }) <= clock.now else { return [String]() }
                return try writer.blobs.condemn(now: now, limit: Self.sweepBatch)
            }
            if names.isEmpty { return deleted }
            for name in names { try await blobs.delete(name) }
            try await store.write { try $0.blobs.forgetOrphans(names) }
            deleted += names.count
        }
    }

    /// Has ``sweep()`` delete no bytes for a while, so that they can be copied.
    ///
    /// - Parameter time: Until when, in milliseconds since 1970; 0 ends it.
    public func keepEverything(until time: Int64) { keptUntil.withLock { $0 = time } }

    /// Sweeps now and then, until the task is cancelled. What fails is tried again the next time.
    ///
    /// - Parameters:
    ///   - interval: How long to wait between two times.
    ///   - logger: Where failures are noted.
    public func run(every interval: Duration = .seconds(3600), logger: Logger) async {
        while !Task.isCancelled {
            do { try await sweep() } catch {
                logger.warning("unused media not removed", metadata: ["error": "\(error)"])
            }
            // Only cancellation ends a wait early, and the loop looks at that.
            try? await Task.sleep(for: interval)
        }
    }

    private static let sweepBatch = 100

    static let notFound = MatrixError.notFound("There is no such file")
}
