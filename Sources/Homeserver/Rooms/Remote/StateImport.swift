import Logging
import Matrix
import RoomEngine
import Store

/// Takes a state and its auth chain, as another server gives them, into the store: outside of the graph, each event judged by what it
/// says allows it.
struct StateImport: Sendable {
    let services: RoomWriterServices
    let checker: EventChecker

    /// Events stored in one transaction.
    private static let batchSize = 500

    /// The state that the events make, those left out that are not allowed.
    ///
    /// - Parameters:
    ///   - state: The texts of the state's events.
    ///   - authChain: The texts of events that allow these.
    ///   - room: The room, and its version.
    ///   - number: The room's number in the store. Its row is made if there is none.
    func callAsFunction(
        state: [[UInt8]], authChain: [[UInt8]], room: RoomID, version: RoomVersion, number: RoomNumber
    ) async throws -> StateMap {
        let checked = await checker.check(texts: authChain + state, version: version, room: room)
        var events: [EventID: Event] = [:]
        var stateIDs: [EventID] = []
        for (index, outcome) in checked.enumerated() {
            switch outcome {
            case .success(let event):
                events[event.eventID] = event
                if index >= authChain.count, event.isState { stateIDs.append(event.eventID) }
            case .failure(let flaw):
                services.logger.notice(
                    "an event of a room's state is left out", metadata: ["room": "\(room)", "flaw": "\(flaw)"])
            }
        }
        let stored = try await keep(Array(events.values), room: room, version: version, number: number)
        var map = StateMap()
        for id in stateIDs {
            guard let event = stored[id], event.status != .rejected, let key = event.stateKey else { continue }
            map[key] = event.number
        }
        return map
    }

    /// Stores events that are not known yet outside of the graph, and answers all of them as they are stored. Those that cannot be
    /// judged because something that allows them is missing are left out.
    func keep(
        _ events: [Event], room: RoomID, version: RoomVersion, number: RoomNumber
    ) async throws -> [EventID: StoredEvent] {
        var known = try await services.store.events(events.map(\.eventID)).filter { $0.value.room == number }
        let new = EventOrder.authorization(events.filter { known[$0.eventID] == nil })
        guard !new.isEmpty else { return known }
        // What allows them may be known already.
        let inside = Set(new.map(\.eventID))
        let outside = Set(new.flatMap(EventOrder.authEvents)).subtracting(inside).subtracting(known.keys)
        var judged: [EventID: KnownEvent] = known.mapValues { $0.asKnown }
        for (id, event) in try await services.store.events(outside) {
            // Nothing of another room allows anything here.
            judged[id] = event.room == number ? event.asKnown : .rejected(event.event)
        }
        var kept: [(Event, EventStatus)] = []
        for event in new {
            switch Admission.verdictByAuthEvents(on: event, known: { judged[$0] }) {
            case nil:
                judged[event.eventID] = .accepted(event)
                kept.append((event, .outlier))
            case .needs:
                services.logger.notice(
                    "an event is left out: what allows it is missing",
                    metadata: ["room": "\(room)", "event": "\(event.eventID)"])
            case .some(let verdict):
                services.logger.notice(
                    "an event is not allowed", metadata: ["event": "\(event.eventID)", "verdict": "\(verdict)"])
                judged[event.eventID] = .rejected(event)
                kept.append((event, .rejected))
            }
        }
        for event in try await store(kept, room: room, version: version, number: number) {
            known[event.event.eventID] = event
        }
        return known
    }

    private func store(
        _ events: [(event: Event, status: EventStatus)], room: RoomID, version: RoomVersion, number: RoomNumber
    ) async throws -> [StoredEvent] {
        let store = services.store
        try await store.write { writer in
            if try writer.read.rooms.room(number) == nil { try writer.rooms.insert(number, room, version: version) }
        }
        var stored: [StoredEvent] = []
        let now = services.clock.now
        for start in stride(from: 0, to: events.count, by: Self.batchSize) {
            let batch = events[start..<min(start + Self.batchSize, events.count)]
            let senders = try await store.intern(batch.map(\.event.sender))
            let keys = try await store.intern(batch.compactMap(\.event.state))
            var nextKey = keys.makeIterator()
            var rows: [StoredEvent] = []
            for (item, sender) in zip(batch, senders) {
                rows.append(
                    StoredEvent(
                        number: try await services.eventNumbers.next(), event: item.event, room: number, sender: sender,
                        stateKey: item.event.isState ? nextKey.next() : nil, position: nil, state: nil, replaces: nil,
                        redactedBy: nil, status: item.status, receivedTimestamp: now, transaction: nil
                    ))
            }
            stored += try await insert(rows)
        }
        return stored
    }

    /// Stores events of which others may have been stored meanwhile.
    private func insert(_ rows: [StoredEvent]) async throws -> [StoredEvent] {
        try await services.store.write { writer in
            let ids = rows.map(\.event.eventID)
            let present = Dictionary(
                try writer.read.events.events(ids).map { ($0.event.eventID, $0) },
                uniquingKeysWith: { first, _ in first })
            var stored: [StoredEvent] = []
            for row in rows {
                if let known = present[row.event.eventID] {
                    stored.append(known)
                } else {
                    try writer.events.insert(row)
                    stored.append(row)
                }
            }
            return stored
        }
    }
}

extension StoredEvent {
    /// The event as those that it allows see it.
    var asKnown: KnownEvent { status == .rejected ? .rejected(event) : .accepted(event) }
}
