import Homeserver
import Matrix
import Web

/// `POST /_chappe/admin/v1/users/{name}/emails`: gives an address to an account, without asking whether the user reads its mail.
///
/// Body: `address`.
struct AddUserEmail: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/users/{name}/emails")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let name: String
        let address: String

        init(from input: RequestInput) throws {
            name = try input.path("name")
            address = try input.body.required("address", as: .string)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.accounts.required(request.name)
        let address = request.address
        try await services.addresses.give(address, to: account.user) { [audit = services.audit] writer in
            try audit.note(
                .userEmailAdd, by: caller.actor, on: account.userID.string, detail: ["address": .string(address)],
                in: writer)
        }
        return EmptyResponse()
    }
}

/// `DELETE /_chappe/admin/v1/users/{name}/emails/{address}`: takes an address from an account.
struct RemoveUserEmail: Endpoint {
    static let routes = [Route.delete("/_chappe/admin/v1/users/{name}/emails/{address}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: AdministrationServices

    struct Request: RequestDecodable {
        let name: String
        let address: String

        init(from input: RequestInput) throws {
            name = try input.path("name")
            address = try input.path("address")
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let account = try await services.accounts.required(request.name)
        let known = try await services.addresses.addresses(of: account.user)
        let meant = EmailAddress(request.address)?.string
        guard let address = known.first(where: { $0.address == meant })?.address else {
            throw MatrixError.notFound("The account does not have this address")
        }
        try await services.addresses.remove(address, of: account.user) { [audit = services.audit] writer in
            try audit.note(
                .userEmailRemove, by: caller.actor, on: account.userID.string, detail: ["address": .string(address)],
                in: writer)
        }
        return EmptyResponse()
    }
}
