import Matrix
import RoomEngine
import Store

/// What a server in a room answers to one whose user has been let in.
public struct ResidentAnswer: Sendable {
    /// The membership event, with this server's signature where it vouches for it.
    public let event: StoredEvent
    /// The state before the event.
    public let state: [StoredEvent]
    /// The auth chain of the event and of the state.
    public let authChain: [StoredEvent]
    /// Whether memberships have been left out of the state.
    public let membersOmitted: Bool
    /// The servers in the room.
    public let servers: [ServerName]
}

extension RoomService {
    /// Proposes a membership event to the server of a user who wants to enter or leave a room that this server is in.
    ///
    /// [make_join](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_joinroomiduserid),
    /// [make_leave](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_leaveroomiduserid),
    /// [make_knock](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_knockroomiduserid)
    ///
    /// - Parameters:
    ///   - versions: The room versions that the other server knows; `nil` where that does not matter.
    ///   - origin: The other server, which is the user's.
    /// - Throws: 404 `M_NOT_FOUND`, 400 `M_INCOMPATIBLE_ROOM_VERSION`, 403 `M_FORBIDDEN`, 400 `M_UNABLE_TO_GRANT_JOIN`.
    public func membershipTemplate(
        _ membership: RemoteMembership, of user: UserID, in room: RoomID, versions: [String]?, for origin: ServerName
    ) async throws -> MembershipTemplate {
        guard user.server == origin else { throw MatrixError.forbidden("\(user) is no user of \(origin)") }
        let number = try await residentNumber(of: room)
        let lane = lane(number)
        guard let head = try await lane.head() else { throw MatrixError.notFound("There is no such room") }
        if head.isBlocked, membership != .leave { throw MatrixError.roomIsClosed }
        if let versions, !versions.contains(head.version.id) {
            throw MatrixError(
                400, .incompatibleRoomVersion, "The room is of version \(head.version)",
                extra: ["room_version": .string(head.version.id)])
        }
        if membership == .knock, !head.version.knocking {
            throw MatrixError.forbidden("One cannot knock on this room")
        }
        let view = RoomView(head: head, store: store)
        if membership == .leave {
            let current = try await view.membership(of: user)
            guard current == .join || current == .invite || current == .knock else {
                throw MatrixError.forbidden("\(user) is not in this room")
            }
        }
        var content: JSONValue = ["membership": .string(membership.rawValue)]
        if membership == .join { content = try await authorizingJoin(content, ofRemote: user, view) }
        let draft = EventDraft(sender: user, state: .member, key: user.string, content: content)
        return MembershipTemplate(
            version: head.version, event: try await RoomWork(head: head, services: services).template(draft).json)
    }

    /// Lets a membership event that another server has made from a template into the room.
    ///
    /// [send_join](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid),
    /// [send_leave](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_leaveroomideventid),
    /// [send_knock](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_knockroomideventid)
    ///
    /// - Parameters:
    ///   - json: The event.
    ///   - id: The event's identifier, as the request's path gives it; `nil` if what stands there is none.
    ///   - origin: The other server.
    /// - Throws: 400 for what is no such event, 403 `M_FORBIDDEN` if the room does not allow it.
    public func acceptMembership(
        _ membership: RemoteMembership, _ json: JSON, id: EventID?, in room: RoomID, from origin: ServerName
    ) async throws -> StoredEvent {
        let federation = try requireFederation()
        let number = try await residentNumber(of: room)
        let lane = lane(number)
        guard let head = try await lane.head() else { throw MatrixError.notFound("There is no such room") }
        let event = try await checkedMembership(membership, json, id: id, room: room, from: origin, head, federation)
        let arrival = Arrival(event: event, receivedTimestamp: services.clock.now)
        let fetcher = MissingEventsFetcher(services: services, remote: federation.remote, checker: federation.checker)
        let admitted: Admitted?
        do {
            admitted = try await fetcher.admit(arrival, to: lane, from: origin, relay: .onBehalf(of: origin))
        } catch is OutOfReach {
            throw MatrixError.outOfReach
        }
        switch admitted {
        case .known(let stored) where stored.status == .accepted: return stored
        case .decided(let stored, .accepted):
            // As it is stored, with its states.
            return try await store.event(stored.number) ?? stored
        case .decided(_, .softFailed(let rejection)), .decided(_, .rejected(let rejection)):
            throw MatrixError(rejection)
        case .known, .decided, nil: throw MatrixError.forbidden("The room does not allow this event")
        }
    }

