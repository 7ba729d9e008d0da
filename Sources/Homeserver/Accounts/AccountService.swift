import Matrix
import Store

/// Takes a user out of all their rooms.
public protocol RoomDeparture: Sendable {
    /// Has the user leave every room, and decline every invitation. Called again if it was interrupted.
    func leaveAllRooms(_ user: UserID) async throws
}

/// An account to be made.
public struct NewAccount: Sendable {
    /// Whose it is to be.
    public var userID: UserID
    /// The password's hash; `nil` for an account nobody can log in to with a password.
    public var passwordHash: String?
    /// What is said of it.
    public var flags: AccountFlags
    /// What others see; the localpart unless given.
    public var displayName: String?
    /// The application service that makes it, if one does.
    public var appService: String?
    /// Whether there is a guest of this name who becomes this user.
    public var takesOverGuest: Bool

    /// An account.
    public init(
        userID: UserID, passwordHash: String?, flags: AccountFlags = [], displayName: String? = nil,
        appService: String? = nil, takesOverGuest: Bool = false
    ) {
        self.userID = userID
        self.passwordHash = passwordHash
        self.flags = flags
        self.displayName = displayName
        self.appService = appService
        self.takesOverGuest = takesOverGuest
    }
}

/// Accounts: making and ending them, their passwords, and what they are allowed.
public final class AccountService: Sendable {
    /// The server whose accounts these are.
    public let serverName: ServerName
    /// Which passwords users may choose.
    public let passwordPolicy: PasswordPolicy
    /// How long accounts are valid; `nil` for ever.
    let validity: AccountValidityPolicy?
    private let store: Store
    private let clock: any Clock
    private let hasher: any PasswordHasher
    private let removal: DeviceRemoval
    private let issuer: SessionIssuer
    private let departure: any RoomDeparture
    private let failedLogins: FailedLogins
    private let appServices: AppServices

    /// - Parameters:
    ///   - store: Where accounts are.
    ///   - serverName: The server whose accounts these are.
    ///   - clock: Tells the time.
    ///   - hasher: Hashes passwords.
    ///   - sessions: Starts the sessions of new accounts.
    ///   - removal: Ends sessions.
    ///   - departure: Takes users who deactivate their account out of their rooms.
    ///   - passwordPolicy: Which passwords users may choose.
    ///   - failedLogins: Counts wrong passwords.
    ///   - appServices: Services that may have names for themselves.
    ///   - validity: How long accounts are valid; `nil` for ever.
    public init(
        store: Store, serverName: ServerName, clock: any Clock, hasher: any PasswordHasher, sessions: SessionService,
        removal: DeviceRemoval, departure: any RoomDeparture, passwordPolicy: PasswordPolicy = PasswordPolicy(),
        failedLogins: FailedLogins, appServices: AppServices = .none, validity: AccountValidityPolicy? = nil
    ) {
        self.store = store
        self.serverName = serverName
        self.clock = clock
        self.hasher = hasher
        self.removal = removal
        self.departure = departure
        self.passwordPolicy = passwordPolicy
        self.failedLogins = failedLogins
        self.appServices = appServices
        self.validity = validity
        issuer = sessions.issuer
    }

    // MARK: Names

    /// The user that a name chosen at registration stands for.
    ///
    /// - Throws: 400 `M_INVALID_USERNAME`.
    public func userID(forNewName name: String) throws -> UserID { try Username.userID(for: name, on: serverName) }

    /// Accepts a user as free to be registered.
    ///
    /// - Throws: 400 `M_USER_IN_USE`, `M_EXCLUSIVE`.
    public func checkAvailable(_ user: UserID) async throws {
        try appServices.checkMayMake(user, by: nil)
        guard try await store.read({ try $0.accounts.account(user) }) == nil else { throw Self.inUse }
    }

    /// Accepts a user as one whose name no application service has for itself.
    ///
    /// - Throws: 400 `M_EXCLUSIVE`.
    func checkMayMake(_ user: UserID) throws { try appServices.checkMayMake(user, by: nil) }

