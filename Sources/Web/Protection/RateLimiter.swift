import Matrix
import Synchronization

/// Counts requests in token buckets, one for each class and user, server or address. The number of buckets is bounded.
public final class RateLimiter: Sendable {
    /// Who is counted.
    public enum Subject: Hashable, Sendable {
        /// A user, by the number in the store.
        case user(Int64)
        /// An address; for IPv6 the network, since one customer has all addresses in it.
        case address(UInt64, UInt64)
        /// Another homeserver.
        case server(ServerName)
        /// A room, or a user whom the store need not know.
        case named(ExactString)
    }

    private struct Key: Hashable {
        let limit: RateLimitClass
        let subject: Subject
        /// A limit of the subject's own: what was counted by another says nothing of it.
        var own: RateLimits.Limit?
    }

    private struct Bucket {
        /// When the bucket is full again: all there is to know of it, in nanoseconds.
        var fullAt: Int64
    }

    private let current: Mutex<RateLimits>
    private var limits: RateLimits { current.withLock { $0 } }
    private let maximumBuckets: Int
    private let nowNanoseconds: @Sendable () -> Int64
    private let buckets = Mutex<[Key: Bucket]>([:])

    /// A limiter.
    ///
    /// - Parameters:
    ///   - limits: What is allowed.
    ///   - maximumBuckets: How many users, addresses and classes are told apart. When there are more, buckets that are full
    ///     again are forgotten, and if that is not enough any others.
    ///   - nowNanoseconds: A clock that only goes forward.
    public init(_ limits: RateLimits, maximumBuckets: Int = 100_000, nowNanoseconds: @escaping @Sendable () -> Int64) {
        current = Mutex(limits)
        self.maximumBuckets = max(1, maximumBuckets)
        self.nowNanoseconds = nowNanoseconds
    }

    /// Allows more or less from now on. What has been counted stays.
    public func replace(by limits: RateLimits) { current.withLock { $0 = limits } }

    /// Counts a request: for the caller, or for the address if there is none.
    ///
    /// - Throws: ``MatrixError`` 429 with `retry_after_ms`.
    public func admit(_ request: HTTPRequest, caller: Caller?, as limit: RateLimitClass) throws {
        let limits = limits
        guard limits.isEnabled, limits.classes[limit] != nil, caller?.isExemptFromRateLimits != true else { return }
        guard let caller else { return try admit(Self.subject(address: request.remoteAddress), as: limit) }
        try admit(caller, as: limit)
    }

    /// Counts `cost` requests of a user, by the limits that an administrator has given them, if any.
    ///
    /// - Throws: ``MatrixError`` 429 with `retry_after_ms`; then nothing is counted.
    public func admit(_ caller: Caller, as limit: RateLimitClass, cost: Int = 1) throws {
        guard !caller.isExemptFromRateLimits else { return }
        try admit(
            .user(caller.userNumber), as: limit, cost: cost,
            by: RateLimitClass.ofUsers.contains(limit) ? caller.rateLimit : nil)
    }

    /// Counts `cost` requests of a subject.
    ///
    /// - Throws: ``MatrixError`` 429 with `retry_after_ms`; then nothing is counted.
    public func admit(_ subject: Subject, as limit: RateLimitClass, cost: Int = 1) throws {
        try admit(subject, as: limit, cost: cost, by: nil)
    }

    private func admit(_ subject: Subject, as limit: RateLimitClass, cost: Int, by own: RateLimits.Limit?) throws {
        let limits = limits
        guard limits.isEnabled, let allowed = limits.classes[limit].map({ own ?? $0 }) else { return }
        let interval = allowed.perSecond > 0 ? 1e9 / allowed.perSecond : 1e18
        let now = nowNanoseconds()
        let wait = buckets.withLock { buckets -> Double? in
            let key = Key(limit: limit, subject: subject, own: own)
            // An empty bucket takes `burst` intervals to fill; each request takes one interval out.
            let missing = max(0, Double((buckets[key]?.fullAt ?? now) - now)) + Double(cost) * interval
            let capacity = Double(allowed.burst) * interval
            // The margin is for rounding: a client that waits as told must be let in.
            guard missing <= capacity + 1000 else { return missing - capacity }
            if buckets[key] == nil, buckets.count >= maximumBuckets { Self.shrink(&buckets, now: now) }
            buckets[key] = Bucket(fullAt: now + Int64(min(missing, 4e18)))
            return nil
        }
        guard let wait else { return }
        throw MatrixError.limitExceeded(retryAfterMilliseconds: Int64(min((wait / 1e6).rounded(.up), 1e12)))
    }

    /// Counts invitations by a user: for who invites, for the room, and for each of those who are invited.
    ///
    /// - Parameters:
    ///   - room: `nil` for one that is being made.
    ///   - caller: Who invites.
    /// - Throws: ``MatrixError`` 429 with `retry_after_ms`.
    public func admitInvitations(of users: [UserID], to room: RoomID?, by caller: Caller) throws {
        guard limits.isEnabled, !users.isEmpty, !caller.isExemptFromRateLimits else { return }
        try admit(caller, as: .invite, cost: users.count)
        try admitInvitations(of: users, to: room)
    }

    /// Counts invitations by whoever it is; a user of another server, say.
    public func admitInvitations(of users: [UserID], to room: RoomID?, by sender: Subject) throws {
        guard limits.isEnabled, !users.isEmpty else { return }
        try admit(sender, as: .invite, cost: users.count)
        try admitInvitations(of: users, to: room)
    }

    private func admitInvitations(of users: [UserID], to room: RoomID?) throws {
        if let room { try admit(.named(ExactString(room.string)), as: .inviteRoom, cost: users.count) }
        for user in users { try admit(.named(ExactString(user.string)), as: .inviteUser) }
    }

    /// The number of buckets.
    public var bucketCount: Int { buckets.withLock { $0.count } }

    /// Who an address is.
    public static func subject(address: String) -> Subject {
        guard let parsed = IPAddress(address) else { return .address(0, 0) }
        return parsed.isIPv4 ? .address(parsed.high, parsed.low) : .address(parsed.high, 0)
    }

    private static func shrink(_ buckets: inout [Key: Bucket], now: Int64) {
        let before = buckets.count
        buckets = buckets.filter { $0.value.fullAt > now }
        // Shrinking by an eighth at least keeps the cost of walking all buckets rare.
        var excess = before / 8 + 1 - (before - buckets.count)
        guard excess > 0 else { return }
        buckets = buckets.filter { _ in
            excess -= 1
            return excess < 0
        }
    }
}
