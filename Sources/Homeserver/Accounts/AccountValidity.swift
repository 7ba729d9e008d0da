import Logging
import Matrix
import Store

/// Ends accounts that nobody renews, after their users have been reminded by mail.
///
/// It does what [Synapse's module](https://github.com/matrix-org/synapse-email-account-validity) of that name does. Sessions are kept: who
/// has an account that ended may log out, and renew it. What is due is in the database: a stop of the server delays it only.
public final class AccountValidity: DueWorker {
    /// What became of a renewal.
    public enum Renewal: Sendable, Equatable {
        /// The account is valid until then, in milliseconds since 1970.
        case renewed(until: Int64)
        /// It has been renewed with this before.
        case renewedBefore(until: Int64)
        /// There is nothing that this renews.
        case unknown
    }

    /// How long accounts are valid.
    public let policy: AccountValidityPolicy
    private let store: Store
    private let clock: any Clock
    private let randomness: any Randomness
    private let mailer: (any Mailer)?
    private let letters: ValidityLetter
    private let accounts: AccountService
    private let removal: DeviceRemoval
    private let audit: AuditTrail
    private let limits: MailLimits
    private let logger: Logger
    private let timer: DueTimer

    private static let page = 50
    private static let longestWaitMilliseconds: Int64 = 3_600_000
    private let waitMilliseconds: Int64
    private static let retryMilliseconds: Int64 = 60_000
    /// Accounts from before there was an end of them end within a tenth of the period.
    private static let spread: Int64 = 10

    /// - Parameters:
    ///   - policy: How long accounts are valid.
    ///   - store: Where accounts are.
    ///   - clock: Tells the time.
    ///   - randomness: What tokens are made of.
    ///   - scheduler: Calls back when something is due.
    ///   - mailer: Sends mail; `nil` where none is sent: then administrators renew accounts.
    ///   - letters: What the mails say.
    ///   - accounts: Deactivates accounts long after their end.
    ///   - removal: Has sessions looked up again.
    ///   - audit: Hears of accounts that are deactivated.
    ///   - limits: How much mail may be sent.
    ///   - logger: Told of mails that could not be sent.
    public init(
        policy: AccountValidityPolicy, store: Store, clock: any Clock, randomness: any Randomness,
        scheduler: any Scheduler, mailer: (any Mailer)?, letters: ValidityLetter, accounts: AccountService,
        removal: DeviceRemoval, audit: AuditTrail, limits: MailLimits = MailLimits(), logger: Logger
    ) {
        self.policy = policy
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.mailer = mailer
        self.letters = letters
        self.accounts = accounts
        self.removal = removal
        self.audit = audit
        self.limits = limits
        self.logger = logger
        // New accounts are found by looking; that is soon enough.
        waitMilliseconds = max(1_000, min(Self.longestWaitMilliseconds, policy.periodMilliseconds / 20))
        timer = DueTimer(
            clock: clock, scheduler: scheduler, longestWaitMilliseconds: waitMilliseconds,
            retryMilliseconds: Self.retryMilliseconds)
    }

    /// Gives an end to accounts that have none yet, and takes up what was left when the server stopped.
    public func start() async throws {
        let (now, policy) = (clock.now, policy)
        let count = try await store.write { writer in
            try writer.accountValidity.populate(
                now: now, period: policy.periodMilliseconds, spread: max(1, policy.periodMilliseconds / Self.spread),
                reminder: policy.reminders.first ?? 0)
        }
        if count > 0 { logger.notice("accounts now end unless they are renewed", metadata: ["accounts": "\(count)"]) }
        try await timer.resume(self)
    }

    /// Sends no more mail.
    public func stop() { timer.stop() }

    // MARK: What administrators ask

    /// Until when an account is valid, and whether its user is exempt from that; `nil` if for ever.
    public func validity(
        of account: AccountRecord
    ) async throws -> (record: AccountValidityRecord, isExempt: Bool)? {
        try await store.read { [policy] reader in
            guard let record = try reader.accountValidity.validity(of: account.user) else { return nil }
            return (record, try policy.isExempt(account.user, account.userID, in: reader))
        }
    }