    /// The account that somebody means who logs in as `name`: a user identifier or its localpart, capitals or not.
    public func account(named name: String) async throws -> AccountRecord? {
        var candidates: [UserID] = []
        if let user = name.utf8.first == UInt8(ascii: "@") ? UserID(name) : UserID(localpart: name, server: serverName)
        {
            guard user.isLocal(to: serverName) else { return nil }
            candidates.append(user)
            // Accounts made long ago may have capitals in their names: the exact name comes first.
            if let small = UserID(localpart: Username.lowercased(user.localpart), server: serverName), small != user {
                candidates.append(small)
            }
        }
        return try await store.read { [candidates] reader in
            for user in candidates { if let account = try reader.accounts.account(user) { return account } }
            return nil
        }
    }

    /// The account to which a mail address belongs, or `nil` if it belongs to none.
    public func account(address: String) async throws -> AccountRecord? {
        guard let address = EmailAddress(address) else { return nil }
        return try await store.read { reader in
            try reader.addresses.owner(of: address.string).flatMap { try reader.accounts.account($0) }
        }
    }

    /// The account of a user, or `nil` if they have none here.
    public func account(_ user: UserNumber) async throws -> AccountRecord? {
        try await store.read { try $0.accounts.account(user) }
    }

    // MARK: Passwords

    /// Accepts a password as a new one.
    ///
    /// - Throws: 400 `M_WEAK_PASSWORD`.
    func checkPassword(_ password: String) throws { try passwordPolicy.check(password) }

    /// The hash of a new password.
    ///
    /// - Throws: 400 `M_WEAK_PASSWORD`.
    public func hash(newPassword: String) async throws -> String {
        try passwordPolicy.check(newPassword)
        return try await hasher.hash(newPassword)
    }

    /// The account whose name and password somebody knows.
    ///
    /// - Parameters:
    ///   - name: A user identifier or its localpart.
    ///   - password: What they say the password is.
    /// - Throws: 403 `M_FORBIDDEN` for a wrong name or password, without saying which; 403 `M_USER_DEACTIVATED`; 429 after too
    ///   many wrong ones.
    public func account(named name: String, password: String) async throws -> AccountRecord {
        try await check(password, of: try await account(named: name))
    }

    /// The account whose mail address and password somebody knows; see ``account(named:password:)``.
    public func account(address: String, password: String) async throws -> AccountRecord {
        try await check(password, of: try await account(address: address))
    }

    private func check(_ password: String, of account: AccountRecord?) async throws -> AccountRecord {
        if let account, account.flags.contains(.deactivated) { try AccountState.checkMayLogIn(account.flags) }
        guard password.utf8.count <= passwordPolicy.maximumBytes else { throw Self.wrongPassword }
        guard let account, let hash = account.passwordHash else {
            // Takes as long as a wrong password, so that nobody learns which accounts there are.
            _ = try await hasher.hash(password)
            throw Self.wrongPassword
        }
        try failedLogins.check(account.user, now: clock.now)
        guard try await hasher.verify(password, against: hash) else {
            failedLogins.count(account.user, now: clock.now)
            throw Self.wrongPassword
        }
        if hasher.isOutdated(hash) {
            let renewed = try await hasher.hash(password)
            try await store.write { try $0.accounts.replacePasswordHash(hash, by: renewed, of: account.user) }
        }
        return account
    }

    /// Replaces the password of a user.
    ///
    /// - Parameters:
    ///   - user: Whose password.
    ///   - hash: The new one's hash, from ``hash(newPassword:)``.
    ///   - endingSessions: Which sessions end with the old password.
    ///   - alongside: What else is done in the same transaction.
    public func setPassword(
        of user: UserNumber, to hash: String, endingSessions: EndedSessions,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { [removal] writer in
            try alongside(writer)
            try writer.accounts.setPasswordHash(hash, of: user)
            try writer.loginTokens.deleteAll(of: user)
            switch endingSessions {
            case .none: break
            case .all: try removal.removeAll(of: user, in: writer)
            case .allExcept(let device): try removal.removeAll(of: user, except: device, in: writer)
            }
        }
    }

    /// Which sessions a change ends.
    public enum EndedSessions: Sendable {
        /// None.
        case none
        /// All.
        case all
        /// All but that of one device.
        case allExcept(DeviceID)
    }

    // MARK: Making and ending accounts

