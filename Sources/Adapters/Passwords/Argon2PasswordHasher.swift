import CSodium
import Dispatch
import Homeserver
import Matrix
import Synchronization

/// Hashes passwords with Argon2id, on a few threads of its own: each hash takes tens of milliseconds and megabytes.
///
/// [RFC 9106](https://www.rfc-editor.org/rfc/rfc9106).
public final class Argon2PasswordHasher: PasswordHasher {
    /// How much a hash costs whoever wants to guess.
    public struct Effort: Sendable {
        /// Passes over the memory.
        public var passes: UInt64
        /// Memory, in bytes.
        public var memoryBytes: Int

        /// 64 MiB, twice: about 85 ms of one core.
        public static let standard = Effort(passes: 2, memoryBytes: 64 << 20)
        /// As little as there is: for tests only.
        public static let cheap = Effort(passes: 1, memoryBytes: 8 << 10)

        /// An effort.
        public init(passes: UInt64, memoryBytes: Int) {
            self.passes = passes
            self.memoryBytes = memoryBytes
        }
    }

    private let effort: Effort
    // One thread each: a concurrent queue would take as many threads, and as much memory, as there are requests.
    private let queues: [DispatchQueue]
    private let maximumPending: Int
    private let state = Mutex(State())

    private struct State {
        var pending = 0
        var nextQueue = 0
    }

    /// - Parameters:
    ///   - effort: What new hashes cost.
    ///   - threads: How many hashes are computed at once.
    ///   - maximumPending: How many wait; beyond, callers are told to come back.
    public init(effort: Effort = .standard, threads: Int = 2, maximumPending: Int = 200) {
        self.effort = effort
        self.maximumPending = maximumPending
        queues = (0..<max(threads, 1)).map { DispatchQueue(label: "chappe.passwords.\($0)") }
        // Safe to repeat, and it only fails where the system has no randomness, which hashing then reports.
        _ = sodium_init()
    }

    /// The hash of a password, in the form that libsodium writes.
    public func hash(_ password: String) async throws -> String {
        let effort = effort
        return try await run {
            var output = [CChar](repeating: 0, count: Int(crypto_pwhash_STRBYTES))
            let bytes = Array(password.utf8).map { CChar(bitPattern: $0) }
            let status = crypto_pwhash_str_alg(
                &output, bytes, UInt64(bytes.count), effort.passes, effort.memoryBytes, crypto_pwhash_ALG_ARGON2ID13
            )
            guard status == 0 else { throw MatrixError.unavailable("There is no memory to hash a password") }
            return String(decoding: output.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// Whether a hash is that of a password.
    public func verify(_ password: String, against hash: String) async throws -> Bool {
        try await run {
            let bytes = Array(password.utf8).map { CChar(bitPattern: $0) }
            return crypto_pwhash_str_verify(Self.padded(hash), bytes, UInt64(bytes.count)) == 0
        }
    }

    /// Whether a hash cost less, or more, than new ones do.
    public func isOutdated(_ hash: String) -> Bool {
        crypto_pwhash_str_needs_rehash(Self.padded(hash), effort.passes, effort.memoryBytes) != 0
    }

    // libsodium reads a fixed number of bytes.
    private static func padded(_ hash: String) -> [CChar] {
        let length = Int(crypto_pwhash_STRBYTES)
        let bytes = hash.utf8.prefix(length - 1).map { CChar(bitPattern: $0) }
        return bytes + [CChar](repeating: 0, count: length - bytes.count)
    }

    private func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        let queue = state.withLock { state -> DispatchQueue? in
            guard state.pending < maximumPending else { return nil }
            state.pending += 1
            state.nextQueue = (state.nextQueue + 1) % queues.count
            return queues[state.nextQueue]
        }
        guard let queue else { throw MatrixError.limitExceeded(retryAfterMilliseconds: 2000) }
        return try await withCheckedThrowingContinuation { continuation in
            queue.async {
                let result = Result { try body() }
                self.state.withLock { $0.pending -= 1 }
                continuation.resume(with: result)
            }
        }
    }
}
