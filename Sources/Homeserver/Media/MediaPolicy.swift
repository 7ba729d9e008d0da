/// How much media may take.
public struct MediaPolicy: Sendable {
    /// The largest file that can be uploaded, in bytes.
    public var maximumUploadBytes: Int64
    /// The largest file that is fetched from another server, in bytes.
    public var maximumRemoteBytes: Int64
    /// How many places for files a user can keep at once without filling them.
    public var maximumAwaitedPerUser: Int64
    /// How long such a place is kept, in milliseconds.
    public var awaitedLifetimeMilliseconds: Int64
    /// How long a request can wait for a file that is to follow, in milliseconds.
    public var maximumWaitMilliseconds: Int64

    /// A policy.
    public init(
        maximumUploadBytes: Int64 = 100 << 20, maximumRemoteBytes: Int64? = nil, maximumAwaitedPerUser: Int64 = 20,
        awaitedLifetimeMilliseconds: Int64 = 24 * 3_600_000, maximumWaitMilliseconds: Int64 = 60_000
    ) {
        self.maximumUploadBytes = maximumUploadBytes
        self.maximumRemoteBytes = maximumRemoteBytes ?? maximumUploadBytes
        self.maximumAwaitedPerUser = maximumAwaitedPerUser
        self.awaitedLifetimeMilliseconds = awaitedLifetimeMilliseconds
        self.maximumWaitMilliseconds = maximumWaitMilliseconds
    }
}
