import FederationWire
import Homeserver
import Matrix

// Memberships change because somebody waits for it: a server is asked then even if it did not answer a moment ago.
extension FederationClient: RemoteRooms {
    /// Whether a server has not answered lately.
    public func seemsDown(_ server: ServerName) -> Bool { !health.mayAsk(server) }

    /// The beginnings of a membership event that a server in the room would accept.
    public func makeMembership(
        _ membership: RemoteMembership, of user: UserID, in room: RoomID, versions: [RoomVersion], at server: ServerName
    ) async throws(RemoteServerFailure) -> MembershipTemplate {
        let kind: MakeMembershipRequest.Membership =
            switch membership {
            case .join: .join
            case .leave: .leave
            case .knock: .knock
            }
        let template = try await send(
            MakeMembershipRequest(kind, of: user, in: room, versions: versions.map(\.id)), to: server, evenIfDown: true)
        guard let id = template.version else { return MembershipTemplate(version: nil, event: template.event) }
        guard let version = RoomVersion(id: id) else {
            throw RemoteServerFailure(
                status: 400, code: .incompatibleRoomVersion, message: "The room is of a version not known here",
                isAnswer: true, roomVersion: id)
        }
        return MembershipTemplate(version: version, event: template.event)
    }

    /// Hands a join over to a server in the room.
    public func sendJoin(
        _ event: Event, omitsMembers: Bool, at server: ServerName
    ) async throws(RemoteServerFailure) -> RemoteJoin {
        let answer = try await newOrOld(
            SendJoinRequest(event, omitsMembers: omitsMembers),
            SendJoinRequest(event, omitsMembers: false, usesVersion1: true), to: server)
        return RemoteJoin(
            event: answer.event, state: answer.state, authChain: answer.authChain,
            membersOmitted: answer.membersOmitted, serversInRoom: answer.servers
        )
    }

    /// Hands a departure, or the refusal of an invitation, over to a server in the room.
    public func sendLeave(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) {
        try await newOrOld(SendLeaveRequest(event), SendLeaveRequest(event, usesVersion1: true), to: server)
    }

    /// Hands a knock over to a server in the room.
    public func sendKnock(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) -> [JSON] {
        try await send(SendKnockRequest(event), to: server, evenIfDown: true)
    }

    /// Hands an invite over to the invited user's server, which signs it.
    public func sendInvite(
        _ event: Event, strippedState: [[UInt8]], at server: ServerName
    ) async throws(RemoteServerFailure) -> [UInt8] {
        let request = InviteRequest(event, strippedState: strippedState)
        // Only rooms of the first two versions can be meant by a request that names none.
        guard !event.version.eventIDIsHash else { return try await send(request, to: server, evenIfDown: true) }
        return try await newOrOld(
            request, InviteRequest(event, strippedState: strippedState, usesVersion1: true), to: server)
    }

    /// Hands the use of a third-party invite over to a server in the room, which makes an invite of it.
    public func exchangeThirdPartyInvite(
        _ content: [UInt8], in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) {
        try await send(ExchangeThirdPartyInviteRequest(content, in: room), to: server)
    }

    /// Events between those that this server has and those that it wants, oldest first.
    public func missingEvents(
        in room: RoomID, before latest: [EventID], after earliest: [EventID], limit: Int, minimumDepth: Int64,
        at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        let request = MissingEventsRequest(
            in: room, before: latest, after: earliest, limit: limit, minimumDepth: minimumDepth)
        return try await send(request, to: server)
    }

    /// Events at and before `events`, in no particular order.
    public func backfill(
        _ room: RoomID, from events: [EventID], limit: Int, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        try await send(BackfillRequest(room, from: events, limit: limit), to: server)
    }

    /// The identifiers of the state before an event and of its auth chain.
    public func stateIDs(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [EventID], authChain: [EventID]) {
        try await send(StateIDsRequest(before: event, in: room), to: server)
    }

    /// The state before an event and its auth chain.
    public func state(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [[UInt8]], authChain: [[UInt8]]) {
        try await send(StateRequest(before: event, in: room), to: server)
    }

    /// One event.
    public func event(_ id: EventID, at server: ServerName) async throws(RemoteServerFailure) -> [UInt8] {
        try await send(GetEventRequest(id), to: server)
    }

    /// The auth chain of an event.
    public func authChain(
        of event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        try await send(EventAuthRequest(of: event, in: room), to: server)
    }

    /// Makes a request, and where the server does not know it the older one.
    private func newOrOld<Request: FederationRequest>(
        _ new: Request, _ old: Request, to server: ServerName
    ) async throws(RemoteServerFailure) -> Request.Response {
        do {
            return try await send(new, to: server, evenIfDown: true)
        } catch  where error.isUnrecognized {
            return try await send(old, to: server, evenIfDown: true)
        }
    }
}
