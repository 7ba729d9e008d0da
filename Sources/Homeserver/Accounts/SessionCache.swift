import Collections
import Matrix
import Store
import Synchronization

/// Who an access token belongs to, and what its account is.
public struct AuthenticatedSession: Sendable {
    /// The user.
    public let user: UserNumber
    /// The user, by name.
    public let userID: UserID
    /// The device that the token was given to; `nil` if it was given to none, as other services do.
    public let device: DeviceID?
    /// What is said of the account.
    public let flags: AccountFlags
    /// When the token expires, in milliseconds since 1970; `nil` for never.
    public let expiresAt: Int64?
    /// What takes the place of the configured limits, if anything does.
    public let rateLimit: UserRateLimit?
    /// When the account ends, in milliseconds since 1970; `nil` for never.
    public let accountEnd: Int64?
}

/// Access tokens in memory, a bounded number: a request with a known one reads no database.
///
/// Two generations: what is not asked for while a whole generation fills up is forgotten.
final class SessionCache: Sendable {
    struct Entry {
        let session: AuthenticatedSession
        /// When the database is asked again, in milliseconds since 1970.
        let recheckAt: Int64
        /// When the device was last noted as used.
        var notedAt: Int64
    }

    /// Where in the order of invalidations a look-up in the database began.
    struct Ticket {
        fileprivate let sequence: Int
    }

    private struct Generation {
        var entries: [TokenHash: Entry] = [:]
        var tokens: [UserNumber: [TokenHash]] = [:]

        mutating func insert(_ hash: TokenHash, _ entry: Entry) {
            if entries.updateValue(entry, forKey: hash) == nil { tokens[entry.session.user, default: []].append(hash) }
        }

        mutating func remove(_ user: UserNumber) {
            for hash in tokens.removeValue(forKey: user) ?? [] { entries[hash] = nil }
        }
    }

    private struct State {
        var young = Generation()
        var old = Generation()
        /// The users whose sessions changed of late; the last one has the number `sequence`.
        var invalidated: Deque<UserNumber> = []
        var sequence = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    private static let rememberedInvalidations = 4096

    /// - Parameter capacity: The most tokens kept.
    init(capacity: Int) { self.capacity = max(capacity, 2) }

    /// What is known of a token, and whether its device should be noted as used again.
    func session(_ hash: TokenHash, now: Int64, noteEvery interval: Int64) -> (AuthenticatedSession, isToNote: Bool)? {
        state.withLock { state in
            var entry: Entry
            if let found = state.young.entries[hash] {
                entry = found
            } else if let found = state.old.entries[hash] {
                entry = found
                insert(hash, entry, &state)
            } else {
                return nil
            }
            guard entry.recheckAt > now else { return nil }
            let isToNote = now - entry.notedAt >= interval
            if isToNote {
                entry.notedAt = now
                state.young.entries[hash] = entry
            }
            return (entry.session, isToNote)
        }
    }

    /// To be taken before a token is looked up in the database.
    func ticket() -> Ticket { Ticket(sequence: state.withLock { $0.sequence }) }

    /// Keeps what the database said of a token, unless the user's sessions have changed since the ticket was taken.
    func insert(_ hash: TokenHash, _ entry: Entry, _ ticket: Ticket) {
        state.withLock { state in
            let since = state.sequence - ticket.sequence
            guard since <= state.invalidated.count, !state.invalidated.suffix(since).contains(entry.session.user) else {
                return
            }
            insert(hash, entry, &state)
        }
    }

    /// Forgets every token of a user.
    func invalidate(_ user: UserNumber) {
        state.withLock { state in
            state.young.remove(user)
            state.old.remove(user)
            state.invalidated.append(user)
            state.sequence += 1
            if state.invalidated.count > Self.rememberedInvalidations { state.invalidated.removeFirst() }
        }
    }

    private func insert(_ hash: TokenHash, _ entry: Entry, _ state: inout State) {
        if state.young.entries.count >= capacity / 2 {
            state.old = state.young
            state.young = Generation()
        }
        state.young.insert(hash, entry)
    }
}
