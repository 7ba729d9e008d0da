import Matrix
import Store

/// How long accounts are valid without being renewed, and whose do not end.
public struct AccountValidityPolicy: Sendable {
    /// How long after it was made or renewed an account is valid, in milliseconds.
    public let periodMilliseconds: Int64
    /// How long before the end its user is reminded, in milliseconds: the earliest reminder first.
    public let reminders: [Int64]
    /// Whether the mails hold a link. If not, they hold a number that the user has to give to a client that is logged in.
    public let sendsLinks: Bool
    /// The accounts with an address at one of these domains do not end. `*.` and a domain: all below it.
    public let exemptDomains: [String]
    /// The accounts whose user ID holds one of these do not end.
    public let exemptUsers: [String]
    /// How long after its end an account is deactivated, in milliseconds; `nil`: never.
    public let deactivationMilliseconds: Int64?

    /// A policy. What is not positive and below the period is left out of `reminders`.
    public init(
        periodMilliseconds: Int64, reminders: [Int64], sendsLinks: Bool = true, exemptDomains: [String] = [],
        exemptUsers: [String] = [], deactivationMilliseconds: Int64? = nil
    ) {
        self.periodMilliseconds = periodMilliseconds
        self.reminders = Set(reminders.filter { $0 > 0 && $0 < periodMilliseconds }).sorted(by: >)
        self.sendsLinks = sendsLinks
        self.exemptDomains = exemptDomains
        self.exemptUsers = exemptUsers
        self.deactivationMilliseconds = deactivationMilliseconds
    }

    /// When an account ends for its user; `nil` if it does not.
    ///
    /// - Returns: Milliseconds since 1970.
    func end(of user: UserNumber, _ id: UserID, in reader: StoreReader) throws -> Int64? {
        guard let record = try reader.accountValidity.validity(of: user) else { return nil }
        return try isExempt(user, id, in: reader) ? nil : record.expiresAt
    }

    /// Whether an account has ended at a time.
    func hasEnded(_ user: UserNumber, at now: Int64, in reader: StoreReader) throws -> Bool {
        guard let record = try reader.accountValidity.validity(of: user), record.expiresAt <= now else { return false }
        return try !isExempt(user, try reader.identifiers.user(user), in: reader)
    }

    /// Whether somebody's account does not end, whatever is noted of it.
    func isExempt(_ user: UserNumber, _ id: UserID, in reader: StoreReader) throws -> Bool {
        if exemptUsers.contains(where: { Self.holds(id.string, $0) }) { return true }
        guard !exemptDomains.isEmpty else { return false }
        return try reader.addresses.addresses(of: user).contains { address in
            guard let domain = EmailAddress(address.address)?.domain else { return false }
            return exemptDomains.contains { Self.covers($0, domain) }
        }
    }

    private static func covers(_ pattern: String, _ domain: String) -> Bool {
        guard pattern.utf8.starts(with: "*.".utf8) else { return pattern.utf8.elementsEqual(domain.utf8) }
        let suffix = pattern.utf8.dropFirst()
        return domain.utf8.count > suffix.count && domain.utf8.suffix(suffix.count).elementsEqual(suffix)
    }

    private static func holds(_ text: String, _ part: String) -> Bool {
        let (text, part) = (Array(text.utf8), Array(part.utf8))
        guard !part.isEmpty, text.count >= part.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
    }

    /// The validity of an account that was made or renewed.
    func validity(of user: UserNumber, until end: Int64, sendsMail: Bool = true) -> AccountValidityRecord {
        AccountValidityRecord(
            user: user, expiresAt: end, sendsMail: sendsMail, dueAt: due(end: end, reminders: 0))
    }

    /// When something is to be done next of an account that ends then, after so many reminders.
    func due(end: Int64, reminders done: Int) -> Int64 { done < reminders.count ? end - reminders[done] : end }

    /// How many reminders of an account that ends then are done with or too late at a time.
    func remindersDone(end: Int64, at now: Int64) -> Int { reminders.count { end - $0 <= now } }

    /// Gives a new account its validity, in the transaction that makes it.
    func begin(_ user: UserNumber, _ new: NewAccount, now: Int64, in writer: StoreWriter) throws {
        guard new.appService == nil, !new.flags.contains(.guest) else { return }
        try writer.accountValidity.set(validity(of: user, until: now + periodMilliseconds))
    }
}
