import Homeserver
import Logging
import Matrix
import Store

/// What a stretch of the journal holds for other servers.
struct DispatchedBatch: Sendable {
    /// Where the stretch begins: the last position before it.
    var after: StreamPosition
    /// Where it ends.
    var through: StreamPosition
    /// What the servers have to be told, in order.
    var items: [ServerName: [OutgoingItem]] = [:]
    /// Servers for which there is something that has to be looked up: where the first and the last of it is.
    var unread: [ServerName: ClosedRange<StreamPosition>] = [:]
    /// Users whose presence the servers have to be told.
    var presence: [ServerName: Set<UserNumber>] = [:]

    mutating func add(_ item: OutgoingItem, for servers: some Sequence<ServerName>) {
        for server in servers { items[server, default: []].append(item) }
    }

    mutating func add(_ offers: [ServerName: [EventNumber]], at position: StreamPosition) {
        for (server, events) in offers { add(OutgoingItem(position: position, content: .offer(events)), for: [server]) }
    }
}

/// Goes through the journal, entry by entry, and finds out which servers each one concerns.
actor JournalDispatcher {
    private let store: Store
    private let routes: EventRoutes
    private let offers: EndOffers
    private let announcer: DeviceAnnouncer
    private let sendsPresence: Bool
    private let logger: Logger
    private var position: StreamPosition

    /// How many entries are looked at before what they hold is handed on.
    private static let batchSize = 500

    /// - Parameter position: Everything before or at it has been looked at.
    init(
        store: Store, routes: EventRoutes, offers: EndOffers, announcer: DeviceAnnouncer, sendsPresence: Bool,
        position: StreamPosition, logger: Logger
    ) {
        self.store = store
        self.routes = routes
        self.offers = offers
        self.announcer = announcer
        self.sendsPresence = sendsPresence
        self.position = position
        self.logger = logger
    }

    /// The next stretch of the journal, or `nil` if there is nothing new. Only one caller at a time.
    func next() async throws -> DispatchedBatch? {
        let end = store.journal.end
        guard position < end else { return nil }
        let through = min(end, StreamPosition(position.rawValue + Int64(Self.batchSize)))
        var batch = DispatchedBatch(after: position, through: through)
        if let entries = store.journal.entries(after: position, through: through) {
            try await dispatch(entries, into: &batch)
        } else {
            let rows = try await store.read { [position] in try $0.journal.rows(after: position, limit: Self.batchSize)
            }
            guard let last = rows.last else { return nil }
            batch.through = last.position
            try await dispatch(rows, into: &batch)
        }
        position = batch.through
        return batch
    }

    /// Entries that are in memory.
    private func dispatch(_ entries: [JournalEntry], into batch: inout DispatchedBatch) async throws {
        let relays = try await relays(
            entries.compactMap { entry in if case .event(let event, _) = entry.change { event } else { nil } })
        for entry in entries {
            switch entry.change {
            case .event(let event, let subject):
                let servers = try await destinations(of: event, relays[event.number])
                batch.add(OutgoingItem(position: entry.position, content: .event(event)), for: servers)
                if subject != nil { batch.add(try await offers.offers(after: event), at: entry.position) }
                if sendsPresence, let subject { try await introduce(subject, event, into: &batch) }
            case .receipt(let receipt):
                guard receipt.type == "m.read", receipt.userID.isLocal(to: routes.serverName) else { continue }
                let servers = try await routes.servers.servers(in: receipt.room).filter(routes.accepts)
                batch.add(OutgoingItem(position: entry.position, content: .receipt(receipt)), for: servers)
            case .deviceList(let user):
                let servers = try await announce(user, at: entry.position)
                batch.add(OutgoingItem(position: entry.position, content: .devices), for: servers)
            case .presence(let user):
                guard sendsPresence else { continue }
                for server in try await servers(interestedIn: user) { batch.presence[server, default: []].insert(user) }
            case .memberships(let room, let users):
                batch.add(try await offers.offers(in: room, users: users, store), at: entry.position)
            case .accountData, .toDevice, .deviceListView, .oneTimeKeys, .threadSubscription: continue
            }
        }
    }

    /// Entries that are only in the database: from before a start, or more than the memory holds.
    private func dispatch(_ rows: [JournalRow], into batch: inout DispatchedBatch) async throws {
        let numbers = rows.compactMap { row in if case .event(let event, _) = row.subject { event } else { nil } }
        let events = try await store.events(numbers)
        let relays = try await relays(Array(events.values))
        for row in rows {
            var servers: Set<ServerName> = []
            switch row.subject {
            case .event(let number, _):
                guard let event = events[number] else { continue }
                servers = try await destinations(of: event, relays[number])
                servers.formUnion(try await offers.offers(after: event).keys)
            case .memberships(let room): servers.formUnion(try await offers.offers(in: room, users: nil, store).keys)
            case .receipt(let user, let room, let type):
                guard type == "m.read", try await store.user(user).isLocal(to: routes.serverName) else { continue }
                servers = try await routes.servers.servers(in: room).filter(routes.accepts)
            case .deviceList(let user): servers = try await announce(user, at: row.position)
            case .presence(let user):
                guard sendsPresence else { continue }
                // What is told is what it is by now.
                for server in try await self.servers(interestedIn: user) {
                    batch.presence[server, default: []].insert(user)
                }
            case .toDevice, .oneTimeKeys, .other: continue
            }
            for server in servers {
                batch.unread[server] = (batch.unread[server]?.lowerBound ?? row.position)...row.position
            }
        }
    }

    /// How those of the events are relayed that are not simply sent by their sender's server: only memberships can be.
    private func relays(_ events: [StoredEvent]) async throws -> [EventNumber: EventRelay] {
        let members = events.filter { $0.event.type == .member }.map(\.number)
        guard !members.isEmpty else { return [:] }
        return try await store.read { try $0.relays.relays(members) }
    }

    private func destinations(of event: StoredEvent, _ relay: EventRelay?) async throws -> Set<ServerName> {
        guard event.status == .accepted else { return [] }
        switch relay {
        case nil:
            // What came from elsewhere is sent on by the server it came from.
            guard event.event.sender.isLocal(to: routes.serverName) else { return [] }
            return try await routes.destinations(of: event)
        case .onBehalf(let origin): return try await routes.destinations(of: event).subtracting([origin])
        case .handedOver: return []
        }
    }

    /// Who meets in a room hears who is there: of a user of this server that comes in, the servers in the room; of
    /// those who are in it, the server of a user that comes in.
    private func introduce(
        _ user: UserNumber, _ event: StoredEvent, into batch: inout DispatchedBatch
    ) async throws {
        guard Membership(of: event.event) == .join, let id = event.event.stateKey.flatMap({ UserID($0.string) }) else {
            return
        }
        if let before = event.replaces, let known = try await store.event(before), Membership(of: known.event) == .join
        {
            return
        }
        if id.isLocal(to: routes.serverName) {
            for server in try await routes.servers.servers(in: event.room).filter(routes.accepts) {
                batch.presence[server, default: []].insert(user)
            }
        } else if routes.accepts(id.server) {
            let users = try await store.read { [routes] reader in
                try reader.presence.notOffline(
                    in: event.room, of: routes.serverName, limit: DestinationMachine.maximumMomentary)
            }
            if !users.isEmpty { batch.presence[id.server, default: []].formUnion(users) }
        }
    }

    private func servers(interestedIn user: UserNumber) async throws -> Set<ServerName> {
        guard try await store.user(user).isLocal(to: routes.serverName) else { return [] }
        return try await routes.servers.servers(sharingRoomsWith: user).filter(routes.accepts)
    }

    /// Finds out what has changed about a user's devices, if there is anyone to tell.
    private func announce(_ user: UserNumber, at position: StreamPosition) async throws -> Set<ServerName> {
        let servers = try await servers(interestedIn: user)
        if !servers.isEmpty { try await announcer.record(user, try await store.user(user), at: position) }
        return servers
    }
}
