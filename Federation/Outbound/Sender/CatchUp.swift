import FederationWire
import Homeserver
import Matrix
import Store

/// Finds in the database what a destination has missed: after an outage, or after this server was stopped.
///
/// Of rooms with little in them everything is sent, in the journal's order and page by page. Of a room with much in it only the
/// newest events are: their receiver sees that others come before them, and asks for those.
struct CatchUp: Sendable {
    let loader: TransactionLoader
    let server: ServerName
    let order: DestinationMachine.Order

    /// How many events are looked at for one transaction; not all of them may concern the destination.
    private static let eventsPerPage = 200
    /// How many receipts are looked at for one transaction.
    private static let receiptsPerPage = 500
    /// How many of a busy room's newest events are looked through for one that concerns the destination.
    private static let newestEvents = 50

    private var store: Store { loader.store }

    /// What the destination has missed first.
    func candidates() async throws -> Candidates {
        var page = Candidates(after: order.after, through: order.through)
        let found = try await store.read { reader in try events(reader) }
        page.through = found.through
        var items = try await concerning(found.all)
        for busy in found.busy { items += try await newest(busy) }

        let shared = try await loader.routes.servers.rooms(sharedWith: server)
        let after = order.after
        let limit = page.through
        let receipts = try await store.read { [loader] reader in
            try reader.outgoing(from: loader.serverName).receipts(
                in: shared, after: after, through: limit, limit: Self.receiptsPerPage)
        }
        if receipts.count == Self.receiptsPerPage, let last = receipts.last { page.through = last.position }
        for receipt in receipts {
            items.append(
                Candidate(position: receipt.position, content: .receipt(try await loader.outgoing(receipt.receipt))))
        }
        let devices = try await loader.announcer.messages(for: server, after: after, through: page.through)
        page.through = min(page.through, devices.through)
        items += devices.messages.map { Candidate(position: $0.key, content: .messages($0.value)) }
        page.items = items.filter { $0.position <= page.through }.sorted { $0.position < $1.position }
        return page
    }

    // MARK: Events

    private struct BusyRoom: Sendable {
        let newest: [OutgoingEventReference]
        let extremities: [EventNumber]
    }

    private struct Found: Sendable {
        /// Events of quiet rooms, in order.
        var all: [OutgoingEventReference] = []
        /// What `all` is complete up to.
        var through: StreamPosition
        var busy: [BusyRoom] = []
    }

    private func events(_ reader: StoreReader) throws -> Found {
        let outgoing = reader.outgoing(from: loader.serverName)
        var found = Found(through: order.through)
        let rooms = try reader.rooms.changed(try reader.serverMembers.rooms(of: server), after: order.after)
        guard !rooms.isEmpty else { return found }
        let counts = try outgoing.counts(in: rooms, for: server, after: order.after, through: order.through)
        let quiet = counts.filter { $0.value <= loader.configuration.missedEventsPerRoom }.map(\.key)
        if !quiet.isEmpty {
            found.all = try outgoing.oldest(
                in: quiet.sorted(), for: server, after: order.after, through: order.through,
                limit: Self.eventsPerPage)
            if found.all.count == Self.eventsPerPage, let last = found.all.last { found.through = last.position }
        }
        for room in counts.keys.sorted() where (counts[room] ?? 0) > loader.configuration.missedEventsPerRoom {
            // After it has left nothing concerns a server any more, until it comes back.
            let left = try reader.serverMembers.left(server, room)
            let newest = try outgoing.newest(
                in: room, for: server, after: order.after, through: min(order.through, left ?? order.through),
                limit: Self.newestEvents)
            found.busy.append(
                BusyRoom(newest: newest, extremities: try reader.rooms.forwardExtremities(room)))
        }
        return found
    }

    /// Those events that the destination has to be sent.
    private func concerning(_ references: [OutgoingEventReference]) async throws -> [Candidate] {
        let events = try await store.events(references.map(\.event))
        var candidates: [Candidate] = []
        for reference in references {
            guard let event = events[reference.event], try await loader.routes.concerns(server, event) else { continue }
            candidates.append(Candidate(position: reference.position, content: .event(event.event.bytes)))
        }
        return candidates
    }

    /// Of a busy room, the newest event that concerns the destination, and those of this server's that nothing builds on.
    private func newest(_ room: BusyRoom) async throws -> [Candidate] {
        let events = try await store.events(room.newest.map(\.event))
        let extremities = Set(room.extremities)
        var candidates: [Candidate] = []
        for reference in room.newest where candidates.isEmpty || extremities.contains(reference.event) {
            guard let event = events[reference.event], try await loader.routes.concerns(server, event) else { continue }
            candidates.append(Candidate(position: reference.position, content: .event(event.event.bytes)))
        }
        return candidates
    }
}
