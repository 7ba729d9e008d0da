import Homeserver
import Matrix
import Store
import Web

/// `PATCH`-like `POST /_chappe/admin/v1/users/{name}`: changes an account. What the body does not name stays as it is.
///
/// Body: `password` (ends all sessions), `displayname` (empty for none), `admin`, `locked`, `suspended`, `shadow_banned`; `deactivated: true`
/// ends the account, with `erase: true` its profile goes too; `deactivated: false` opens it again, with the password, if one is given.
struct UpdateUser: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/users/{name}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    /// What can be set, what the audit trail calls it, and what it calls the contrary.
    private struct Switch: Sendable {
        let name: String
        let flag: AccountFlags
        let on: AuditedAct
        let off: AuditedAct
    }

    private static let switches = [
        Switch(name: "admin", flag: .admin, on: .userAdmin, off: .userUnadmin),
        Switch(name: "locked", flag: .locked, on: .userLock, off: .userUnlock),
        Switch(name: "suspended", flag: .suspended, on: .userSuspend, off: .userUnsuspend),
        Switch(name: "shadow_banned", flag: .shadowBanned, on: .userShadowBan, off: .userUnshadowBan),
    ]

    struct Request: RequestDecodable {
        let name: String
        let password: String?
        let displayName: String?
        let flags: [AccountFlags: Bool]
        let isDeactivated: Bool?
        let erases: Bool

        init(from input: RequestInput) throws {
            name = try input.path("name")
            let body = try input.body
            password = try body.optional("password", as: .string)
            displayName = try body.optional("displayname", as: .string)
            var flags: [AccountFlags: Bool] = [:]
            for known in UpdateUser.switches { flags[known.flag] = try body.optional(known.name, as: .bool) }
            self.flags = flags
            isDeactivated = try body.optional("deactivated", as: .bool)
            erases = try body.optional("erase", as: .bool) ?? false
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.accounts.required(request.name)
        var hash: String?
        if let password = request.password { hash = try await services.accounts.hash(newPassword: password) }
        if request.isDeactivated == false {
            try await services.accounts.reactivate(
                account.user, passwordHash: hash, alongside: noting(.userReactivate, account, caller))
        } else if let hash {
            try await services.accounts.setPassword(
                of: account.user, to: hash, endingSessions: .all, alongside: noting(.userPassword, account, caller))
        }
        if let name = request.displayName {
            try await services.profiles.set(
                ProfileService.displayNameField, to: JSONValue.string(name).json, of: account.userID,
                alongside: noting(.userDisplayName, account, caller))
        }
        try await set(request.flags, of: account, caller)
        if request.isDeactivated == true {
            try await services.accounts.deactivate(
                account.user, erase: request.erases,
                alongside: noting(.userDeactivate, account, caller, detail: ["erase": .bool(request.erases)]))
        }
        return EmptyResponse()
    }

    private func set(_ flags: [AccountFlags: Bool], of account: AccountRecord, _ caller: Operator) async throws {
        let changes = Self.switches.compactMap { known in flags[known.flag].map { (known, $0) } }
        guard !changes.isEmpty else { return }
        try await services.accounts.setFlags(
            of: account.user, adding: AccountFlags(changes.filter(\.1).map(\.0.flag)),
            removing: AccountFlags(changes.filter { !$0.1 }.map(\.0.flag))
        ) { [audit = services.audit] writer in
            for (known, isOn) in changes {
                try audit.note(
                    isOn ? known.on : known.off, by: caller.actor, on: account.userID.string, in: writer)
            }
        }
    }

    private func noting(
        _ act: AuditedAct, _ account: AccountRecord, _ caller: Operator, detail: JSONValue = [:]
    ) -> @Sendable (StoreWriter) throws -> Void {
        { [audit = services.audit] writer in
            try audit.note(act, by: caller.actor, on: account.userID.string, detail: detail, in: writer)
        }
    }
}
