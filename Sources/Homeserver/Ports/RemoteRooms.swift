import Matrix

/// Asks other homeservers about rooms, and takes part in rooms through them.
///
/// Everything that comes back is unchecked: bytes of events as the other server sent them, within the limits of size and number
/// that the adapter holds answers to. Whoever asks checks signatures, hashes and authorization.
/// Each operation throws ``RemoteServerFailure`` if there is no usable answer.
public protocol RemoteRooms: Sendable {
    /// Whether a server has not answered lately: others are asked before it.
    func seemsDown(_ server: ServerName) -> Bool

    /// The beginnings of a membership event that a server in the room would accept.
    ///
    /// [make_join](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_joinroomiduserid),
    /// [make_leave](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_leaveroomiduserid),
    /// [make_knock](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_knockroomiduserid)
    ///
    /// - Parameter versions: The room versions that this server speaks, for joins and knocks.
    func makeMembership(
        _ membership: RemoteMembership, of user: UserID, in room: RoomID, versions: [RoomVersion], at server: ServerName
    ) async throws(RemoteServerFailure) -> MembershipTemplate

    /// Hands a join over to a server in the room.
    ///
    /// [send_join](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid), version 2; where
    /// the server does not know it, version 1.
    ///
    /// - Parameter omitsMembers: Whether the server may leave out memberships that are not needed to check the event.
    func sendJoin(
        _ event: Event, omitsMembers: Bool, at server: ServerName
    ) async throws(RemoteServerFailure) -> RemoteJoin

    /// Hands a departure, or the refusal of an invitation, over to a server in the room.
    ///
    /// [send_leave](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_leaveroomideventid)
    func sendLeave(_ event: Event, at server: ServerName) async throws(RemoteServerFailure)

    /// Hands a knock over to a server in the room.
    ///
    /// [send_knock](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_knockroomideventid)
    ///
    /// - Returns: The room's stripped state: a list of JSON objects.
    func sendKnock(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) -> [JSON]

    /// Hands an invite over to the invited user's server, which signs it.
    ///
    /// [invite](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid), version 2; where the
    /// server does not know it and the room version allows, version 1.
    ///
    /// - Parameter strippedState: What the invited user is told of the room: whole events
    ///   ([MSC4311](https://github.com/matrix-org/matrix-spec-proposals/pull/4311)) or stripped ones, as JSON texts.
    /// - Returns: The event with that server's signature.
    func sendInvite(
        _ event: Event, strippedState: [[UInt8]], at server: ServerName
    ) async throws(RemoteServerFailure) -> [UInt8]

    /// Hands the use of a third-party invite over to a server in the room, which makes an invite of it.
    ///
    /// [exchange_third_party_invite](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid)
    ///
    /// - Parameter content: The JSON text of the request.
    func exchangeThirdPartyInvite(
        _ content: [UInt8], in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure)

    /// Events between those that this server has and those that it wants, oldest first.
    ///
    /// [get_missing_events](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid)
    func missingEvents(
        in room: RoomID, before latest: [EventID], after earliest: [EventID], limit: Int, minimumDepth: Int64,
        at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]]

    /// Events at and before `events`, in no particular order.
    ///
    /// [backfill](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1backfillroomid)
    func backfill(
        _ room: RoomID, from events: [EventID], limit: Int, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]]

    /// The identifiers of the state before an event and of its auth chain.
    ///
    /// [state_ids](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1state_idsroomid)
    func stateIDs(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [EventID], authChain: [EventID])

    /// The state before an event and its auth chain.
    ///
    /// [state](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1stateroomid)
    func state(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [[UInt8]], authChain: [[UInt8]])

    /// One event.
    ///
    /// [event](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1eventeventid)
    func event(_ id: EventID, at server: ServerName) async throws(RemoteServerFailure) -> [UInt8]

    /// The auth chain of an event.
    ///
    /// [event_auth](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1event_authroomideventid)
    func authChain(
        of event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]]
}

/// The memberships that begin at another server.
public enum RemoteMembership: String, Sendable {
    case join, leave, knock
}

/// The beginnings of a membership event.
public struct MembershipTemplate: Sendable {
    /// The room's version; `nil` if the server named none, which means the first one.
    public let version: RoomVersion?
    /// The event, without hashes, signatures and identifier: a JSON object.
    public let event: JSON

    /// A template.
    public init(version: RoomVersion?, event: JSON) {
        self.version = version
        self.event = event
    }
}

/// What a server in the room says to a join.
public struct RemoteJoin: Sendable {
    /// The join event as that server has it, perhaps with its signature; `nil` if it did not send it back.
    public let event: [UInt8]?
    /// The state before the join.
    public let state: [[UInt8]]
    /// The auth chain of the state and of the join.
    public let authChain: [[UInt8]]
    /// Whether memberships have been left out of `state`.
    public let membersOmitted: Bool
    /// The servers in the room, as that server says; empty if it said nothing.
    public let serversInRoom: [ServerName]

    /// An answer.
    public init(
        event: [UInt8]?, state: [[UInt8]], authChain: [[UInt8]], membersOmitted: Bool, serversInRoom: [ServerName]
    ) {
        self.event = event
        self.state = state
        self.authChain = authChain
        self.membersOmitted = membersOmitted
        self.serversInRoom = serversInRoom
    }
}
