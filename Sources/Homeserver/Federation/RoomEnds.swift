import Matrix
import Store

/// The ends of a room's graph that this server answers for: what its users have done, and what it has let in for other servers, that
/// nothing is known to follow yet.
///
/// Each of them has been sent to the servers that were known to be in the room. One that was in it without this server knowing, because
/// it came in through another, has them from nobody until somebody follows them.
public struct RoomEnds: Sendable {
    private let store: Store
    private let serverName: ServerName

    /// Ends of a room that are looked at; more than this a room only has while many speak at once.
    public static let maximum = 20

    /// - Parameters:
    ///   - store: Where rooms are.
    ///   - serverName: This server.
    public init(store: Store, serverName: ServerName) {
        self.store = store
        self.serverName = serverName
    }

    /// An end that this server answers for.
    public struct End: Sendable {
        /// The event.
        public let event: StoredEvent
        /// The server for which it was let in.
        public let origin: ServerName?
    }

    /// The ends of a room that this server answers for, the newest ``maximum`` at the most.
    public func ends(of room: RoomNumber) async throws -> [End] {
        let numbers = try await store.read { try $0.rooms.forwardExtremities(room) }.sorted().suffix(Self.maximum)
        let events = try await store.events(Array(numbers)).values.filter { $0.status == .accepted }
        let members = events.filter { $0.event.type == .member }.map(\.number)
        let relays = members.isEmpty ? [:] : try await store.read { try $0.relays.relays(members) }
        return events.sorted { $0.number < $1.number }.compactMap { event in
            if case .onBehalf(let origin) = relays[event.number] { return End(event: event, origin: origin) }
            return event.event.sender.isLocal(to: serverName) ? End(event: event, origin: nil) : nil
        }
    }

    /// How many events that stick are offered at once, the newest: with the ends they must fit into one transaction.
    public static let maximumSticky = 30

    /// What users of this server have said in a room that sticks, the oldest first.
    ///
    /// [MSC4354](https://github.com/matrix-org/matrix-spec-proposals/pull/4354): a server that comes into the room is sent all of it.
    public func sticky(in room: RoomNumber) async throws -> [StoredEvent] {
        let events = try await store.stickyEvents(
            in: [room], after: StreamPosition(0), through: store.journal.end, now: store.lifetimes.now,
            limit: 10 * Self.maximumSticky)
        let own = events.filter { $0.event.sender.isLocal(to: serverName) && $0.status == .accepted }
        return own.suffix(Self.maximumSticky)
    }

    /// The texts of events of one room as a server in it may see them: what was said where it may not see it comes redacted, since it has
    /// to know what follows what.
    ///
    /// [Server behaviour](https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility)
    public func texts(of numbers: [EventNumber], for server: ServerName) async throws -> [[UInt8]] {
        let found = try await store.events(numbers)
        let events = numbers.compactMap { found[$0] }
        let visible = Set(try await EventVisibility(store: store).visible(events, toServer: server).map(\.number))
        let erased = store.erasedUsers
        return try events.map { event in
            let isWhole = visible.contains(event.number) && !erased.contains(event.sender)
            return isWhole ? event.event.federationBytes : try event.event.redacted().federationBytes
        }
    }
}
