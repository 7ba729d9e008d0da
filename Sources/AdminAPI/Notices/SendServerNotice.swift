import Homeserver
import Matrix
import Store
import Web

/// POST /_synapse/admin/v1/send_server_notice, PUT /_synapse/admin/v1/send_server_notice/{txnId}: says something to a user for the server, as
/// [Synapse](https://element-hq.github.io/synapse/latest/admin_api/server_notices.html) has it.
struct SendServerNotice: Endpoint {
    static let routes: [Route] = [
        .post("/_synapse/admin/v1/send_server_notice"), .put("/_synapse/admin/v1/send_server_notice/{txnId}"),
    ]
    static let authentication: Authentication<Operator> = .administering

    /// `nil` where the server does not speak to its users.
    let notices: ServerNotices?
    let services: AdministrationServices

    struct Request: RequestDecodable {
        let user: UserID
        let type: EventType
        let stateKey: String?
        let content: JSON
        let transactionID: String?

        init(from input: RequestInput) throws {
            let body = try input.body
            user = try body.required("user_id", as: .identifier)
            content = try body.required("content", as: .rawObject)
            type = EventType(try body.optional("type", as: .string) ?? EventType.message.string)
            stateKey = try body.optional("state_key", as: .string)
            transactionID = input.request.pathParameters["txnId"]
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        guard let notices else { throw MatrixError(400, .unknown, "Server notices are not set up on this server") }
        let user = request.user.string
        try await services.store.write { [audit = services.audit] writer in
            try audit.note(.noticeSend, by: caller.actor, on: user, in: writer)
        }
        let event = try await notices.send(
            request.content, type: request.type, stateKey: request.stateKey, transactionID: request.transactionID,
            to: request.user)
        return ["event_id": .string(event.string)]
    }
}
