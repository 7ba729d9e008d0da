/// Settings of a database: sizes and bounds. The defaults suit a server.
public struct DatabaseOptions: Sendable {
    /// Reader threads, each with its own connection.
    public var readers = 4
    /// Jobs that may share one commit.
    public var maxBatchJobs = 256
    /// Writes that may wait; beyond, ``Database/write(_:)`` throws ``DatabaseError/unavailable(reason:)``.
    public var maxQueuedWrites = 100_000
    /// Reads that may wait; beyond, ``Database/read(_:)`` throws ``DatabaseError/unavailable(reason:)``.
    public var maxQueuedReads = 100_000
    /// Prepared statements kept by each connection.
    public var statementCacheCapacity = 512

    /// SQLite: how long to wait for another process that holds a lock.
    public var busyTimeoutMilliseconds = 10_000
    /// SQLite: page cache of each connection, in KiB.
    public var cacheKibibytes = 16 * 1024
    /// SQLite: how much of the file may be mapped into memory, in bytes.
    public var mmapBytes: Int64 = 256 << 20
    /// SQLite: size of the write-ahead log, in pages, from which it is copied back at the next pause.
    public var checkpointPages = 1_000
    /// SQLite: size of the write-ahead log, in pages, from which it is copied back even under load.
    public var checkpointUnderLoadPages = 16_000
    /// SQLite: size of the write-ahead log, in pages, from which writes wait until readers let it restart.
    public var maxLogPages = 64_000
    /// SQLite: largest size of the file, in pages; tests use it to meet a full disk.
    public var maxPages: Int?

    /// PostgreSQL: how long to wait for a connection.
    public var connectTimeoutSeconds = 10
    /// PostgreSQL: how long a statement may take before the server cancels it; 0 is without limit.
    public var statementTimeoutMilliseconds = 60_000

    /// The defaults.
    public init() {}

    /// The same with every number in the range that the implementation relies on.
    func clamped() -> DatabaseOptions {
        var options = self
        options.readers = min(max(readers, 1), 256)
        options.maxBatchJobs = min(max(maxBatchJobs, 1), 10_000)
        options.maxQueuedWrites = max(maxQueuedWrites, 1)
        options.maxQueuedReads = max(maxQueuedReads, 1)
        options.statementCacheCapacity = max(statementCacheCapacity, 16)
        options.busyTimeoutMilliseconds = min(max(busyTimeoutMilliseconds, 0), 600_000)
        options.checkpointPages = max(checkpointPages, 1)
        options.checkpointUnderLoadPages = max(checkpointUnderLoadPages, options.checkpointPages)
        options.maxLogPages = max(maxLogPages, options.checkpointUnderLoadPages)
        options.connectTimeoutSeconds = min(max(connectTimeoutSeconds, 2), 600)
        options.statementTimeoutMilliseconds = max(statementTimeoutMilliseconds, 0)
        return options
    }
}
