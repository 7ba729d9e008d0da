import Logging
import Matrix
import RoomEngine
import Store
import Synchronization

/// What rooms need of other servers.
public struct RoomFederation: Sendable {
    /// Asks other servers about rooms.
    public let remote: any RemoteRooms
    /// Asks rooms' policy servers; without it none is asked, and rooms that have one count as having none.
    public let policyServers: (any PolicyServers)?
    /// Checks what they answer.
    public let checker: EventChecker
    /// Comes back to what could not be had.
    let scheduler: any Scheduler

    /// What rooms need of other servers.
    public init(
        remote: any RemoteRooms, policyServers: (any PolicyServers)? = nil, keys: any ServerKeys,
        scheduler: any Scheduler
    ) {
        self.remote = remote
        self.scheduler = scheduler
        self.policyServers = policyServers
        checker = EventChecker(keys: keys)
    }
}

extension RoomService {
    /// Whether a user of this server is in a room.
    public func participates(in room: RoomNumber) async throws -> Bool {
        try await participation.contains(room)
    }

    /// What is needed to reach other servers.
    ///
    /// - Throws: 403 `M_FORBIDDEN` if this server does not federate.
    func requireFederation() throws -> RoomFederation {
        guard let federation else { throw MatrixError.forbidden("This server does not federate") }
        return federation
    }

    /// The servers that may help to enter a room, most promising first.
    func helpers(_ via: [ServerName], room: RoomID, user: Requester) async throws -> [ServerName] {
        var servers = via
        if let number = try await store.number(of: room) {
            let record = try await store.read { try $0.memberships.membership(of: user.number, in: number) }
            if let record, record.membership == .invite, let invite = try await store.event(record.event) {
                servers.insert(invite.event.sender.server, at: 0)
            }
            servers += try await store.read { try $0.memberships.servers(in: number, limit: 20) }
            // Of a room that this server is not in it knows only who has made the state that it was told.
            if let told = try await store.read({ try $0.graph.strippedState(of: number, for: user.number) }),
                let events = try? JSON(parsing: told)
            {
                servers += events.elements.compactMap { $0["sender"]?.string.flatMap { UserID($0) }?.server }
            }
        }
        if let server = room.server { servers.append(server) }
        var seen: Set<ServerName> = [serverName]
        return Array(servers.filter { seen.insert($0).inserted }.prefix(Self.maximumHelpers))
    }

    /// Servers that are asked to help to enter a room before giving up.
    private static let maximumHelpers = 10

