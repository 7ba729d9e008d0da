import Logging
import Matrix
import RoomEngine
import Store

/// Walks through spaces and what is in them, here and on other servers.
///
/// [Spaces](https://spec.matrix.org/v1.19/client-server-api/#spaces)
public final class SpaceHierarchy: Sendable {
    let rooms: RoomService
    let servers: RoomServers?
    let remote: (any RemoteHierarchies)?
    let clock: any Clock
    let scheduler: any Scheduler
    let randomness: any Randomness
    let logger: Logger
    /// What is told of rooms that this server is in, good as long as they have the state it was taken from.
    private let local = GenerationalCache<RoomNumber, (place: WorkingState.Place, summary: SpaceRoom)>(budget: 2_000)
    /// What other servers have told, by the rooms they have told of.
    let answers = GenerationalCache<RemoteSpaceKey, RemoteSpace>(budget: 20_000)
    let flights = SingleFlight<RemoteSpaceKey, RemoteSpace?>()
    /// Walks that are to go on, by their tokens.
    let walks = GenerationalCache<ExactString, SpaceWalk>(budget: 100_000)

    var store: Store { rooms.store }

    /// - Parameters:
    ///   - rooms: The rooms.
    ///   - servers: Knows which servers are in which rooms; `nil` for a server that is alone.
    ///   - remote: Asks other servers; `nil` for a server that is alone.
    public init(
        rooms: RoomService, servers: RoomServers?, remote: (any RemoteHierarchies)?, clock: any Clock,
        scheduler: any Scheduler, randomness: any Randomness, logger: Logger
    ) {
        self.rooms = rooms
        self.servers = servers
        self.remote = remote
        self.clock = clock
        self.scheduler = scheduler
        self.randomness = randomness
        self.logger = logger
    }

    // MARK: Rooms of this server

    /// What is told of a room, if this server is in it.
    func localSummary(of id: RoomID) async throws -> (number: RoomNumber, summary: SpaceRoom)? {
        guard let number = try await store.number(of: id), try await rooms.participates(in: number) else { return nil }
        let view = try await rooms.view(number)
        if view.head.isBlocked { return nil }
        if let known = local[number], known.place == view.head.place { return (number, known.summary) }
        let childEvents = try await childEvents(of: view)
        let summary = try await SpaceRoom(view, room: id, childEvents: childEvents)
        local.insert(number, (view.head.place, summary))
        return (number, summary)
    }

    private func childEvents(of view: RoomView) async throws -> [StoredEvent] {
        guard try await view.event(StateKey(.create))?.event.content["type"]?.string == "m.space" else { return [] }
        let entries = view.head.state.map { ($0.key, $0.value) }
        let numbers = try await store.read { reader in
            try entries.filter { try reader.identifiers.stateKey($0.0).type == .spaceChild }.map(\.1)
        }
        return try await store.events(numbers).values.sorted { $0.number < $1.number }
    }

    // MARK: Who may see

    /// Whether a user may see what is told of a room.
    func isVisible(_ summary: SpaceRoom, to user: Requester) async throws -> Bool {
        if summary.isOpen { return true }
        let candidates = [summary.room] + (summary.isRestricted ? summary.allowedRooms : [])
        return try await store.read { reader in
            for (index, room) in candidates.enumerated() {
                guard let number = try reader.identifiers.number(of: room),
                    let membership = try reader.memberships.membership(of: user.number, in: number)?.membership
                else { continue }
                // Members of the rooms that are named, and those of the room itself and who is invited there.
                if membership == .join || (index == 0 && membership == .invite) { return true }
            }
            return false
        }
    }

    /// Whether a server may see what is told of a room that this server is in.
    private func isVisible(_ summary: SpaceRoom, _ room: RoomNumber, to server: ServerName) async throws -> Bool {
        guard try await rooms.permits(server, in: room) else { return false }
        if summary.isOpen { return true }
        guard let servers else { return false }
        if try await servers.contains(server, in: room) { return true }
        for allowed in summary.isRestricted ? summary.allowedRooms : [] {
            if let number = try await store.number(of: allowed), try await rooms.participates(in: number),
                try await servers.contains(server, in: number)
            {
                return true
            }
        }
        return try await store.read { reader in
            try reader.serverMembers.users(of: [server], in: room).prefix(100).contains { member in
                try reader.memberships.membership(of: member.user, in: room)?.membership == .invite
            }
        }
    }

    // MARK: What other servers ask

    /// A space as a server is told of it.
    public struct ServerAnswer: Sendable {
        /// The space.
        public let room: SpaceRoom
        /// The rooms in it that the server may see.
        public let children: [SpaceRoom]
        /// The rooms in it that it may not see.
        public let inaccessible: [RoomID]
    }

    private static let maximumChildrenForServers = 200

    /// A space and what is in it, as far as a server may see that.
    ///
    /// [GET /hierarchy](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid)
    ///
    /// - Throws: 404 `M_NOT_FOUND` if this server is not in the room, or the other server may not see it.
    public func answer(
        to server: ServerName, about room: RoomID, suggestedOnly: Bool
    ) async throws -> ServerAnswer {
        guard let (number, summary) = try await localSummary(of: room),
            try await isVisible(summary, number, to: server)
        else { throw MatrixError.notFound("This room is not known here, or not for everybody") }
        var children: [SpaceRoom] = []
        var inaccessible: [RoomID] = []
        for child in summary.children(suggestedOnly: suggestedOnly).prefix(Self.maximumChildrenForServers) {
            // Of rooms that this server is not in, others can tell more.
            guard let (number, summary) = try await localSummary(of: child.room) else { continue }
            if try await isVisible(summary, number, to: server) {
                children.append(summary)
            } else {
                inaccessible.append(child.room)
            }
        }
        return ServerAnswer(room: summary, children: children, inaccessible: inaccessible)
    }
}