    /// Renews an account, or sets its end.
    ///
    /// - Parameters:
    ///   - user: Whose account.
    ///   - end: When it ends, in milliseconds since 1970; a period from now if `nil`.
    ///   - sendsMail: Whether its user is reminded.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Returns: When it ends.
    public func set(
        _ user: UserNumber, until end: Int64?, sendsMail: Bool,
        alongside: @escaping @Sendable (StoreWriter, Int64) throws -> Void = { _, _ in }
    ) async throws -> Int64 {
        let now = clock.now
        let end = end ?? now + policy.periodMilliseconds
        guard (0...(1 << 53)).contains(end) else {
            throw MatrixError.invalidParameter("An account ends at a number of milliseconds since 1970")
        }
        let done = policy.remindersDone(end: end, at: now)
        let record = AccountValidityRecord(
            user: user, expiresAt: end, sendsMail: sendsMail, reminders: done,
            dueAt: policy.due(end: end, reminders: done))
        try await store.write { [removal] writer in
            try alongside(writer, end)
            try writer.accountValidity.set(record)
            removal.forget(user, in: writer)
        }
        timer.schedule(self, at: record.dueAt ?? now)
        return end
    }

    /// Has an account valid for ever.
    public func end(
        of user: UserNumber, alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { [removal] writer in
            try alongside(writer)
            try writer.accountValidity.remove(user)
            removal.forget(user, in: writer)
        }
    }

    // MARK: What users ask

    /// Sends a mail that renews an account to all its addresses.
    ///
    /// - Throws: 400 if the account does not end, or has no address; 429; 503 if no mail can be sent now.
    public func sendMail(to user: UserNumber, _ id: UserID) async throws {
        let end = try await store.read { [policy] in try policy.end(of: user, id, in: $0) }
        guard let end else { throw MatrixError(400, .unknown, "This account does not end") }
        guard try await remind(user, id, end: end, isCounted: true) else {
            throw MatrixError(400, .unknown, "No mail can be sent to you: an administrator has to renew your account")
        }
    }

    /// Renews an account with what was sent for it.
    ///
    /// - Parameters:
    ///   - token: What was sent.
    ///   - user: Who says so, if they are logged in: needed where no links are sent.
    public func renew(_ token: String, by user: UserNumber?) async throws -> Renewal {
        guard let hash = hash(of: token, user) else { return .unknown }
        let (now, policy) = (clock.now, policy)
        let renewal = try await store.write { [removal] writer -> Renewal in
            guard let known = try writer.read.accountValidity.validity(renewedBy: hash) else { return .unknown }
            if known.tokenUsedAt != nil { return .renewedBefore(until: known.expiresAt) }
            let record = policy.validity(of: known.user, until: now + policy.periodMilliseconds)
            try writer.accountValidity.renew(record, usedAt: now)
            removal.forget(known.user, in: writer)
            return .renewed(until: record.expiresAt)
        }
        if case .renewed(let end) = renewal { timer.schedule(self, at: policy.due(end: end, reminders: 0)) }
        return renewal
    }

    /// Numbers are short: each is good for one user only.
    private func hash(of token: String, _ user: UserNumber?) -> TokenHash? {
        guard token.utf8.count <= 64 else { return nil }
        if policy.sendsLinks { return TokenHash(of: token) }
        return user.map { TokenHash(of: "\($0.rawValue) \(token)") }
    }

    // MARK: Mail

    /// Sends a mail that renews an account to all its addresses. The mail goes first, and only then is what it holds good.
    ///
    /// - Parameter isCounted: Whether the user asked for it, who must not ask for too many.
    /// - Returns: Whether there was somebody to send it to.
    private func remind(_ user: UserNumber, _ id: UserID, end: Int64, isCounted: Bool) async throws -> Bool {
        guard let mailer else { return false }
        let (addresses, name) = try await store.read { reader in
            (
                try reader.addresses.addresses(of: user).compactMap { EmailAddress($0.address) },
                try ProfileService.nameAndPicture(of: user, reader).displayName
            )
        }
        guard let first = addresses.first else { return false }
        let now = clock.now
        if isCounted {
            try await store.write { [limits] writer in
                if let retryAt = try writer.addresses.countMail(to: first.string, now: now, limits: limits) {
                    throw MatrixError.limitExceeded(retryAfterMilliseconds: max(1, retryAt - now))
                }
            }
        }
        let token = policy.sendsLinks ? randomness.text(32) : number()
        for address in addresses {
            let mail = letters.reminder(
                to: address, name ?? id.string, end: end, now: now, token, isLink: policy.sendsLinks)
            try await mailer.send(mail)
        }
        guard let hash = hash(of: token, user) else { return false }
        try await store.write { try $0.accountValidity.setToken(hash, of: user) }
        return true
    }

