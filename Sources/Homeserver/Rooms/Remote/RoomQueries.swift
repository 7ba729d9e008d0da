import Matrix
import RoomEngine
import Store

/// What other servers may ask of rooms: events, states, what allows an event, what came before one.
///
/// Each operation throws 404 `M_NOT_FOUND` for a room that this server is not in, and 403 `M_FORBIDDEN` for a server that the room shuts
/// out.
public struct RoomQueries: Sendable {
    let rooms: RoomService
    let servers: RoomServers
    /// Answers that never change and cost much, by the event they are about.
    private let states = GenerationalCache<EventNumber, StateSummary>(budget: 32 << 20)

    var store: Store { rooms.store }
    private var visibility: EventVisibility { EventVisibility(store: store) }

    /// - Parameters:
    ///   - rooms: The rooms.
    ///   - servers: Knows which servers are in which rooms.
    public init(rooms: RoomService, servers: RoomServers) {
        self.rooms = rooms
        self.servers = servers
    }

    /// Events of one read, so that an answer of any size takes little memory.
    static let pageSize = 250

    // MARK: Who asks

    /// A room about which a server asks.
    struct Asked {
        let room: RoomNumber
        /// Whether the server is in the room now.
        let takesPart: Bool
        /// Until when the server was in the room, if it is not any more.
        var left: StreamPosition?

        /// Whether the server was in the room when this one took in an event: what it could have asked for then it may ask for now.
        func wasThere(at event: StoredEvent) -> Bool {
            guard let left, let position = event.position else { return false }
            return position <= left
        }
    }

    /// The room about which a server asks, unless the room shuts that server out.
    func asked(_ id: RoomID, by server: ServerName) async throws -> Asked {
        guard let room = try await store.number(of: id) else { throw Self.otherRoom }
        var asked = Asked(room: room, takesPart: try await servers.contains(server, in: room))
        if !asked.takesPart { asked.left = try await lastLeaving(of: server, room) }
        // This server may have left since: who was in the room with it, and perhaps came in through it, can have it from nobody else.
        if !asked.takesPart, asked.left == nil, try await !rooms.participates(in: room) { throw Self.otherRoom }
        try await rooms.checkACL(server, in: room)
        return asked
    }

    /// Users of a server that are looked at to see when it left, and memberships that each may have had since.
    private static let maximumLeavers = 20

    /// Where the last user of a server that is not in a room any more left it, or was put out; `nil` if none was ever in it.
    private func lastLeaving(of server: ServerName, _ room: RoomNumber) async throws -> StreamPosition? {
        try await store.read { reader in
            var last: StreamPosition?
            let limit = Self.maximumLeavers
            for number in try reader.serverMembers.memberships(of: server, in: room, limit: limit) {
                var next = try reader.events.event(number)
                for _ in 0..<limit {
                    guard let event = next, let before = try event.replaces.flatMap({ try reader.events.event($0) })
                    else { break }
                    if Membership(of: before.event) == .join {
                        // What is no more than history was no news when it came.
                        if let position = event.position, position.rawValue > 0 {
                            last = max(last ?? position, position)
                        }
                        break
                    }
                    next = before
                }
            }
            return last
        }
    }

    private static let otherRoom = MatrixError.notFound("This server is not in that room")

    /// The room about which a server asks that is in it now.
    ///
    /// - Throws: 403 `M_FORBIDDEN` if it is not.
    func joined(_ id: RoomID, by server: ServerName) async throws -> RoomNumber {
        let asked = try await asked(id, by: server)
        guard asked.takesPart else { throw MatrixError.forbidden("\(server) is not in this room") }
        return asked.room
    }

    // MARK: Single events

    /// One event as a server may see it.
    ///
    /// [GET /event](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1eventeventid)
    ///
    /// - Throws: 404 `M_NOT_FOUND`, also for an event that the server may not see any of.
    public func event(_ id: EventID, for server: ServerName) async throws -> [UInt8] {
        // Who might see a message that was kept when history was removed is not known any more.
        guard let event = try await store.event(id), event.event.isState || event.status != .outlier else {
            throw Self.noEvent
        }
        let asked = try await asked(try await store.room(event.room), by: server)
        guard let text = try await texts(of: [event], asked, for: server).first else { throw Self.noEvent }
        return text
    }

    private static let noEvent = MatrixError.notFound("There is no such event, or it is not for everybody")

    /// Events of one room as a server may see them. To one that is in the room, or was when they came, those that it may not see are
    /// given redacted: it needs to know how they hang together.
    func texts(of events: [StoredEvent], _ asked: Asked, for server: ServerName) async throws -> [[UInt8]] {
        // Who has left is treated as what it was as far as the time goes when it was there.
        let told = asked.takesPart ? [] : Set(events.filter(asked.wasThere).map(\.number))
        let inside = asked.takesPart ? events : events.filter { told.contains($0.number) }
        let outside = asked.takesPart ? [] : events.filter { !told.contains($0.number) }
        let visible =
            try await visibility.visible(inside, toServer: server)
            + visibility.visible(outside, toServer: server, takesPart: false)
        let seen = Set(visible.map(\.number))
        let erased = try await erasedSenders(of: events)
        return try events.compactMap { event in
            let isWhole = seen.contains(event.number)
            guard isWhole || asked.takesPart || told.contains(event.number) else { return nil }
            return isWhole && !erased.contains(event.sender)
                ? event.event.federationBytes : try event.event.redacted().federationBytes
        }
    }

