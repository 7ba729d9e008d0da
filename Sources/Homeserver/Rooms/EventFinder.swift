import Logging
import Matrix
import Store

/// Finds events by their time.
///
/// [GET /timestamp_to_event](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event)
public struct EventFinder: Sendable {
    private let rooms: RoomService
    private let queries: RoomQueries?
    private let remote: (any RemoteTimestamps)?
    private let logger: Logger

    private var store: Store { rooms.store }
    private var visibility: EventVisibility { EventVisibility(store: store) }

    /// Events that are looked at because the nearest ones are not for everybody.
    private static let pageSize = 50
    private static let maximumPages = 10
    /// Servers that are asked, and stretches of history that are fetched to get at what they name.
    private static let maximumServers = 3
    private static let maximumFetches = 10

    /// - Parameters:
    ///   - queries: Answers other servers; `nil` for a server that is alone.
    ///   - remote: Asks other servers; `nil` for a server that is alone.
    public init(rooms: RoomService, queries: RoomQueries?, remote: (any RemoteTimestamps)?, logger: Logger) {
        self.rooms = rooms
        self.queries = queries
        self.remote = remote
        self.logger = logger
    }

    /// Which event is wanted.
    public struct Query: Sendable {
        /// The room.
        public let room: RoomID
        /// The time, in milliseconds since 1970.
        public let timestamp: Int64
        /// Whether the event is to be at or after that time; else at or before it.
        public let searchesForward: Bool

        /// A query.
        public init(room: RoomID, timestamp: Int64, searchesForward: Bool) {
            self.room = room
            self.timestamp = timestamp
            self.searchesForward = searchesForward
        }

        func isNearer(_ time: Int64, than other: Int64) -> Bool {
            searchesForward ? time >= timestamp && time < other : time <= timestamp && time > other
        }
    }

    /// The event nearest to a time that a user may see. Where this server does not have the history, others are asked.
    ///
    /// - Throws: 403 `M_FORBIDDEN`; 404 `M_NOT_FOUND` if there is none.
    public func event(_ query: Query, by user: Requester) async throws -> StoredEvent {
        let room = try await rooms.number(of: query.room)
        _ = try await rooms.readableState(room, by: user)
        func look() async throws -> StoredEvent? {
            try await nearest(query, in: room) {
                try await visibility.visible($0, in: room, to: user.number, id: user.id)
            }
        }
        let local = try await look()
        guard try await isAtGap(local, query, room), try await fetch(query, room, local) else {
            guard let local else { throw Self.none }
            return local
        }
        guard let found = try await look() else { throw Self.none }
        return found
    }

    /// The event nearest to a time that a server may see.
    ///
    /// - Throws: 403 `M_FORBIDDEN` for a server that is not in the room; 404 `M_NOT_FOUND` if there is none.
    public func event(_ query: Query, for server: ServerName) async throws -> StoredEvent {
        guard let queries else { throw MatrixError.unrecognized }
        let room = try await queries.joined(query.room, by: server)
        let found = try await nearest(query, in: room) { try await visibility.visible($0, toServer: server) }
        guard let found else { throw Self.none }
        return found
    }

    private static let none = MatrixError.notFound("There is no event at that time")

    /// The nearest event that this server has, of those that may be seen.
    private func nearest(
        _ query: Query, in room: RoomNumber, seen: ([StoredEvent]) async throws -> [StoredEvent]
    ) async throws -> StoredEvent? {
        for page in 0..<Self.maximumPages {
            let numbers = try await store.read { reader in
                try reader.events.nearest(
                    to: query.timestamp, in: room, searchesForward: query.searchesForward, limit: Self.pageSize,
                    offset: page * Self.pageSize)
            }
            let events = try await store.events(numbers)
            if let found = try await seen(numbers.compactMap { events[$0] }).first { return found }
            if numbers.count < Self.pageSize { return nil }
        }
        return nil
    }

    // MARK: Other servers

    /// Whether there may be a nearer event that this server does not have: if the next event that it has builds on unknown ones.
    private func isAtGap(_ local: StoredEvent?, _ query: Query, _ room: RoomNumber) async throws -> Bool {
        guard remote != nil, try await rooms.participates(in: room) else { return false }
        let (hasGap, next) = try await store.read { reader in
            (
                try !reader.graph.backwardExtremities(of: room, limit: 1).isEmpty,
                try reader.events.nearest(to: query.timestamp, in: room, searchesForward: true, limit: 1, offset: 0)
            )
        }
        guard hasGap else { return false }
        guard local != nil else { return true }
        guard let next = try await store.events(next).values.first else { return false }
        let known = try await store.events(next.event.prevEvents)
        return !next.event.prevEvents.allSatisfy { known[$0]?.isInGraph == true }
    }

    /// Asks other servers, and fetches history until what they name is there.
    ///
    /// - Returns: Whether there is more than before.
    private func fetch(_ query: Query, _ room: RoomNumber, _ local: StoredEvent?) async throws -> Bool {
        guard let remote else { return false }
        let own = rooms.serverName
        let servers = try await store.read { try $0.memberships.servers(in: room, limit: 20) }.filter { $0 != own }
        let limit = local?.event.originServerTS ?? (query.searchesForward ? .max : .min)
        for server in servers.prefix(Self.maximumServers) {
            do throws(RemoteServerFailure) {
                let found = try await remote.event(
                    nearestTo: query.timestamp, searchesForward: query.searchesForward, in: query.room, at: server)
                guard query.isNearer(found.originServerTS, than: limit) else { continue }
                return await fetchHistory(of: room, until: found.event)
            } catch {
                logger.info(
                    "a server does not tell which event is nearest to a time",
                    metadata: ["room": "\(query.room)", "server": "\(server)", "error": "\(error.message)"])
            }
        }
        return false
    }

    private func fetchHistory(of room: RoomNumber, until event: EventID) async -> Bool {
        var isMore = false
        do {
            for _ in 0..<Self.maximumFetches {
                if try await store.event(event)?.position != nil { return true }
                guard try await rooms.fetchHistory(of: room) else { return isMore }
                isMore = true
            }
        } catch {
            logger.info("history cannot be fetched", metadata: ["room": "\(room)", "error": "\(error)"])
        }
        return isMore
    }
}
