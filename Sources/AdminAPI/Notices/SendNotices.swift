import Homeserver
import Matrix
import Store
import Web

/// `POST /_chappe/admin/v1/notices`: says something to users for the server.
///
/// Body: `users` (localparts or user IDs, 100 at the most), `content`. Answer: `sent` (the event by user), `failed` (the reason by user).
struct SendNotices: Endpoint {
    static let routes: [Route] = [.post("/_chappe/admin/v1/notices")]
    static let authentication: Authentication<Operator> = .administering
    static let rateLimit: RateLimitClass = .none

    private static let maximumUsers = 100

    /// `nil` where the server does not speak to its users.
    let notices: ServerNotices?
    let services: AdministrationServices

    struct Request: RequestDecodable {
        let users: [String]
        let content: JSON

        init(from input: RequestInput) throws {
            let body = try input.body
            users = try body.required("users", as: .array(of: .string))
            content = try body.required("content", as: .rawObject)
            guard users.count <= SendNotices.maximumUsers else {
                throw MatrixError.invalidParameter("\(SendNotices.maximumUsers) users at the most")
            }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        guard let notices else {
            throw MatrixError(400, .unknown, "Server notices are not set up: see server_notices in the configuration")
        }
        let users = request.users
        try await services.store.write { [audit = services.audit] writer in
            let detail: JSONValue = ["users": .array(users.map { .string($0) })]
            try audit.note(.noticeSend, by: caller.actor, on: nil, detail: detail, in: writer)
        }
        var sent: JSONValue = [:]
        var failed: JSONValue = [:]
        for name in request.users {
            do {
                let user = try await services.accounts.required(name).userID
                sent[user.string] = .string(try await notices.send(request.content, to: user).string)
            } catch let error as MatrixError where error.status < 500 {
                failed[name] = .string(error.message)
            }
        }
        return ["sent": sent, "failed": failed]
    }
}
