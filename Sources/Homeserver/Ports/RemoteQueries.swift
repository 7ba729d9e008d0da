import Matrix

/// Asks another server for all devices of one of its users.
public protocol RemoteDevices: Sendable {
    /// A user's devices, as that user's server tells them.
    ///
    /// - Returns: The body that
    ///   [GET /user/devices](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid) answers: it is about
    ///   that user and has `stream_id` and `devices`; what the devices say of themselves is unchecked.
    func devices(of user: UserID) async throws(RemoteServerFailure) -> JSON
}

/// Asks other servers about spaces.
public protocol RemoteHierarchies: Sendable {
    /// A space and its children.
    ///
    /// - Returns: The body that
    ///   [GET /hierarchy](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid) answers: it is about
    ///   that room, and all rooms are described as they must be; `children_state` is unchecked.
    func hierarchy(
        of room: RoomID, suggestedOnly: Bool, at server: ServerName
    ) async throws(RemoteServerFailure) -> JSON
}

/// Asks other servers which event is nearest to a time.
public protocol RemoteTimestamps: Sendable {
    /// The event nearest to a time.
    ///
    /// [GET /timestamp_to_event](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid)
    ///
    /// - Parameters:
    ///   - timestamp: The time, in milliseconds since 1970.
    ///   - searchesForward: Whether the event is to be at or after that time; else at or before it.
    /// - Returns: The event and its time, unchecked.
    func event(
        nearestTo timestamp: Int64, searchesForward: Bool, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (event: EventID, originServerTS: Int64)
}

/// Asks other servers whose an OpenID token is.
public protocol RemoteIdentities: Sendable {
    /// The user of the server asked that the token was made by.
    ///
    /// [GET /openid/userinfo](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo)
    func user(ofOpenIDToken token: String, at server: ServerName) async throws(RemoteServerFailure) -> UserID
}

/// Asks rooms' policy servers.
public protocol PolicyServers: Sendable {
    /// The signatures of a policy server on an event, unverified; none if it does not recommend the event.
    ///
    /// [POST /sign](https://spec.matrix.org/v1.19/server-server-api/#post_matrixpolicyv1sign)
    func signatures(on event: Event, by server: ServerName) async throws(RemoteServerFailure) -> [SigningKeyID: [UInt8]]
}
