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
    ///   - liveKit: Lets people into calls on this server's LiveKit; `nil` if it has none.
    ///   - calls: Starts calls at conference services; `nil` if there are none.
    ///   - serverName: This server.
    ///   - environment: What endpoints have in common.
    public func addCallRoutes(
        turn: TurnService?, transports: [RTCTransport], liveKit: LiveKitAuthorization?, calls: CallService?,
        serverName: ServerName, in environment: EndpointEnvironment
    ) {
        add(GetTurnServer(turn: turn), in: environment)
        add(GetRTCTransports(transports: transports), in: environment)
        if let liveKit {
            add(GetLiveKitToken(liveKit: liveKit), in: environment)
            add(GetLegacyLiveKitToken(liveKit: liveKit), in: environment)
            add(DelegateDelayedLeave(liveKit: liveKit), in: environment)
            add(GetOwnLiveKitToken(liveKit: liveKit, serverName: serverName), in: environment)
            add(DelegateOwnDelayedLeave(liveKit: liveKit), in: environment)
            add(ReceiveLiveKitReport(liveKit: liveKit), in: environment)
        }
        if let calls {
            add(StartCall(calls: calls), in: environment)
            add(GetCall(calls: calls), in: environment)
            add(EndCall(calls: calls), in: environment)
            add(ReceiveConferenceReport(calls: calls), in: environment)
        }
    }
}