    /// Eight digits.
    private func number() -> String {
        let value = randomness.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % 100_000_000
        let digits = String(value)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }

    // MARK: When it is time

    func nextDue() async throws -> Int64? {
        let next = try await store.read { try $0.accountValidity.next() }
        return next ?? clock.now + waitMilliseconds
    }

    func doWhatIsDue() async throws {
        while true {
            let now = clock.now
            let due = try await store.read { try $0.accountValidity.due(at: now, limit: Self.page) }
            for record in due { try await attend(to: record, now: now) }
            if due.count < Self.page { return }
        }
    }

    func couldNotDo(_ error: any Error) {
        logger.error("ends of accounts not attended to", metadata: ["error": "\(error)"])
    }

    private func attend(to record: AccountValidityRecord, now: Int64) async throws {
        let (account, isExempt) = try await store.read { [policy] reader in
            let account = try reader.accounts.account(record.user)
            return (account, try account.map { try policy.isExempt($0.user, $0.userID, in: reader) } ?? true)
        }
        guard let account, !account.flags.contains(.deactivated) else {
            return try await advance(record, reminders: record.reminders, dueAt: nil)
        }
        if record.expiresAt <= now { return try await end(record, account, isExempt: isExempt, now: now) }
        if !isExempt, record.sendsMail {
            do {
                _ = try await remind(account.user, account.userID, end: record.expiresAt, isCounted: false)
            } catch let error as MatrixError where error.status < 500 {
                logger.warning(
                    "an account's end cannot be told of",
                    metadata: ["user": "\(account.userID)", "error": "\(error.message)"])
            } catch {
                logger.warning(
                    "an account's end is told of later", metadata: ["user": "\(account.userID)", "error": "\(error)"])
                let later = min(record.expiresAt, now + 10 * Self.retryMilliseconds)
                return try await advance(record, reminders: record.reminders, dueAt: later)
            }
        }
        // Of reminders that are late only one is sent.
        let done = policy.remindersDone(end: record.expiresAt, at: now)
        try await advance(record, reminders: done, dueAt: policy.due(end: record.expiresAt, reminders: done))
    }

    /// Has those who wait show their token again; long after, ends the account for good.
    private func end(
        _ record: AccountValidityRecord, _ account: AccountRecord, isExempt: Bool, now: Int64
    ) async throws {
        guard !isExempt, let wait = policy.deactivationMilliseconds, now >= record.expiresAt + wait else {
            let later = isExempt ? nil : policy.deactivationMilliseconds.map { record.expiresAt + $0 }
            return try await store.write { [removal] writer in
                try writer.accountValidity.advance(record, reminders: record.reminders, dueAt: later)
                removal.forget(record.user, in: writer)
            }
        }
        try await accounts.deactivate(record.user, erase: false) { [audit] writer in
            try audit.note(
                .userDeactivate, by: AuditActor(name: AuditActor.expiry, address: ""), on: account.userID.string,
                detail: ["expired_ts": .integer(record.expiresAt)], in: writer)
            try writer.accountValidity.advance(record, reminders: record.reminders, dueAt: nil)
        }
        logger.notice("an account that had ended is deactivated", metadata: ["user": "\(account.userID)"])
    }

    private func advance(_ record: AccountValidityRecord, reminders: Int, dueAt: Int64?) async throws {
        try await store.write { try $0.accountValidity.advance(record, reminders: reminders, dueAt: dueAt) }
    }
}
