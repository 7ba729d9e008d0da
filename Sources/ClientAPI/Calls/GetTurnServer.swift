import Homeserver
import Matrix
import Web

/// [GET /voip/turnServer](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver)
struct GetTurnServer: Endpoint {
    static let routes: [Route] = .client(.get, "/voip/turnServer")
    static let authentication: Authentication<Caller> = .allowingGuests

    let turn: TurnService?

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        // Without relays: what clients take for "there are none". An empty list of URIs makes browsers refuse the call.
        guard let turn else { return [:] }
        let credentials = try turn.credentials(for: caller.userID, isGuest: caller.isGuest)
        return [
            "uris": .array(credentials.uris.map { .string($0) }), "username": .string(credentials.username),
            "password": .string(credentials.password), "ttl": .integer(credentials.lifetimeSeconds),
        ]
    }
}

extension Router {
    /// Serves what clients need to call each other.
    ///
    /// - Parameters:
    ///   - turn: Gives access to relays; `nil` if there are none.
    ///   - transports: The services through which people meet in calls of more than two.
    ///   - environment: What endpoints have in common.
    public func addCallRoutes(turn: TurnService?, transports: [RTCTransport], in environment: EndpointEnvironment) {
        add(GetTurnServer(turn: turn), in: environment)
        add(GetRTCTransports(transports: transports), in: environment)
    }
}
