import Homeserver
import Matrix
import Store
import Web

/// `POST /_synapse/mas/provision_user`: makes an account (201) or changes it (200). What the body does not name stays as it is.
///
/// Body: `localpart`; of each of `displayname`, `avatar_url` and `emails` either `set_…` or `unset_…`; `locked`.
struct ProvisionServiceUser: Endpoint {
    static let routes: [Route] = .service(.post, "provision_user")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    struct Request: RequestDecodable {
        let service: ServiceRequest
        /// Empty for none.
        let displayName: String?
        /// Empty for none.
        let avatarURL: String?
        let emails: [EmailAddress]?
        let isLocked: Bool?

        init(from input: RequestInput) throws {
            service = try ServiceRequest(from: input)
            let body = service.body
            func unsets(_ name: String) throws -> Bool {
                if body.contains("set_\(name)"), body.contains("unset_\(name)") {
                    throw MatrixError.badJSON("Cannot specify both unset_\(name) and set_\(name)")
                }
                return try body.optional("unset_\(name)", as: .bool, default: false)
            }
            displayName = try unsets("displayname") ? "" : body.optional("set_displayname", as: .string)
            avatarURL = try unsets("avatar_url") ? "" : body.optional("set_avatar_url", as: .string)
            emails =
                try unsets("emails")
                ? []
                : body.optional("set_emails", as: .array(of: .string)).map { texts in
                    try texts.map { text in
                        guard let address = EmailAddress(text) else {
                            throw MatrixError.invalidParameter("\(text) is no mail address")
                        }
                        return address
                    }
                }
            isLocked = try body.optional("locked", as: .bool)
        }
    }

    func handle(_ request: Request, caller: Anonymous) async throws -> StatusAnswer {
        let localpart = request.service.localpart
        guard let user = UserID(localpart: localpart, server: users.accounts.serverName) else {
            throw MatrixError(400, .invalidUsername, "\(localpart) cannot be a user's name")
        }
        var status = 200
        if try await users.store.read({ try $0.accounts.account(user) }) == nil {
            try await make(user, request)
            status = 201
        } else if let name = request.displayName {
            try await users.setDisplayName(name, of: try await users.account(localpart), request.service)
        }
        let account = try await users.account(localpart)
        if let emails = request.emails { try await setEmails(emails, of: account, request.service) }
        if let isLocked = request.isLocked, isLocked != account.flags.contains(.locked) {
            try await users.accounts.setFlags(
                of: account.user, adding: isLocked ? .locked : [], removing: isLocked ? [] : .locked,
                alongside: users.noting(isLocked ? .userLock : .userUnlock, user, request.service))
        }
        if let url = request.avatarURL {
            try await users.administration.profiles.set(
                ProfileService.avatarField, to: JSONValue.string(url).json, of: user,
                alongside: users.noting(.userAvatar, user, request.service))
        }
        return StatusAnswer(status: status, json: [:])
    }

    private func make(_ user: UserID, _ request: Request) async throws {
        let accounts = users.accounts
        guard try accounts.userID(forNewName: user.localpart) == user else {
            throw MatrixError(400, .invalidUsername, "New names have small letters")
        }
        try await accounts.checkAvailable(user)
        let name = request.displayName.flatMap { $0.isEmpty ? nil : $0 }
        _ = try await accounts.create(
            NewAccount(userID: user, passwordHash: nil, displayName: name), device: nil,
            alongside: users.noting(.userCreate, user, request.service, ["admin": false]))
    }

    private func setEmails(
        _ wanted: [EmailAddress], of account: AccountRecord, _ request: ServiceRequest
    ) async throws {
        let addresses = users.administration.addresses
        let known = Set(try await addresses.addresses(of: account.user).map { ExactString($0.address) })
        for address in known.subtracting(wanted.map { ExactString($0.string) }) {
            try await addresses.remove(
                address.string, of: account.user,
                alongside: users.noting(
                    .userEmailRemove, account.userID, request, ["address": .string(address.string)]))
        }
        for address in wanted where !known.contains(ExactString(address.string)) {
            try await addresses.give(
                address.string, to: account.user,
                alongside: users.noting(
                    .userEmailAdd, account.userID, request, ["address": .string(address.string)]))
        }
    }
}