    private func checkedMembership(
        _ membership: RemoteMembership, _ json: JSON, id: EventID?, room: RoomID, from origin: ServerName,
        _ head: RoomHead, _ federation: RoomFederation
    ) async throws -> Event {
        var event: Event
        do { event = try Event(json, version: head.version) } catch { throw MatrixError(error) }
        guard event.eventID == id else {
            throw MatrixError.invalidParameter("The path and the event name different events")
        }
        guard event.roomID == room else { throw MatrixError.badJSON("The event is of another room") }
        guard event.type == .member, event.membership.flatMap({ Membership(name: $0) })?.rawValue == membership.rawValue
        else { throw MatrixError.badJSON("This is no \(membership.rawValue) event") }
        guard event.stateKey == ExactString(event.sender.string) else {
            throw MatrixError.badJSON("The event is about somebody else than its sender")
        }
        guard event.sender.server == origin else { throw MatrixError.forbidden("The sender is no user of \(origin)") }
        let authorizer = event.content["join_authorised_via_users_server"]?.string.flatMap { UserID($0) }
        if membership == .join, head.version.restrictedJoins, let authorizer, authorizer.isLocal(to: serverName) {
            // This server vouches for the join: it must be as if a user of its own joined.
            let view = RoomView(head: head, store: store)
            let content = try await authorizingJoin(["membership": "join"], ofRemote: event.sender, view)
            if content["join_authorised_via_users_server"] != nil {
                do { event = try event.signed(by: serverName, key: services.signingKey) } catch {
                    throw MatrixError(error)
                }
            }
        }
        switch await federation.checker.check(event) {
        case .success(let checked): return checked
        case .failure(let flaw): throw MatrixError.forbidden("The event's signatures are not in order: \(flaw)")
        }
    }

    /// What the server of a user who has just been let in has to know of the room.
    ///
    /// - Parameter omitsMembers: Whether memberships may be left out that are not needed to check the event.
    public func residentAnswer(to event: StoredEvent, omitsMembers: Bool) async throws -> ResidentAnswer {
        guard let after = event.state else { throw MatrixError.notFound("The event is not part of the room") }
        var map = try await store.state(after)
        if let key = event.stateKey { map[key] = event.replaces }
        var state = try await store.events(map.map(\.value)).values.sorted { $0.number < $1.number }
        var authChain = try await authChain(of: state + [event])
        var isShortened = false
        if omitsMembers {
            let kept = try await heroes(of: event.room)
            let count = state.count
            state.removeAll { $0.event.type == .member && !kept.contains($0.number) }
            isShortened = state.count < count
            authChain = try await self.authChain(of: state + [event])
        }
        let servers = try await store.read { try $0.memberships.servers(in: event.room, limit: .max) }
        return ResidentAnswer(
            event: event, state: state, authChain: authChain, membersOmitted: isShortened, servers: servers)
    }

    /// Memberships by which clients name a room that has no name.
    private func heroes(of room: RoomNumber) async throws -> Set<EventNumber> {
        try await store.read { reader in
            var events: Set<EventNumber> = []
            for membership in [Membership.join, .invite] {
                for user in try reader.memberships.users(in: room, membership, limit: 6) {
                    if let record = try reader.memberships.membership(of: user, in: room) {
                        events.insert(record.event)
                    }
                }
            }
            return events
        }
    }

    /// The events that allow those given, and those that allow these, and so on: none of the given ones unless it allows another. What
    /// allows an event comes before it, for servers that take them in as they come.
    ///
    /// [Auth chains](https://spec.matrix.org/v1.19/server-server-api/#auth-chain)
    public func authChain(of events: [StoredEvent]) async throws -> [StoredEvent] {
        var chain: [EventID: StoredEvent] = [:]
        var open = events
        while !open.isEmpty {
            let wanted = Set(open.flatMap { EventOrder.authEvents(of: $0.event) }).filter { chain[$0] == nil }
            open = []
            for (id, event) in try await store.events(wanted) where event.room == events.first?.room {
                chain[id] = event
                open.append(event)
            }
        }
        return chain.values.sorted { $0.number < $1.number }
    }

    /// Refuses a server that a room shuts out.
    ///
    /// - Throws: 403 `M_FORBIDDEN`; 404 `M_NOT_FOUND` if this server does not know the room.
    public func checkACL(_ server: ServerName, in room: RoomID) async throws {
        try await checkACL(server, in: try await residentNumber(of: room))
    }

    /// What somebody who is not in a room is told of it.
    ///
    /// [Stripped state](https://spec.matrix.org/v1.19/client-server-api/#stripped-state)
    public func strippedEvents(of room: RoomID) async throws -> [Event] {
        let view = try await view(try await number(of: room))
        var events: [Event] = []
        for key in Self.strippedKeys { if let event = try await view.event(key) { events.append(event.event) } }
        return events
    }

    /// The number of a room that this server is in.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func residentNumber(of room: RoomID) async throws -> RoomNumber {
        guard let number = try await store.number(of: room), try await participates(in: number) else {
            throw MatrixError.notFound("This server is not in that room")
        }
        // Who asks about a room is to be told all of it.
        try await awaitCompletion(of: number)
        return number
    }

    /// In a restricted room: names a user of this server who could have invited the one who joins.
    private func authorizingJoin(
        _ content: JSONValue, ofRemote user: UserID, _ view: RoomView
    ) async throws -> JSONValue {
        let number = try await store.intern(user)
        return try await authorizingJoin(content, of: Requester(id: user, number: number), view)
    }
}

extension RoomWork {
    /// A draft as it would be built on top of the room as it is, for another server to finish.
    ///
    /// - Throws: `MatrixError` if it is not allowed.
    func template(_ draft: EventDraft) async throws -> JSONValue {
        let (builder, authState) = try await builder(for: draft)
        try authorize(builder, authState)
        return builder.template
    }
}
