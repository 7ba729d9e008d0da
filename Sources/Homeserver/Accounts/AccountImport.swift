import Matrix
import Store

/// An account as a list of accounts names it.
public struct ImportedAccount: Sendable, Hashable {
    /// Its localpart; `nil` if it is to be made of the first address.
    public let localpart: String?
    /// The name that others see.
    public let displayName: String?
    /// Mail addresses.
    public let emails: [String]
    /// Its password; `nil` for none.
    public let password: String?
    /// Whether it is an administrator's.
    public let isAdmin: Bool

    /// An account.
    public init(localpart: String?, displayName: String?, emails: [String], password: String?, isAdmin: Bool) {
        self.localpart = localpart
        self.displayName = displayName
        self.emails = emails
        self.password = password
        self.isAdmin = isAdmin
    }

    /// The localpart of people who are named after their address: `marie.curie@example.org` becomes `marie.curie-example.org`.
    static func localpart(of address: String) -> String {
        Username.lowercased(address).replacing("@", with: "-")
    }
}

/// Makes the accounts of a list, many in one transaction. A list can be given again: accounts that are there are left as they are.
public struct AccountImport: Sendable {
    /// What became of an account, or would.
    public enum Outcome: Sendable, Hashable {
        /// It is made.
        case new(UserID)
        /// It was there already.
        case known(UserID)
        /// It cannot be made.
        case invalid(String)
    }

    private let accounts: AccountService
    private let audit: AuditTrail
    private let store: Store
    private let clock: any Clock

    /// The most accounts that are made at once: others do not wait long for the transaction.
    public static let batchSize = 500

    /// - Parameters:
    ///   - accounts: Knows accounts.
    ///   - audit: Hears of each.
    ///   - store: Where accounts are.
    ///   - clock: Tells the time.
    public init(accounts: AccountService, audit: AuditTrail, store: Store, clock: any Clock) {
        self.accounts = accounts
        self.audit = audit
        self.store = store
        self.clock = clock
    }

    private struct Checked: Sendable {
        let account: NewAccount
        let emails: [EmailAddress]
    }

    /// Says what would become of each, and changes nothing.
    public func check(_ rows: [ImportedAccount]) async throws -> [Outcome] {
        let checked = rows.map { row in Result { try self.checked(row, passwordHash: nil) } }
        return try await store.read { reader in
            var taken: Set<String> = []
            return try checked.map { row in
                switch row {
                case .failure(let error): return .invalid(Self.message(error))
                case .success(let row):
                    if try reader.accounts.account(row.account.userID) != nil { return .known(row.account.userID) }
                    for email in row.emails {
                        let isFree = try reader.addresses.owner(of: email.string) == nil
                        guard isFree, taken.insert(email.string).inserted else {
                            return .invalid("\(email.string) is another account's")
                        }
                    }
                    return .new(row.account.userID)
                }
            }
        }
    }

    /// Makes those that can be made, all in one transaction.
    public func make(_ rows: [ImportedAccount], by actor: AuditActor) async throws -> [Outcome] {
        var prepared: [Result<Checked, any Error>] = []
        for row in rows {
            do {
                // Hashing takes long: not for accounts that are there.
                let plain = try checked(row, passwordHash: nil)
                guard let password = row.password,
                    try await store.read({ try $0.accounts.account(plain.account.userID) }) == nil
                else {
                    prepared.append(.success(plain))
                    continue
                }
                let hash = try await accounts.hash(newPassword: password)
                prepared.append(.success(try checked(row, passwordHash: hash)))
            } catch let error as MatrixError {
                prepared.append(.failure(error))
            }
        }
        let (now, all) = (clock.now, prepared)
        return try await store.write { [audit, validity = accounts.validity] writer in
            try all.map { row in
                switch row {
                case .failure(let error): return .invalid(Self.message(error))
                case .success(let row): return try Self.insert(row, by: actor, audit, validity, now: now, in: writer)
                }
            }
        }
    }

    private static func insert(
        _ row: Checked, by actor: AuditActor, _ audit: AuditTrail, _ validity: AccountValidityPolicy?, now: Int64,
        in writer: StoreWriter
    ) throws -> Outcome {
        let id = row.account.userID
        if try writer.read.accounts.account(id) != nil { return .known(id) }
        // Looked at first: what is refused must leave nothing behind in the transaction of the others.
        for email in row.emails where try writer.read.addresses.owner(of: email.string) != nil {
            return .invalid("\(email.string) is another account's")
        }
        let user = try AccountService.insert(row.account, validity, now: now, in: writer)
        for email in row.emails { try AddressService.give(email, to: user, now: now, in: writer) }
        try audit.note(
            .userCreate, by: actor, on: id.string,
            detail: ["admin": .bool(row.account.flags.contains(.admin)), "import": true], in: writer)
        return .new(id)
    }

    private func checked(_ row: ImportedAccount, passwordHash: String?) throws -> Checked {
        let emails = try row.emails.map { text in
            guard let address = EmailAddress(text) else {
                throw MatrixError.invalidParameter("\(text) is no mail address")
            }
            return address
        }
        guard emails.count <= AddressService.addressesOfAnAccount else {
            throw MatrixError.invalidParameter(
                "an account has \(AddressService.addressesOfAnAccount) addresses at most")
        }
        guard let name = row.localpart ?? emails.first.map({ ImportedAccount.localpart(of: $0.string) }) else {
            throw MatrixError.invalidParameter("there is neither a localpart nor an address")
        }
        let user = try accounts.userID(forNewName: name)
        try accounts.checkMayMake(user)
        if let password = row.password { try accounts.checkPassword(password) }
        return Checked(
            account: NewAccount(
                userID: user, passwordHash: passwordHash, flags: row.isAdmin ? [.admin] : [],
                displayName: row.displayName),
            emails: emails)
    }

    private static func message(_ error: any Error) -> String { (error as? MatrixError)?.message ?? "\(error)" }
}
