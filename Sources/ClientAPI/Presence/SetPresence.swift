import Homeserver
import Matrix
import Web

/// [PUT /presence/{userId}/status](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3presenceuseridstatus): sets the caller's
/// presence.
struct SetPresence: Endpoint {
    static let routes: [Route] = .client(.put, "/presence/{userId}/status")
    static let authentication: Authentication<Caller> = .required

    let presence: PresenceService

    struct Request: RequestDecodable {
        let owner: OwnerPath
        let state: PresenceStatus.State
        let statusMessage: String?

        init(from input: RequestInput) throws {
            owner = try OwnerPath(from: input)
            let body = try input.body
            state = try body.required("presence", as: .presence)
            statusMessage = try body.optional("status_msg", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await presence.set(
            try request.owner.checked(caller), request.state, statusMessage: request.statusMessage)
        return EmptyResponse()
    }
}

extension JSONForm where Value == PresenceStatus.State {
    /// A presence state by its name.
    fileprivate static var presence: Self {
        Self("online, offline or unavailable") { $0.string.flatMap { PresenceStatus.State(name: $0) } }
    }
}
