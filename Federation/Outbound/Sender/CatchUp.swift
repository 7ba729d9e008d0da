import Homeserver
import Matrix
import Store

/// Finds in the database what a destination has missed: after an outage, or after this server was stopped.
///
/// Of rooms with little in them everything is sent, in the journal's order and page by page. Of a room with much in it
/// only the newest events are: their receiver sees that others come before them, and asks for those.
struct CatchUp: Sendable {
    let loader: TransactionLoader
    let server: ServerName
    let after: StreamPosition
    let through: StreamPosition

    /// How many events are looked at for one page; not all of them may concern the destination.
    private static let eventsPerPage = 500
    /// How many rooms that the destination has come into are looked at for one page.
    private static let roomsPerPage = 500
    /// How many receipts are looked at for one page.
    private static let receiptsPerPage = 500
    /// How many of a busy room's newest events are looked at together for one that concerns the destination.
    private static let newestEvents = 50

    private var store: Store { loader.store }

    /// What the destination has missed first.
    func page() async throws -> DestinationMachine.Page {
        let found = try await store.read { reader in try events(reader) }
        var page = DestinationMachine.Page(items: [], through: found.through)
        for reference in found.quiet {
            // What has been looked at so far may be all that is kept in memory.
            guard page.items.count < loader.configuration.itemsInMemory else {
                page.through = StreamPosition(reference.position.rawValue - 1)
                break
            }
            if let item = try await concerning(reference) { page.items.append(item) }
        }
        for room in found.busy { page.items += try await newest(in: room) }
        try await addOffers(to: &page)
        try await addReceipts(to: &page)
        let (places, complete) = try await loader.announcer.places(for: server, after: after, through: page.through)
        page.through = min(page.through, complete)
        page.items += places.map { OutgoingItem(position: $0, content: .devices) }
        page.items = page.items.filter { $0.position <= page.through }.sorted { $0.position < $1.position }
        return page
    }

    /// Of rooms in which it has turned out meanwhile that the destination is there: what it was not sent before.
    private func addOffers(to page: inout DestinationMachine.Page) async throws {
        let entered = try await store.read { [page] reader in
            try reader.serverMembers.entered(by: server, after: after, through: page.through, limit: Self.roomsPerPage)
        }
        if entered.count == Self.roomsPerPage, let last = entered.last { page.through = last.position }
        for (room, position) in entered {
            let offers = try await loader.offers.offers(in: room, to: [server])
            guard let events = offers[server] else { continue }
            page.items.append(OutgoingItem(position: position, content: .offer(events)))
        }
    }

    private func addReceipts(to page: inout DestinationMachine.Page) async throws {
        let shared = try await loader.routes.servers.rooms(sharedWith: server)
        let receipts = try await store.read { [page] reader in
            try reader.outgoing(from: loader.serverName).receipts(
                in: shared, after: after, through: page.through, limit: Self.receiptsPerPage)
        }
        if receipts.count == Self.receiptsPerPage, let last = receipts.last { page.through = last.position }
        page.items += receipts.map { OutgoingItem(position: $0.position, content: .receipt($0.receipt)) }
    }

    // MARK: Events

    private struct Found: Sendable {
        /// Events of quiet rooms, in order.
        var quiet: [OutgoingEventReference] = []
        /// What `quiet` is complete up to.
        var through: StreamPosition
        var busy: [RoomNumber] = []
    }

    private func events(_ reader: StoreReader) throws -> Found {
        let outgoing = reader.outgoing(from: loader.serverName)
        var found = Found(through: through)
        let rooms = try reader.rooms.changed(try reader.serverMembers.rooms(of: server), after: after)
        guard !rooms.isEmpty else { return found }
        let counts = try outgoing.counts(in: rooms, for: server, after: after, through: through)
        let quiet = counts.filter { $0.value <= loader.configuration.missedEventsPerRoom }.map(\.key)
        if !quiet.isEmpty {
            found.quiet = try outgoing.oldest(
                in: quiet.sorted(), for: server, after: after, through: through, limit: Self.eventsPerPage)
            if found.quiet.count == Self.eventsPerPage, let last = found.quiet.last { found.through = last.position }
        }
        found.busy = counts.filter { $0.value > loader.configuration.missedEventsPerRoom }.map(\.key).sorted()
        return found
    }

    /// The event, if the destination has to be sent it.
    private func concerning(_ reference: OutgoingEventReference) async throws -> OutgoingItem? {
        guard let event = try await store.event(reference.event), try await loader.routes.concerns(server, event) else {
            return nil
        }
        return OutgoingItem(position: reference.position, content: .event(event))
    }

    /// Of a busy room, the newest event that concerns the destination, and those beside it that nothing builds on.
    private func newest(in room: RoomNumber) async throws -> [OutgoingItem] {
        let (left, extremities) = try await store.read { reader in
            (try reader.serverMembers.left(server, room), Set(try reader.rooms.forwardExtremities(room)))
        }
        // After it has left nothing concerns a server any more, until it comes back.
        var end = min(through, left ?? through)
        // Of what it has missed, that which sticks is not left to be asked for.
        var sticky: [OutgoingItem] = []
        for event in try await loader.offers.ends.sticky(in: room) {
            guard let position = event.position, position > after, position <= end,
                try await loader.routes.concerns(server, event)
            else { continue }
            sticky.append(OutgoingItem(position: position, content: .event(event)))
        }
        while true {
            let page = try await store.read { [end] reader in
                try reader.outgoing(from: loader.serverName).newest(
                    in: room, for: server, after: after, through: end, limit: Self.newestEvents)
            }
            var items: [OutgoingItem] = []
            for reference in page where items.isEmpty || extremities.contains(reference.event) {
                if let item = try await concerning(reference) { items.append(item) }
            }
            guard items.isEmpty, page.count == Self.newestEvents, let last = page.last else {
                let told = Set(items.map(\.position))
                return sticky.filter { !told.contains($0.position) } + items
            }
            end = StreamPosition(last.position.rawValue - 1)
        }
    }
}