    /// Makes an account and, if asked to, its first session, in one transaction.
    ///
    /// - Parameters:
    ///   - new: The account.
    ///   - addressProof: The proof, to be used up, that its user reads the mail of an address.
    ///   - device: On which device its first session starts; `nil` for none.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Returns: The first session, if there is one.
    /// - Throws: 400 `M_USER_IN_USE`, `M_THREEPID_IN_USE`; 403 `M_THREEPID_AUTH_FAILED`.
    public func create(
        _ new: NewAccount, addressProof: String? = nil, device: DeviceRequest?,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws -> NewSession? {
        let prepared = try device.map(issuer.prepare)
        let now = clock.now
        do {
            return try await store.write { [issuer, removal, validity] writer in
                try alongside(writer)
                let user: UserNumber
                if new.takesOverGuest {
                    user = try Self.takeOverGuest(new, in: writer)
                    removal.forget(user, in: writer)
                } else {
                    user = try Self.insert(new, validity, now: now, in: writer)
                }
                if let addressProof {
                    try AddressService.give(addressProof, shownFor: .register, to: user, now: now, in: writer)
                }
                guard let prepared else { return nil }
                try issuer.start(prepared, for: user, in: writer)
                return prepared.session(of: new.userID)
            }
        } catch let error where StoreError.isDuplicate(error) {
            // Another node was a moment faster.
            throw Self.inUse
        }
    }

    /// Makes an account, in a transaction that does more.
    ///
    /// - Throws: 400 `M_USER_IN_USE`.
    static func insert(
        _ new: NewAccount, _ validity: AccountValidityPolicy?, now: Int64, in writer: StoreWriter
    ) throws -> UserNumber {
        let user = try writer.accounts.insert(
            new.userID, passwordHash: new.passwordHash, flags: new.flags, appService: new.appService, createdAt: now
        )
        guard let user else { throw inUse }
        try validity?.begin(user, new, now: now, in: writer)
        let name = JSONValue.string(new.displayName ?? new.userID.localpart).serialized()
        try writer.profiles.set(ProfileField(name: ProfileService.displayNameField, value: name), of: user)
        return user
    }

    /// The guest keeps rooms, devices and what others see.
    private static func takeOverGuest(_ new: NewAccount, in writer: StoreWriter) throws -> UserNumber {
        guard let account = try writer.read.accounts.account(new.userID), account.flags.contains(.guest),
            !account.flags.contains(.deactivated)
        else { throw inUse }
        try writer.accounts.setFlags(account.flags.subtracting(.guest).union(new.flags), of: account.user)
        try writer.accounts.setPasswordHash(new.passwordHash, of: account.user)
        return account.user
    }

    /// Ends an account for good: its sessions, its password, its rooms. Its name stays taken.
    ///
    /// - Parameters:
    ///   - user: Whose account.
    ///   - erase: Whether the user asks to be forgotten as far as that is possible.
    ///   - alongside: What else is done in the same transaction.
    public func deactivate(
        _ user: UserNumber, erase: Bool, alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        let now = clock.now
        let userID = try await store.write { [removal] writer -> UserID in
            try alongside(writer)
            guard let account = try writer.read.accounts.account(user) else {
                throw MatrixError.notFound("No such account")
            }
            var flags = account.flags.union(.deactivated)
            if erase {
                flags.insert(.erased)
                try writer.profiles.deleteAll(of: user)
            }
            try writer.accounts.setFlags(flags, of: user)
            try writer.accounts.setPasswordHash(nil, of: user)
            try writer.accounts.setDeparting(true, of: user)
            try writer.loginTokens.deleteAll(of: user)
            try writer.openIDTokens.deleteAll(of: user)
            try writer.addresses.removeAll(of: user)
            try writer.identityBindings.endAll(of: user, now: now)
            try writer.externalIDs.removeAll(of: user)
            try removal.removeAll(of: user, in: writer)
            removal.forget(user, in: writer)
            return account.userID
        }
        // The client's going away must not leave the user in half of their rooms.
        try await Task.detached { try await self.depart(userID) }.value
    }

    /// Opens an account again that was ended. Its name is what it was; rooms, sessions and addresses have to be had anew.
    ///
    /// - Parameters:
    ///   - user: Whose account.
    ///   - passwordHash: The hash of its password; `nil` for none.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 404 if there is no such account, 409 if it was not ended or is still leaving its rooms.
    public func reactivate(
        _ user: UserNumber, passwordHash: String?,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        let now = clock.now
        try await store.write { [removal, validity] writer in
            guard let account = try writer.read.accounts.account(user) else {
                throw MatrixError.notFound("No such account")
            }
            guard account.flags.contains(.deactivated) else {
                throw MatrixError(409, .unknown, "This account is open")
            }
            guard try !writer.read.accounts.departing().contains(account.userID) else {
                throw MatrixError(409, .unknown, "This account is still leaving its rooms")
            }
            try alongside(writer)
            try writer.accounts.setFlags(account.flags.subtracting([.deactivated, .erased]), of: user)
            try writer.accounts.setPasswordHash(passwordHash, of: user)
            if let validity, account.appService == nil {
                try writer.accountValidity.set(validity.validity(of: user, until: now + validity.periodMilliseconds))
            }
            if try writer.read.profiles.fields(of: user).isEmpty {
                let name = JSONValue.string(account.userID.localpart).serialized()
                try writer.profiles.set(ProfileField(name: ProfileService.displayNameField, value: name), of: user)
            }
            removal.forget(user, in: writer)
        }
    }

    /// Finishes what a stop of the server interrupted: users who are deactivated leave the rest of their rooms.
    public func resumeDepartures() async throws {
        for user in try await store.read({ try $0.accounts.departing() }) { try await depart(user) }
    }

    private func depart(_ userID: UserID) async throws {
        try await departure.leaveAllRooms(userID)
        try await store.write { writer in
            guard let user = try writer.read.identifiers.number(of: userID) else { return }
            try writer.accounts.setDeparting(false, of: user)
        }
    }

    /// Changes what is said of an account: `admin`, `locked`, `suspended`, `shadowBanned`. Deactivation is ``deactivate(_:erase:alongside:)``.
    ///
    /// - Parameters:
    ///   - user: Whose account.
    ///   - adding: What is true from now on.
    ///   - removing: What is not true any more.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 404 if there is no such account.
    public func setFlags(
        of user: UserNumber, adding: AccountFlags = [], removing: AccountFlags = [],
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        let changeable: AccountFlags = [.admin, .locked, .suspended, .shadowBanned]
        try await store.write { [removal] writer in
            try alongside(writer)
            guard let account = try writer.read.accounts.account(user) else {
                throw MatrixError.notFound("No such account")
            }
            let flags = account.flags.union(adding.intersection(changeable))
                .subtracting(removing.intersection(changeable))
            try writer.accounts.setFlags(flags, of: user)
            removal.forget(user, in: writer)
        }
    }

    /// Has something take the place of the configured limits for what a user does; nothing if `nil`.
    ///
    /// - Parameters:
    ///   - limit: What.
    ///   - user: For whom.
    ///   - alongside: What else is done in the same transaction, before.
    public func setRateLimit(
        _ limit: UserRateLimit?, of user: UserNumber,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { [removal] writer in
            try alongside(writer)
            try writer.accounts.setRateLimit(limit, of: user)
            removal.forget(user, in: writer)
        }
    }

    /// Whom a service where users sign in means, if that is noted.
    func user(_ external: ExternalID) async throws -> UserID? {
        try await store.read { reader in
            try reader.externalIDs.user(external).map { try reader.identifiers.user($0) }
        }
    }

    /// Notes whom a service where users sign in means.
    func remember(_ external: ExternalID, of user: UserNumber) async throws {
        guard try await store.read({ try $0.externalIDs.user(external) }) == nil else { return }
        _ = try await store.write { try $0.externalIDs.add(external, to: user) }
    }

    /// Has services where users sign in mean a user by these identifiers, and by no others.
    ///
    /// - Parameters:
    ///   - identifiers: All of them.
    ///   - user: Whom.
    ///   - alongside: What else is done in the same transaction, before.
    /// - Throws: 409 if one is somebody else's.
    public func setExternalIDs(
        _ identifiers: [ExternalID], of user: UserNumber,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void = { _ in }
    ) async throws {
        try await store.write { writer in
            try alongside(writer)
            for known in try writer.read.externalIDs.identifiers(of: user) where !identifiers.contains(known) {
                try writer.externalIDs.remove(known, of: user)
            }
            for identifier in identifiers {
                guard try writer.externalIDs.add(identifier, to: user) else {
                    throw MatrixError(409, .unknown, "\(identifier.id) of \(identifier.provider) is somebody else")
                }
            }
        }
    }

    static let inUse = MatrixError(400, .userInUse, "This user name is taken")
    static let wrongPassword = MatrixError.forbidden("Wrong user name or password")
}
