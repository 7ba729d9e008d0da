import Matrix
import Store
import Synchronization

/// Counts wrong passwords for each account, wherever they come from, so that no password can be found by trying.
///
/// A bucket for each account: `burst` wrong passwords fill it, and it empties by one every `intervalMilliseconds`.
public final class FailedLogins: Sendable {
    private let burst: Int64
    private let intervalMilliseconds: Int64
    private let maximumAccounts: Int
    /// When each account's bucket is empty again, in milliseconds since 1970.
    private let emptyAt = Mutex<[UserNumber: Int64]>([:])

    /// - Parameters:
    ///   - burst: How many wrong passwords are allowed at once; 0 for any number.
    ///   - intervalMilliseconds: How long it takes until one more is allowed.
    ///   - maximumAccounts: How many accounts are counted at once.
    public init(burst: Int = 20, intervalMilliseconds: Int64 = 30_000, maximumAccounts: Int = 100_000) {
        self.burst = Int64(burst)
        self.intervalMilliseconds = intervalMilliseconds
        self.maximumAccounts = maximumAccounts
    }

    /// Allows another attempt.
    ///
    /// - Throws: 429 `M_LIMIT_EXCEEDED` with `retry_after_ms`.
    func check(_ user: UserNumber, now: Int64) throws(MatrixError) {
        guard burst > 0, let emptyAt = emptyAt.withLock({ $0[user] }) else { return }
        let wait = emptyAt + intervalMilliseconds - now - burst * intervalMilliseconds
        if wait > 0 { throw .limitExceeded(retryAfterMilliseconds: wait) }
    }

    /// Counts a wrong password.
    func count(_ user: UserNumber, now: Int64) {
        guard burst > 0 else { return }
        emptyAt.withLock { emptyAt in
            if emptyAt.count >= maximumAccounts, emptyAt[user] == nil {
                emptyAt = emptyAt.filter { $0.value > now }
                // All of them under attack at once: better to forget some than to grow.
                while emptyAt.count >= maximumAccounts, let some = emptyAt.keys.first { emptyAt[some] = nil }
            }
            emptyAt[user] = max(emptyAt[user] ?? now, now) + intervalMilliseconds
        }
    }
}
