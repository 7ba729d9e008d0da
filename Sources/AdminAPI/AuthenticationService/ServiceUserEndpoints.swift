import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/mas/query_user?localpart=`: a user.
struct QueryServiceUser: Endpoint {
    static let routes: [Route] = .service(.get, "query_user")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceQuery, caller: Anonymous) async throws -> JSONValue {
        let account = try await users.account(request.localpart)
        let (name, avatar) = try await users.store.read { reader in
            func text(_ field: String) throws -> String? {
                try reader.profiles.field(field, of: account.user).flatMap { try JSON(parsing: $0).string }
            }
            return (try text(ProfileService.displayNameField), try text(ProfileService.avatarField))
        }
        return [
            "user_id": .string(account.userID.string), "display_name": name.json, "avatar_url": avatar.json,
            "is_suspended": .bool(account.flags.contains(.suspended)),
            "is_deactivated": .bool(account.flags.contains(.deactivated)),
        ]
    }
}

/// `GET /_synapse/mas/is_localpart_available?localpart=`: whether an account can be made under a name.
struct CheckServiceLocalpart: Endpoint {
    static let routes: [Route] = .service(.get, "is_localpart_available")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceQuery, caller: Anonymous) async throws -> EmptyResponse {
        try await users.accounts.checkAvailable(users.accounts.userID(forNewName: request.localpart))
        return EmptyResponse()
    }
}

/// `POST /_synapse/mas/delete_user`: ends an account. Body: `localpart`, `erase`.
struct DeleteServiceUser: Endpoint {
    static let routes: [Route] = .service(.post, "delete_user")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> EmptyResponse {
        let erases = try request.body.required("erase", as: .bool)
        let account = try await users.account(request.localpart)
        try await users.accounts.deactivate(
            account.user, erase: erases,
            alongside: users.noting(.userDeactivate, account.userID, request, ["erase": .bool(erases)]))
        return EmptyResponse()
    }
}

/// `POST /_synapse/mas/reactivate_user`: opens an account that was ended; one that is open stays so. Body: `localpart`.
struct ReactivateServiceUser: Endpoint {
    static let routes: [Route] = .service(.post, "reactivate_user")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> EmptyResponse {
        let account = try await users.account(request.localpart)
        guard account.flags.contains(.deactivated) else { return EmptyResponse() }
        try await users.accounts.reactivate(
            account.user, passwordHash: nil, alongside: users.noting(.userReactivate, account.userID, request))
        return EmptyResponse()
    }
}

/// `POST /_synapse/mas/set_displayname`. Body: `localpart`, `displayname`.
struct SetServiceDisplayName: Endpoint {
    static let routes: [Route] = .service(.post, "set_displayname")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> EmptyResponse {
        let name = try request.body.required("displayname", as: .string)
        try await users.setDisplayName(name, of: try await users.account(request.localpart), request)
        return EmptyResponse()
    }
}

/// `POST /_synapse/mas/unset_displayname`. Body: `localpart`.
struct UnsetServiceDisplayName: Endpoint {
    static let routes: [Route] = .service(.post, "unset_displayname")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> EmptyResponse {
        try await users.setDisplayName(nil, of: try await users.account(request.localpart), request)
        return EmptyResponse()
    }
}

/// `POST /_synapse/mas/allow_cross_signing_reset`: lets a user replace their cross-signing keys within ten minutes. Body: `localpart`.
struct AllowServiceKeyReset: Endpoint {
    static let routes: [Route] = .service(.post, "allow_cross_signing_reset")
    static let authentication = Authentication<Anonymous>.authenticationService
    static let rateLimit = RateLimitClass.none

    let users: ServiceUsers

    func handle(_ request: ServiceRequest, caller: Anonymous) async throws -> EmptyResponse {
        let account = try await users.account(request.localpart)
        let until = users.administration.clock.now + DelegatedKeyReplacement.allowedMilliseconds
        let note = users.noting(.userKeyReplacement, account.userID, request)
        try await users.store.write { writer in
            try note(writer)
            try writer.crossSigningKeys.allowReplacement(of: account.user, until: until)
        }
        return EmptyResponse()
    }
}