    /// Joins a room through another server.
    ///
    /// [Joining rooms](https://spec.matrix.org/v1.19/server-server-api/#joining-rooms)
    ///
    /// - Throws: What the last server said that refused; 404 `M_NOT_FOUND` if none is known; 502 if none could be reached.
    ///
    /// - Parameter isInside: Whether this server is in the room and only lacks somebody who could let the user in.
    func joinRemotely(
        _ room: RoomID, via: [ServerName], by user: Requester, content: JSONValue, isInside: Bool = false
    ) async throws {
        let federation = try requireFederation()
        try await checkOpen(room)
        if store.shadowBannedUsers.contains(user.id) { return }
        // A large room takes a while to check: other requests are not to wait for it on the event loop.
        let work = Task.detached { [self] in
            try await enterRemotely(room, via: via, by: user, content: content, isInside: isInside, federation)
        }
        try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            work.cancel()
        }
    }

    private func enterRemotely(
        _ room: RoomID, via: [ServerName], by user: Requester, content: JSONValue, isInside: Bool,
        _ federation: RoomFederation
    ) async throws {
        let servers = try await helpers(via, room: room, user: user)
        // Two users who come at the same time come one after the other: the second finds this server in the room.
        try await entering.alone(room) { [self] in
            let known = try await store.number(of: room)
            if !isInside, let known, try await participates(in: known) {
                do { return try await joinLocally(room, known, by: user, content: content) } catch is NotInside {}
            }
            if !isInside, let known { try await completeEarlierStay(in: known) }
            try await trying(servers) { server in
                let template = try await federation.remote.makeMembership(
                    .join, of: user.id, in: room, versions: RoomVersion.all, at: server)
                let event = try build(template, .join, of: user.id, in: room, content: content)
                // From here on others may send what happens in the room.
                let entry = isInside ? nil : try await numberForEntering(room, version: event.version)
                if let entry { entries.begin(entry) }
                defer { if let entry { entries.end(entry) } }
                async let isReady: Void = federation.checker.prepare(for: server)
                let answer = try await federation.remote.sendJoin(event, omitsMembers: !isInside, at: server)
                await isReady
                if isInside {
                    try await takeIn(event, answer, from: server, federation)
                } else {
                    try await enter(room, with: event, of: user, answer, from: server, federation)
                }
            }
        }
    }

    /// Knocks on a room of which this server is not part.
    ///
    /// [Knocking](https://spec.matrix.org/v1.19/server-server-api/#knocking-upon-a-room)
    func knockRemotely(_ room: RoomID, via: [ServerName], by user: Requester, content: JSONValue) async throws {
        let federation = try requireFederation()
        try await checkOpen(room)
        if store.shadowBannedUsers.contains(user.id) { return }
        let servers = try await helpers(via, room: room, user: user)
        try await trying(servers) { server in
            let versions = RoomVersion.all.filter(\.knocking)
            let template = try await federation.remote.makeMembership(
                .knock, of: user.id, in: room, versions: versions, at: server)
            let event = try build(template, .knock, of: user.id, in: room, content: content)
            let state = try await federation.remote.sendKnock(event, at: server)
            try await keepOutside(event, of: user.number, stripped: Self.strippedState(state.map { Array($0.bytes) }))
        }
    }

    /// Declines an invitation to a room of which this server is not part, or takes back a knock.
    ///
    /// [Leaving rooms](https://spec.matrix.org/v1.19/server-server-api/#leaving-rooms-rejecting-invites)
    func leaveRemotely(_ room: RoomID, by user: Requester, content: JSONValue) async throws {
        let servers = try await helpers([], room: room, user: user)
        do {
            let federation = try requireFederation()
            try await trying(servers) { server in
                let template = try await federation.remote.makeMembership(
                    .leave, of: user.id, in: room, versions: [], at: server)
                let event = try build(template, .leave, of: user.id, in: room, content: content)
                try await federation.remote.sendLeave(event, at: server)
                try await keepOutside(event, of: user.number, stripped: nil)
            }
        } catch let error as MatrixError {
            services.logger.info(
                "a departure could not be told to the room's servers",
                metadata: ["room": "\(room)", "error": "\(error.message)"])
            try await leaveAlone(room, by: user, content: content)
        }
    }

    /// Lets a user leave a room whose servers cannot be reached: only this server knows of it.
    private func leaveAlone(_ room: RoomID, by user: Requester, content: JSONValue) async throws {
        let number = try await number(of: room)
        guard let record = try await store.read({ try $0.memberships.membership(of: user.number, in: number) }),
            let current = try await store.event(record.event)
        else { throw MatrixError.forbidden("You are not in this room") }
        let version = current.event.version
        var builder = EventBuilder(
            version: version, roomID: room, type: .member, stateKey: ExactString(user.id.string), sender: user.id,
            content: content, originServerTS: services.clock.now, depth: current.event.depth + 1,
            prevEvents: [current.event.eventID], authEvents: [current.event.eventID], origin: serverName
        )
        builder.referenceHashes[current.event.eventID] = current.event.referenceHash()
        if version.eventIDFormat == .chosenByServer { builder.eventIDToken = services.randomness.text(18) }
        try await keepOutside(try sign(builder), of: user.number, stripped: nil)
    }

    // MARK: Parts

    /// Tries servers one after the other until one helps, those last that have not answered lately.
    private func trying(
        _ servers: [ServerName], _ body: (ServerName) async throws -> Void
    ) async throws {
        let remote = try requireFederation().remote
        var (up, down): ([ServerName], [ServerName]) = ([], [])
        for server in servers {
            if remote.seemsDown(server) { down.append(server) } else { up.append(server) }
        }
        var refusal: MatrixError?
        for server in up + down {
            do {
                return try await body(server)
            } catch let failure as RemoteServerFailure {
                services.logger.info(
                    "a server did not help with a room",
                    metadata: ["server": "\(server)", "status": "\(failure.status)", "error": "\(failure.message)"])
                if failure.isDefinite { refusal = MatrixError(failure) }
            } catch let error as MatrixError where error.status < 500 {
                refusal = error
            }
        }
        if let refusal { throw refusal }
        if servers.isEmpty { throw MatrixError.notFound("No server is known that is in this room") }
        throw MatrixError.notFound("No server that is in this room could be reached")
    }

    /// Makes the event that a template proposes.
    private func build(
        _ template: MembershipTemplate, _ membership: Membership, of user: UserID, in room: RoomID, content: JSONValue
    ) throws -> Event {
        let version = template.version ?? .v1
        let proposed = template.event
        guard proposed["type"]?.string == EventType.member.string, proposed["state_key"]?.string == user.string,
            proposed["content"]?["membership"]?.string == membership.rawValue,
            proposed["room_id"]?.string == room.string
        else { throw MatrixError(502, .unknown, "The room's server proposed another event than was asked for") }
        var content = content
        if let authorizer = proposed["content"]?["join_authorised_via_users_server"]?.string {
            content["join_authorised_via_users_server"] = .string(authorizer)
        }
        var builder = EventBuilder(
            version: version, roomID: room, type: .member, stateKey: ExactString(user.string), sender: user,
            content: content, originServerTS: services.clock.now, depth: 0, origin: serverName
        )
        do { try builder.follow(template: proposed) } catch {
            throw MatrixError(502, .unknown, "The room's server proposed a malformed event: \(error)")
        }
        if version.eventIDFormat == .chosenByServer { builder.eventIDToken = services.randomness.text(18) }
        return try sign(builder)
    }

    private func sign(_ builder: EventBuilder) throws -> Event {
        do { return try builder.build(serverName: serverName, signer: services.signingKey) } catch {
            throw MatrixError(error)
        }
    }

    /// Takes a room over from a server that has let a user of ours in.
    private func enter(
        _ room: RoomID, with event: Event, of user: Requester, _ answer: RemoteJoin, from server: ServerName,
        _ federation: RoomFederation
    ) async throws {
        // The rest is asked for while what was told is taken in.
        let rest =
            answer.membersOmitted
            ? EarlyStateRequest(before: event.eventID, in: room, at: server, federation.remote) : nil
        var isEntered = false
        defer { if !isEntered { rest?.cancel() } }
        let number = try await numberForEntering(room, version: event.version)
        let version = event.version
        let stateImport = StateImport(services: services, checker: federation.checker)
        let state = try await stateImport(
            state: answer.state, authChain: answer.authChain, room: room, version: version, number: number)
        // A server that authorizes a restricted join adds its signature.
        var join = event
        if let text = answer.event,
            case .success(let signed)? = await federation.checker.check(texts: [text], version: version, room: room)
                .first, signed.eventID == event.eventID
        {
            join = signed
        }
        guard let key = try await store.number(of: StateKey(.create)), let create = state[key],
            let created = try await store.event(create),
            ExactString(created.event.content["room_version"]?.string ?? "1") == ExactString(version.id)
        else { throw MatrixError(502, .unknown, "The room's server gave a state without a matching creation") }
        let succession = try await succession(created.event, of: room, for: user)
        let lane = lane(number)
        lane.prepare(RoomHead(new: number, id: room, version: version))
        let entering = join
        let now = services.clock.now
        let stored = try await lane.perform { work in
            try await work.enter(
                entering, stateBefore: state, isPartial: answer.membersOmitted, receivedTimestamp: now)
        } alongside: { writer, number in
            // What invitations told is not needed any more, and those that the room knows nothing of have come to nothing.
            try writer.graph.removeStrippedStates(of: number)
            let join = try writer.read.events.event(entering.eventID)
            let known = state.map(\.value) + [join?.number].compactMap { $0 }
            let strangers = try writer.memberships.removeAll(in: number, except: known)
            if !strangers.isEmpty {
                let position = try writer.journal.append(.memberships(number, of: strangers))
                try Self.note(strangers, by: state, in: number, at: position, writer)
            }
            try succession?(writer, number)
            guard answer.membersOmitted, let join else {
                try writer.graph.setComplete(number)
                return
            }
            try writer.graph.setPartial(
                PartialJoin(room: number, event: join.number, via: server, servers: answer.serversInRoom))
        }
        isEntered = true
        if answer.membersOmitted { Task { _ = await partialRooms.complete(number, self, rest: rest) } }
        services.logger.info(
            "a room has been entered", metadata: ["room": "\(room)", "event": "\(stored.event.eventID)"])
    }

    /// Notes of users of a room what its state says: of these something else was noted, such as an invitation that they have rejected
    /// without the room's hearing of it.
    private static func note(
        _ users: [UserNumber], by state: StateMap, in room: RoomNumber, at position: StreamPosition,
        _ writer: StoreWriter
    ) throws {
        for user in users {
            let key = StateKey.member(try writer.read.identifiers.user(user))
            guard let number = try writer.read.identifiers.number(of: key), let event = state[number],
                let stored = try writer.read.events.event(event), let membership = Membership(of: stored.event)
            else { continue }
            try writer.memberships.set(membership, of: user, in: room, event: event, position: position)
        }
    }

    /// Takes in the join of a user of ours that another server has let in, to a room that this server is in.
    private func takeIn(
        _ event: Event, _ answer: RemoteJoin, from server: ServerName, _ federation: RoomFederation
    ) async throws {
        let number = try await number(of: event.roomID)
        guard let text = answer.event,
            case .success(let signed)? = await federation.checker.check(
                texts: [text], version: event.version, room: event.roomID
            ).first, signed.eventID == event.eventID
        else { throw MatrixError(502, .unknown, "The room's server did not sign the join") }
        let fetcher = MissingEventsFetcher(services: services, remote: federation.remote, checker: federation.checker)
        let arrival = Arrival(event: signed, receivedTimestamp: services.clock.now)
        let admitted: Admitted?
        do {
            admitted = try await fetcher.admit(arrival, to: lane(number), from: server, relay: .handedOver)
        } catch is OutOfReach {
            throw MatrixError.outOfReach
        }
        guard case .decided(_, .accepted)? = admitted else {
            throw MatrixError.forbidden("The room does not allow this join")
        }
    }

    private func numberForEntering(_ room: RoomID, version: RoomVersion) async throws -> RoomNumber {
        if let number = try await store.number(of: room) { return number }
        let number = RoomNumber(try await services.eventNumbers.next().rawValue)
        return try await store.write { writer in
            if let known = try writer.read.identifiers.number(of: room) { return known }
            try writer.rooms.insert(number, room, version: version)
            return number
        }
    }

    /// For how long whoever comes back waits for what is not known of an earlier stay, in milliseconds.
    private static let earlierStayMilliseconds: Int64 = 3_600_000

    /// What was built on a part of the state must not stay so when the room is entered anew: then nobody would come back to it.
    private func completeEarlierStay(in room: RoomNumber) async throws {
        guard let partial = store.partialJoin(of: room), let join = try await store.event(partial.event) else { return }
        do { try await awaitCompletion(of: room) } catch {
            // Those who know it may be gone for good.
            if services.clock.now < join.receivedTimestamp + Self.earlierStayMilliseconds { throw error }
        }
    }

    /// Keeps a membership of a room of which this server is not part, and tells the user's clients.
    func keepOutside(_ event: Event, of user: UserNumber, stripped: [UInt8]?) async throws {
        let membership = Membership(of: event) ?? .leave
        let known = try await store.number(of: event.roomID)
        let number: RoomNumber
        if let known { number = known } else { number = RoomNumber(try await services.eventNumbers.next().rawValue) }
        let eventNumber = try await services.eventNumbers.next()
        let key = try await store.intern([StateKey(.member, event.stateKey?.string ?? "")])[0]
        let now = services.clock.now
        let local = serverName
        try await store.write { writer in
            if try writer.read.rooms.room(number) == nil {
                try writer.rooms.insert(number, event.roomID, version: event.version)
            }
            if try writer.read.events.event(event.eventID)?.position != nil { return }
            // Meanwhile this server may have come in: then its state says who is a member.
            if try writer.read.memberships.hasJoined(from: local, in: number) { return }
            let replaces = try writer.read.memberships.membership(of: user, in: number)?.event
            let position = try writer.journal.reserve(1)
            let stored = StoredEvent(
                number: try writer.read.events.event(event.eventID)?.number ?? eventNumber, event: event, room: number,
                sender: try writer.identifiers.intern(event.sender), stateKey: key, position: position, state: nil,
                replaces: replaces, redactedBy: nil, status: .outlier, receivedTimestamp: now, transaction: nil
            )
            try writer.events.insert(stored)
            try writer.memberships.set(membership, of: user, in: number, event: stored.number, position: position)
            if let stripped { try writer.graph.setStrippedState(stripped, of: number, for: user) }
            try writer.journal.append(.event(stored, subject: user), at: position)
        }
    }

    /// A JSON array of stripped events, of as many as are believed to be needed, from texts that may be whole events.
    static func strippedState(_ texts: [[UInt8]]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginArray()
        for text in texts.prefix(100) {
            guard let event = try? JSON(parsing: text), let type = event["type"]?.string,
                let key = event["state_key"]?.string, let sender = event["sender"]?.string, UserID(sender) != nil,
                let content = event["content"], content.isObject
            else { continue }
            writer.beginObject()
            writer.member("type", type)
            writer.member("state_key", key)
            writer.member("sender", sender)
            writer.member("content", content)
            writer.endObject()
        }
        writer.endArray()
        return writer.bytes
    }
}

extension MatrixError {
    /// What a client is told of another server's refusal.
    init(_ failure: RemoteServerFailure) {
        self.init(failure.status, failure.code ?? .unknown, failure.message)
        // What a client is to tell its user of a room that this server cannot enter.
        if code == .incompatibleRoomVersion, let version = failure.roomVersion, version.utf8.count <= 255 {
            extra["room_version"] = .string(version)
        }
    }
}

/// Lets things that concern the same room happen one after the other.
final class RoomGate: Sendable {
    private let queues = Mutex<[RoomID: [CheckedContinuation<Void, Never>]]>([:])

    func alone<T>(_ room: RoomID, _ body: () async throws -> T) async throws -> T {
        await withCheckedContinuation { continuation in
            let isFree = queues.withLock { queues in
                guard queues[room] != nil else {
                    queues[room] = []
                    return true
                }
                queues[room]?.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
        defer {
            let next = queues.withLock { queues -> CheckedContinuation<Void, Never>? in
                guard queues[room]?.isEmpty == false else {
                    queues[room] = nil
                    return nil
                }
                return queues[room]?.removeFirst()
            }
            next?.resume()
        }
        return try await body()
    }
}
