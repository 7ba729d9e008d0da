import Homeserver
import Matrix
import Store
import Web

/// `PUT /_synapse/admin/v2/users/{userId}`: makes an account (201) or changes it (200). What the body does not name stays as it is.
///
/// Body: `password`, `logout_devices` (true unless given), `displayname`, `avatar_url` (each empty for none), `threepids` (replaces all),
/// `external_ids` (replaces all),
/// `admin`, `deactivated`, `locked`. Types of users there are not: 400.
struct PutSynapseUser: Endpoint {
    static let routes = [Route.put("/_synapse/admin/v2/users/{userId}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let user: UserID
        let change: AccountChange

        init(from input: RequestInput) throws {
            user = try input.path("userId")
            change = try AccountChange(input.body)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> StatusAnswer {
        let editor = AccountEditor(services: services, caller: caller)
        guard request.user.isLocal(to: services.accounts.serverName) else {
            throw MatrixError(400, .unknown, "This is not a user of this server")
        }
        var status = 200
        if let account = try await services.store.read({ try $0.accounts.account(request.user) }) {
            try await editor.change(account, request.change)
        } else {
            try await editor.make(request.user, request.change)
            status = 201
        }
        let account = try await services.account(of: request.user)
        return StatusAnswer(
            status: status, json: try await services.store.read { try SynapseUser.detailed(account, $0) })
    }
}

/// What is to become of an account.
struct AccountChange: Sendable {
    let password: String?
    let endsSessions: Bool
    let displayName: String?
    let avatarURL: String?
    let addresses: [EmailAddress]?
    let externalIDs: [ExternalID]?
    let isAdmin: Bool?
    let isDeactivated: Bool?
    let isLocked: Bool?

    init(_ body: JSONFields) throws {
        password = try body.optional("password", as: .string)
        endsSessions = try body.optional("logout_devices", as: .bool, default: true)
        displayName = try body.optional("displayname", as: .string)
        avatarURL = try body.optional("avatar_url", as: .string)
        isAdmin = try body.optional("admin", as: .bool)
        isDeactivated = try body.optional("deactivated", as: .bool)
        isLocked = try body.optional("locked", as: .bool)
        addresses = try body.optional("threepids", as: .array(of: .object)).map { items in
            try items.map { item in
                let medium = try item.required("medium", as: .string)
                guard ExactString(medium) == ExactString("email"),
                    let address = EmailAddress(try item.required("address", as: .string))
                else { throw MatrixError.invalidParameter("threepids must be mail addresses") }
                return address
            }
        }
        if let avatarURL, !avatarURL.isEmpty, MediaReference(uri: avatarURL) == nil {
            throw MatrixError.invalidParameter("avatar_url must be an mxc URI")
        }
        if try body.optional("user_type", as: .string) != nil {
            throw MatrixError(400, .unknown, "Users have no types here")
        }
        externalIDs = try body.optional("external_ids", as: .array(of: .object)).map { items in
            try items.map { item in
                let known = ExternalID(
                    provider: try item.required("auth_provider", as: .string),
                    id: try item.required("external_id", as: .string))
                guard
                    [known.provider, known.id].allSatisfy({ (1...255).contains($0.utf8.count) && !$0.utf8.contains(0) })
                else { throw MatrixError.invalidParameter("external_ids are texts of 1 to 255 bytes") }
                return known
            }
        }
        if isDeactivated == true, isLocked == true {
            throw MatrixError(400, .unknown, "An account cannot be both locked and deactivated")
        }
    }
}

/// Changes accounts as administrators ask.
struct AccountEditor {
    let services: SynapseServices
    let caller: Operator

    /// Makes an account.
    ///
    /// - Throws: 400 `M_INVALID_USERNAME`, `M_EXCLUSIVE`, `M_WEAK_PASSWORD`, `M_USER_IN_USE`, `M_THREEPID_IN_USE`.
    func make(_ user: UserID, _ change: AccountChange) async throws {
        let accounts = services.accounts
        guard try accounts.userID(forNewName: user.localpart) == user else {
            throw MatrixError(400, "M_INVALID_USERNAME", "New names have small letters")
        }
        try await accounts.checkAvailable(user)
        let hash = try await hash(change)
        let isAdmin = change.isAdmin == true
        let name = change.displayName.flatMap { $0.isEmpty ? nil : $0 }
        _ = try await accounts.create(
            NewAccount(userID: user, passwordHash: hash, flags: isAdmin ? [.admin] : [], displayName: name),
            device: nil,
            alongside: services.noting(.userCreate, on: user.string, by: caller, detail: ["admin": .bool(isAdmin)]))
        let account = try await services.account(of: user)
        try await setAvatar(account, change)
        try await setAddresses(account, change)
        try await setExternalIDs(account, change)
        try await setLock(account, change)
        try await deactivate(account, change)
    }

    /// Changes an account.
    ///
    /// - Throws: 400 if administrators would take their own rights away.
    func change(_ account: AccountRecord, _ change: AccountChange) async throws {
        if let isAdmin = change.isAdmin { try checkMaySet(isAdmin, of: account) }
        let hash = try await hash(change)
        if change.isDeactivated == false, account.flags.contains(.deactivated) {
            try await services.accounts.reactivate(
                account.user, passwordHash: hash, alongside: noting(.userReactivate, account))
        } else if let hash {
            try await setPassword(of: account, to: hash, endingSessions: change.endsSessions)
        }
        if let name = change.displayName {
            try await services.administration.profiles.set(
                ProfileService.displayNameField, to: JSONValue.string(name).json, of: account.userID,
                alongside: noting(.userDisplayName, account))
        }
        try await setAvatar(account, change)
        try await setAddresses(account, change)
        try await setExternalIDs(account, change)
        if let isAdmin = change.isAdmin { try await setAdmin(isAdmin, of: account) }
        try await setLock(account, change)
        try await deactivate(account, change)
    }

    /// Replaces a password. The session that this is done with goes on.
    func setPassword(of account: AccountRecord, to hash: String, endingSessions: Bool) async throws {
        var ended = endingSessions ? AccountService.EndedSessions.all : .none
        if endingSessions, let own = caller.caller, own.userID == account.userID, let device = own.deviceID {
            ended = .allExcept(device)
        }
        try await services.accounts.setPassword(
            of: account.user, to: hash, endingSessions: ended, alongside: noting(.userPassword, account))
    }

    /// Accepts that somebody is an administrator from now on, or is not.
    ///
    /// - Throws: 400 for one's own rights.
    func checkMaySet(_ isAdmin: Bool, of account: AccountRecord) throws {
        if !isAdmin, account.flags.contains(.admin), caller.caller?.userID == account.userID {
            throw MatrixError(400, .unknown, "You cannot take your own rights away")
        }
    }

    /// Makes somebody an administrator, or ends that.
    func setAdmin(_ isAdmin: Bool, of account: AccountRecord) async throws {
        guard isAdmin != account.flags.contains(.admin) else { return }
        try await setFlag(.admin, isAdmin, of: account, as: isAdmin ? .userAdmin : .userUnadmin)
    }

    /// Sets or takes a flag.
    func setFlag(_ flag: AccountFlags, _ isOn: Bool, of account: AccountRecord, as act: AuditedAct) async throws {
        try await services.accounts.setFlags(
            of: account.user, adding: isOn ? flag : [], removing: isOn ? [] : flag, alongside: noting(act, account))
    }

    private func setLock(_ account: AccountRecord, _ change: AccountChange) async throws {
        guard let isLocked = change.isLocked, isLocked != account.flags.contains(.locked) else { return }
        try await setFlag(.locked, isLocked, of: account, as: isLocked ? .userLock : .userUnlock)
    }

    private func setAvatar(_ account: AccountRecord, _ change: AccountChange) async throws {
        guard let url = change.avatarURL else { return }
        try await services.administration.profiles.set(
            ProfileService.avatarField, to: JSONValue.string(url).json, of: account.userID,
            alongside: noting(.userAvatar, account))
    }

    private func setAddresses(_ account: AccountRecord, _ change: AccountChange) async throws {
        guard let wanted = change.addresses else { return }
        let addresses = services.administration.addresses
        let known = Set(try await addresses.addresses(of: account.user).map { ExactString($0.address) })
        for address in known.subtracting(wanted.map { ExactString($0.string) }) {
            try await addresses.remove(
                address.string, of: account.user,
                alongside: noting(.userEmailRemove, account, ["address": .string(address)]))
        }
        for address in wanted where !known.contains(ExactString(address.string)) {
            try await addresses.give(
                address.string, to: account.user,
                alongside: noting(.userEmailAdd, account, ["address": .string(address.string)]))
        }
    }

    private func setExternalIDs(_ account: AccountRecord, _ change: AccountChange) async throws {
        guard let identifiers = change.externalIDs else { return }
        try await services.accounts.setExternalIDs(
            identifiers, of: account.user,
            alongside: noting(
                .userExternalID, account,
                ["providers": .array(identifiers.map { .string($0.provider) })]))
    }

    private func deactivate(_ account: AccountRecord, _ change: AccountChange) async throws {
        guard change.isDeactivated == true, !account.flags.contains(.deactivated) else { return }
        try await services.accounts.deactivate(
            account.user, erase: false, alongside: noting(.userDeactivate, account, ["erase": false]))
    }

    private func hash(_ change: AccountChange) async throws -> String? {
        guard let password = change.password else { return nil }
        return try await services.accounts.hash(newPassword: password)
    }

    private func noting(
        _ act: AuditedAct, _ account: AccountRecord, _ detail: JSONValue = [:]
    ) -> @Sendable (StoreWriter) throws -> Void {
        services.noting(act, on: account.userID.string, by: caller, detail: detail)
    }
}
