import Matrix
import Store

/// Mail addresses of accounts, and the proof that their users read the mail that goes there.
///
/// [Third-party identifiers](https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information). This
/// server sends the mail itself; no identity server has a part in it. Whatever is known of a proof is in the database: any node can go
/// on with it, and it outlives a restart.
public final class AddressService: Sendable {
    /// What an address is shown for: proof for one thing is none for another.
    public enum Purpose: String, Sendable {
        /// A new account.
        case register
        /// One more address of an account.
        case add
        /// A new password in place of one that is forgotten.
        case password
    }

    /// What a client asks when it wants an address to be shown.
    public struct Request: Sendable {
        /// The address, as it was written.
        public var address: String
        /// The client's own secret, without which the proof is of no use.
        public var clientSecret: String
        /// Grows when another mail is wanted.
        public var sendAttempt: Int64
        /// Where the user may go on to afterwards.
        public var nextLink: String?

        /// A request.
        public init(address: String, clientSecret: String, sendAttempt: Int64, nextLink: String?) {
            self.address = address
            self.clientSecret = clientSecret
            self.sendAttempt = sendAttempt
            self.nextLink = nextLink
        }

        /// Accepts what the specification lets clients send.
        ///
        /// - Throws: 400 `M_INVALID_PARAM`.
        func check() throws {
            let isSecret = clientSecret.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: ".=_-".utf8.contains(byte)
                }
            }
            guard isSecret, (1...255).contains(clientSecret.utf8.count) else {
                throw MatrixError.invalidParameter("client_secret has 1 to 255 characters of 0-9, a-z, A-Z and . = _ -")
            }
            guard let link = nextLink else { return }
            let isLink =
                (link.hasPrefix("https://") || link.hasPrefix("http://")) && link.utf8.count <= 2_048
                && link.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
            guard isLink else { throw MatrixError.invalidParameter("next_link must be the address of a web page") }
        }
    }

    /// How long a link in a mail is good, and after that how long what it proved, in milliseconds.
    private static let lifetimeMilliseconds: Int64 = 3_600_000
    static let addressesOfAnAccount = 20

    private static let inUse = MatrixError(400, "M_THREEPID_IN_USE", "This address belongs to an account already")
    private static let notShown = MatrixError(403, "M_THREEPID_AUTH_FAILED", "The address has not been confirmed")
    private static let notGood = MatrixError(400, .unknown, "This link is not valid any more, or never was")
    private static let noChanges = MatrixError.forbidden("This server sends no mail: addresses cannot be confirmed")

    private let store: Store
    private let clock: any Clock
    private let randomness: any Randomness
    private let mailer: (any Mailer)?
    private let limits: MailLimits
    private let texts: AddressMail

    /// - Parameters:
    ///   - store: Where addresses are.
    ///   - clock: Tells the time.
    ///   - randomness: What tokens are made of.
    ///   - mailer: Sends mail; `nil` where none is sent. Addresses that accounts have then stay, and can be taken away.
    ///   - serverName: This server, as people know it.
    ///   - baseURL: Where browsers reach it, without a slash at the end.
    ///   - limits: How much mail may be sent.
    public init(
        store: Store, clock: any Clock, randomness: any Randomness, mailer: (any Mailer)?, serverName: ServerName,
        baseURL: String, limits: MailLimits = MailLimits()
    ) {
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.mailer = mailer
        self.limits = limits
        texts = AddressMail(serverName: serverName, baseURL: baseURL)
    }

    /// Whether addresses can be shown here.
    public var sendsMail: Bool { mailer != nil }

    // MARK: Asking for a proof

    /// Sends a mail with a link to an address, unless that has been done for the same attempt.
    ///
    /// The mail goes first, and only then is its link good and the attempt made: when the mail cannot be sent nothing has changed,
    /// an earlier link still works, and the same attempt can be made again.
    ///
    /// Whether an address can be given to an account is told, as the specification has it; whether it resets a password is not: whoever
    /// asks gets the same answer, and the address a mail that says which it is.
    ///
    /// - Returns: The proof's name.
    /// - Throws: 400 `M_THREEPID_IN_USE`, `M_INVALID_PARAM`, `M_THREEPID_MEDIUM_NOT_SUPPORTED` where no mail is sent; 429; 503 if the
    ///   mail cannot be sent now.
    public func requestProof(_ request: Request, for purpose: Purpose) async throws -> String {
        guard let mailer else {
            throw MatrixError(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED", "This server sends no mail")
        }
        guard let address = EmailAddress(request.address) else {
            throw MatrixError.invalidParameter("This is no mail address")
        }
        try request.check()
        let now = clock.now
        let begun = try await store.write { [limits] writer -> Begun in
            let known = try writer.read.addresses.validation(
                clientSecret: request.clientSecret, address: address.string, purpose: purpose.rawValue, now: now)
            let account = try writer.read.addresses.address(address.string)
            if account != nil, purpose != .password { throw Self.inUse }
            if let known, request.sendAttempt <= known.sendAttempt { return .alreadySent(known.sid) }
            if let retryAt = try writer.addresses.countMail(to: address.string, now: now, limits: limits) {
                throw MatrixError.limitExceeded(retryAfterMilliseconds: max(1, retryAt - now))
            }
            return .counted(sid: known?.sid, isOfUse: purpose != .password || account?.resetsPassword == true)
        }
        guard case .counted(let sid, let isOfUse) = begun else { return begun.sid ?? "" }
        let token = randomness.text(32)
        let validation = AddressValidation(
            sid: sid ?? randomness.text(24), clientSecret: request.clientSecret, address: address.string,
            purpose: purpose.rawValue, tokenHash: TokenHash(of: token).bytes, sendAttempt: request.sendAttempt,
            nextLink: request.nextLink, expiresAt: now + Self.lifetimeMilliseconds
        )
        do {
            try await mailer.send(
                isOfUse ? texts.link(to: address, validation, token, purpose) : texts.noAccount(to: address))
        } catch {
            try await store.write { try $0.addresses.uncountMail(to: address.string) }
            throw error
        }
        try await store.write { try $0.addresses.set(validation, now: now) }
        return validation.sid
    }

    private enum Begun: Sendable {
        case alreadySent(String)
        case counted(sid: String?, isOfUse: Bool)

        var sid: String? {
            switch self {
            case .alreadySent(let sid): sid
            case .counted(let sid, _): sid
            }
        }
    }

    // MARK: Giving it

    /// What is known of a link in a mail that somebody opens.
    ///
    /// - Throws: 400 for a link that is not good, or not any more.
    public func proof(_ sid: String, clientSecret: String, token: String) async throws -> (
        purpose: Purpose, nextLink: String?
    ) {
        let now = clock.now
        let validation = try await store.read { try Self.validation(sid, clientSecret, token, now: now, in: $0) }
        guard let purpose = Purpose(rawValue: validation.purpose) else { throw Self.notGood }
        return (purpose, validation.nextLink)
    }

    /// Notes that the link in a mail was opened: whoever did reads the mail of that address. The client then has as long again to use it.
    ///
    /// - Throws: 400 for a link that is not good, or not any more.
    public func confirm(_ sid: String, clientSecret: String, token: String) async throws {
        let now = clock.now
        try await store.write { writer in
            _ = try Self.validation(sid, clientSecret, token, now: now, in: writer.read)
            try writer.addresses.validate(sid, at: now, expiresAt: now + Self.lifetimeMilliseconds)
        }
    }

    private static func validation(
        _ sid: String, _ clientSecret: String, _ token: String, now: Int64, in reader: StoreReader
    ) throws -> AddressValidation {
        guard let validation = try reader.addresses.validation(sid, now: now),
            // Hashes, so that how long it takes to compare says nothing of how much is right.
            TokenHash(of: validation.clientSecret) == TokenHash(of: clientSecret),
            validation.tokenHash == TokenHash(of: token).bytes
        else { throw notGood }
        return validation
    }

    // MARK: Using it

    /// Accepts a proof that has been given. It is not used up by that.
    ///
    /// - Throws: 403 `M_THREEPID_AUTH_FAILED` for one that has not been.
    func check(_ sid: String, clientSecret: String, for purpose: Purpose) async throws {
        let now = clock.now
        try await store.read { _ = try Self.given(sid, clientSecret, purpose, now: now, in: $0) }
    }

    private static func given(
        _ sid: String, _ clientSecret: String?, _ purpose: Purpose, now: Int64, in reader: StoreReader
    ) throws -> (address: String, validatedAt: Int64) {
        guard let validation = try reader.addresses.validation(sid, now: now), validation.purpose == purpose.rawValue,
            clientSecret.map({ TokenHash(of: validation.clientSecret) == TokenHash(of: $0) }) ?? true,
            let validatedAt = validation.validatedAt
        else { throw notShown }
        return (validation.address, validatedAt)
    }

    private static func take(
        _ sid: String, _ clientSecret: String?, _ purpose: Purpose, now: Int64, in writer: StoreWriter
    ) throws -> (address: String, validatedAt: Int64) {
        let given = try given(sid, clientSecret, purpose, now: now, in: writer.read)
        guard try writer.addresses.removeValidation(sid) else { throw notShown }
        return given
    }

    /// Gives an address to an account and uses the proof up, in the transaction that makes the account.
    ///
    /// - Throws: 403 `M_THREEPID_AUTH_FAILED`, 400 `M_THREEPID_IN_USE`.
    static func give(
        _ sid: String, clientSecret: String? = nil, shownFor purpose: Purpose, to user: UserNumber,
        resetsPassword: Bool = true, now: Int64, in writer: StoreWriter
    ) throws {
        let (address, validatedAt) = try take(sid, clientSecret, purpose, now: now, in: writer)
        guard try writer.read.addresses.addresses(of: user).count < addressesOfAnAccount else {
            throw MatrixError.forbidden("An account has \(addressesOfAnAccount) addresses at most")
        }
        let record = AccountAddress(
            address: address, user: user, validatedAt: validatedAt, addedAt: now, resetsPassword: resetsPassword)
        guard try writer.read.addresses.owner(of: address) == nil, try writer.addresses.add(record) else { throw inUse }
    }

    /// The user whose password a proof resets.
    ///
    /// - Throws: 403 `M_THREEPID_AUTH_FAILED`, 400 `M_THREEPID_NOT_FOUND`.
    public func user(resettingPasswordBy sid: String) async throws -> UserNumber {
        let now = clock.now
        return try await store.read { reader in
            try Self.user(of: try Self.given(sid, nil, .password, now: now, in: reader).address, in: reader)
        }
    }

    /// Uses a proof up that resets a password, in the transaction that replaces it.
    ///
    /// - Throws: 403 `M_THREEPID_AUTH_FAILED` if it has been used meanwhile; 400 `M_THREEPID_NOT_FOUND` if the address is the user's no
    ///   more.
    public func use(_ sid: String, toResetPasswordOf user: UserNumber, in writer: StoreWriter) throws {
        let address = try Self.take(sid, nil, .password, now: clock.now, in: writer).address
        guard try Self.user(of: address, in: writer.read) == user else { throw Self.notFound }
    }

    private static let notFound = MatrixError(400, "M_THREEPID_NOT_FOUND", "No account has this address")

    private static func user(of address: String, in reader: StoreReader) throws -> UserNumber {
        guard let address = try reader.addresses.address(address), address.resetsPassword else { throw notFound }
        return address.user
    }

    // MARK: Addresses of accounts

    /// The addresses of an account.
    public func addresses(of user: UserNumber) async throws -> [AccountAddress] {
        try await store.read { try $0.addresses.addresses(of: user) }
    }

    /// Accepts that users add addresses.
    ///
    /// - Throws: 403 `M_FORBIDDEN` where no mail is sent.
    public func checkChangesAllowed() throws { guard sendsMail else { throw Self.noChanges } }

    /// Adds an address that was shown to an account.
    ///
    /// - Parameters:
    ///   - sid: The proof's name.
    ///   - clientSecret: The client's secret.
    ///   - user: Whose account.
    ///   - resetsPassword: Whether the address may replace the password: not unless the user has just shown that they are who they say.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 403 `M_THREEPID_AUTH_FAILED`, 400 `M_THREEPID_IN_USE`.
    public func add(
        _ sid: String, clientSecret: String, to user: UserNumber, resetsPassword: Bool,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        let now = clock.now
        try await store.write { writer in
            try alongside(writer)
            try Self.give(
                sid, clientSecret: clientSecret, shownFor: .add, to: user, resetsPassword: resetsPassword, now: now,
                in: writer)
        }
    }

    /// Gives an address to an account without a proof: an administrator says that it is the user's.
    ///
    /// - Parameters:
    ///   - address: The address.
    ///   - user: Whose account.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 400 `M_INVALID_PARAM`, `M_THREEPID_IN_USE`; 403 for an account that has too many.
    public func give(
        _ address: String, to user: UserNumber,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        guard let address = EmailAddress(address) else {
            throw MatrixError.invalidParameter("This is no mail address")
        }
        let now = clock.now
        try await store.write { writer in
            try alongside(writer)
            try Self.give(address, to: user, now: now, in: writer)
        }
    }

    /// As ``give(_:to:alongside:)``, in a transaction that does more.
    static func give(_ address: EmailAddress, to user: UserNumber, now: Int64, in writer: StoreWriter) throws {
        if let owner = try writer.read.addresses.owner(of: address.string) {
            if owner == user { return }
            throw inUse
        }
        guard try writer.read.addresses.addresses(of: user).count < addressesOfAnAccount else {
            throw MatrixError.forbidden("An account has \(addressesOfAnAccount) addresses at most")
        }
        let record = AccountAddress(
            address: address.string, user: user, validatedAt: now, addedAt: now, resetsPassword: true)
        guard try writer.addresses.add(record) else { throw inUse }
    }

    /// Takes an address from an account, if it has it.
    ///
    /// - Parameters:
    ///   - address: The address.
    ///   - user: Whose account.
    ///   - alongside: What else is done in the same transaction, before.
    public func remove(
        _ address: String, of user: UserNumber,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        guard let address = EmailAddress(address) else { return }
        try await store.write { writer in
            try alongside(writer)
            try writer.addresses.remove(address.string, of: user)
            // What goes there goes with it.
            for pusher in try writer.read.pushers.pushers(of: user)
            where pusher.kind.utf8.elementsEqual("email".utf8) && EmailAddress(pusher.pushKey) == address {
                try writer.pushers.delete(appID: pusher.appID, pushKey: pusher.pushKey, of: user)
            }
        }
    }
}
