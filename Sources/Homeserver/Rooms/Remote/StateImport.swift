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
    private static let batchSize = 1_000

    /// The events of a state and of its auth chain, each checked by itself.
    private struct Checked {
        var events: [EventID: Event] = [:]
        /// Those of the state.
        var state: [EventID] = []
    }

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
        let checked = try await check(state: state, authChain: authChain, room: room, version: version, number: number)
        return try await take(checked, room: room, version: version, number: number)
    }

    /// Checks format, signatures and hashes. Events that are stored already have been checked then, and it is what is stored that counts:
    /// of a room that was entered before all its members were known most of the state is given twice.
    private func check(
        state: [[UInt8]], authChain: [[UInt8]], room: RoomID, version: RoomVersion, number: RoomNumber
    ) async throws -> Checked {
        var outcomes = await checker.parse(texts: authChain + state, version: version, room: room)
        let known = try await services.store.events(outcomes.compactMap { try? $0.get().eventID })
        var new: [Int] = []
        for (index, outcome) in outcomes.enumerated() {
            guard case .success(let event) = outcome else { continue }
            if let stored = known[event.eventID], stored.room == number {
                outcomes[index] = .success(stored.event)
            } else {
                new.append(index)
            }
        }
        for (index, outcome) in zip(new, await checker.verify(new.map { outcomes[$0] })) { outcomes[index] = outcome }
        var checked = Checked()
        for (index, outcome) in outcomes.enumerated() {
            switch outcome {
            case .success(let event):
                checked.events[event.eventID] = event
                if index >= authChain.count, event.isState { checked.state.append(event.eventID) }
            case .failure(let flaw):
                services.logger.notice(
                    "an event of a room's state is left out", metadata: ["room": "\(room)", "flaw": "\(flaw)"])
            }
        }
        return checked
    }

    /// Stores what is not known yet, and says what state it makes.
    private func take(
        _ checked: Checked, room: RoomID, version: RoomVersion, number: RoomNumber
    ) async throws -> StateMap {
        let stored = try await keep(Array(checked.events.values), room: room, version: version, number: number)
        var map = StateMap()
        for id in checked.state {
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
        // Most events of a state are allowed by the same power levels.
        var lastLevels: (of: EventID, content: PowerLevelContent)?
        func levels(of event: Event) -> PowerLevelContent {
            if let lastLevels, lastLevels.of == event.eventID { return lastLevels.content }
            let content = PowerLevelContent(event)
            lastLevels = (event.eventID, content)
            return content
        }
        for event in new {
            switch Admission.verdictByAuthEvents(on: event, known: { judged[$0] }, powerLevels: levels) {
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
        var stored: [StoredEvent] = []
        for start in stride(from: 0, to: events.count, by: Self.batchSize) {
            let batch = Array(events[start..<min(start + Self.batchSize, events.count)])
            var numbers: [EventNumber] = []
            for _ in batch { numbers.append(try await services.eventNumbers.next()) }
            let rows = Rows(events: batch, numbers: numbers, room: number, now: services.clock.now)
            stored += try await services.store.write { writer in
                if try writer.read.rooms.room(number) == nil { try writer.rooms.insert(number, room, version: version) }
                return try rows.insert(writer)
            }
        }
        return stored
    }

    /// Events that are stored together, in one transaction: each costs a wait for the disk.
    private struct Rows: Sendable {
        let events: [(event: Event, status: EventStatus)]
        let numbers: [EventNumber]
        let room: RoomNumber
        let now: Int64

        /// Stores those that have not been stored meanwhile, and answers all as they are stored.
        func insert(_ writer: StoreWriter) throws -> [StoredEvent] {
            let present = Dictionary(
                try writer.read.events.events(events.map(\.event.eventID)).map { ($0.event.eventID, $0) },
                uniquingKeysWith: { first, _ in first })
            // Of most states most events are of one sender.
            var senders: [UserID: UserNumber] = [:]
            var stored: [StoredEvent] = []
            for ((event, status), number) in zip(events, numbers) {
                if let known = present[event.eventID] {
                    stored.append(known)
                    continue
                }
                let sender = try senders[event.sender] ?? writer.identifiers.intern(event.sender)
                senders[event.sender] = sender
                let row = StoredEvent(
                    number: number, event: event, room: room, sender: sender,
                    stateKey: try event.state.map { try writer.identifiers.intern($0) }, position: nil, state: nil,
                    replaces: nil, redactedBy: nil, status: status, receivedTimestamp: now, transaction: nil)
                try writer.events.insert(row)
                stored.append(row)
            }
            return stored
        }
    }
}

extension StoredEvent {
    /// The event as those that it allows see it.
    var asKnown: KnownEvent { status == .rejected ? .rejected(event) : .accepted(event) }
}