    /// Of those who sent `events`, those who have asked this server to be forgotten.
    private func erasedSenders(of events: [StoredEvent]) async throws -> Set<UserNumber> {
        let name = rooms.serverName
        let own = Set(events.filter { $0.event.sender.isLocal(to: name) }.map(\.sender))
        guard !own.isEmpty else { return [] }
        return try await store.read { reader in
            try own.filter { try reader.accounts.account($0)?.flags.contains(.erased) ?? false }
        }
    }

    // MARK: States

    /// A state and what allows its events: which events, not the events themselves.
    public struct StateSummary: Sendable {
        /// An event.
        public typealias Reference = (number: EventNumber, id: EventID)
        /// The events of the state.
        public let state: [Reference]
        /// The events that allow those, and those that allow these, and so on.
        public let authChain: [Reference]
    }

    /// The state before an event.
    ///
    /// [GET /state](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1stateroomid),
    /// [GET /state_ids](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1state_idsroomid)
    ///
    /// - Throws: 404 `M_NOT_FOUND` for an event whose state is not known.
    public func state(before id: EventID, in room: RoomID, for server: ServerName) async throws -> StateSummary {
        let asked = try await asked(room, by: server)
        guard let event = try await store.event(id), event.room == asked.room, event.status != .rejected,
            let after = event.state
        else { throw MatrixError.notFound("The state at this event is not known here") }
        // Who has left may still lack something of the time when it was there.
        if !asked.takesPart, !asked.wasThere(at: event), try await !servers.contains(server, onBranchOf: event) {
            throw MatrixError.forbidden("\(server) is not in this room")
        }
        guard store.partialJoin(of: asked.room) == nil else {
            throw MatrixError.unavailable("The room's members are not all known here yet; try again")
        }
        if let known = states[event.number] { return known }
        var map = try await store.state(after)
        if let key = event.stateKey { map[key] = event.replaces }
        let numbers = map.map(\.value).sorted()
        let state = try await references(numbers)
        let summary = StateSummary(state: state, authChain: try await authChain(of: numbers, in: asked.room))
        states.insert(event.number, summary, cost: 128 * (summary.state.count + summary.authChain.count) + 128)
        return summary
    }

    /// What allows an event.
    ///
    /// [GET /event_auth](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1event_authroomideventid)
    ///
    /// - Throws: 404 `M_NOT_FOUND` for an event that this room does not have.
    public func authChain(
        of id: EventID, in room: RoomID, for server: ServerName
    ) async throws -> [StateSummary.Reference] {
        let room = try await joined(room, by: server)
        guard let event = try await store.event(id), event.room == room else { throw Self.noEvent }
        return try await authChain(of: [event.number], in: room)
    }

    private func references(_ numbers: [EventNumber]) async throws -> [StateSummary.Reference] {
        var references: [StateSummary.Reference] = []
        references.reserveCapacity(numbers.count)
        for page in numbers.pages(of: 2_000) {
            references += try await store.read { try $0.events.identifiers(of: page) }
        }
        return references
    }

    /// The events that allow those given, and so on, a level in a query. Only their names are kept: there can be tens of thousands.
    private func authChain(of events: [EventNumber], in room: RoomNumber) async throws -> [StateSummary.Reference] {
        var seen: Set<EventID> = []
        var chain: [StateSummary.Reference] = []
        var open = events
        while !open.isEmpty {
            var wanted: [EventID] = []
            for page in open.pages(of: Self.pageSize) {
                for event in try await store.events(page).values {
                    for id in EventOrder.authEvents(of: event.event) where seen.insert(id).inserted {
                        wanted.append(id)
                    }
                }
            }
            open = []
            for page in wanted.pages(of: Self.pageSize) {
                for (id, event) in try await store.events(page) where event.room == room {
                    chain.append((event.number, id))
                    open.append(event.number)
                }
            }
        }
        return chain.sorted { $0.number < $1.number }
    }

    /// The texts of some events, as they are sent to servers that are in the room.
    public func texts(of references: ArraySlice<StateSummary.Reference>) async throws -> [[UInt8]] {
        let events = try await store.events(references.map(\.number))
        return references.compactMap { events[$0.number]?.event.federationBytes }
    }
}

extension Collection {
    /// The elements in stretches of a limited length.
    func pages(of size: Int) -> [[Element]] {
        var pages: [[Element]] = []
        var rest = self[...]
        while !rest.isEmpty {
            pages.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return pages
    }
}
