import Logging
import Matrix
import RoomEngine
import Store

/// Brings in what an event from another server builds on and this server does not have, within a budget, and then the event.
///
/// [Retrieving event authorisation information](https://spec.matrix.org/v1.19/server-server-api/#retrieving-event-authorisation-information),
/// [backfilling and retrieving missing events](https://spec.matrix.org/v1.19/server-server-api/#backfilling-and-retrieving-missing-events)
struct MissingEventsFetcher: Sendable {
    /// How much is fetched for one event.
    struct Budget: Sendable {
        /// Events of the timeline.
        var events = 2_000
        /// Requests for them.
        var requests = 40
        /// Places at which the state is asked for because what comes before is not fetched.
        var states = 10
        /// Servers that are asked beside the one that the event came from.
        var otherServers = 2
        /// Events of a state that are fetched one by one; beyond, the whole state is asked for at once.
        var singleEvents = 20
    }

    let services: RoomWriterServices
    let remote: any RemoteRooms
    let checker: EventChecker
    var budget = Budget()

    private var stateImport: StateImport { StateImport(services: services, checker: checker) }

    /// Decides on an event, and on those before it that are missing.
    ///
    /// - Parameters:
    ///   - arrival: The event.
    ///   - origin: The server that should have what is missing; others in the room are asked if it does not give it.
    ///   - relay: How the event reaches other servers, if not simply by its sender's server.
    ///   - alongside: What is stored in the transaction that stores the event.
    /// - Returns: What became of the event; `nil` if it cannot be decided on, and so is not kept. So is an event of which its server
    ///   does not tell what comes right before it: decided on a state of that server's choice it could become the room's only end.
    /// - Throws: ``OutOfReach`` if it may be possible to decide on it later.
    func admit(
        _ arrival: Arrival, to lane: RoomLane, from origin: ServerName, relay: EventRelay? = nil,
        alongside: @escaping @Sendable (StoreWriter, RoomNumber) throws -> Void = { _, _ in }
    ) async throws -> Admitted? {
        var arrival = arrival
        arrival.relay = relay
        let servers: [ServerName]
        let reachable: [ServerName]
        do {
            let arrival = arrival
            return try await lane.perform({ try await $0.admit(arrival) }, alongside: alongside)
        } catch let missing as MissingEvents {
            guard let room = try await lane.head() else { return nil }
            servers = try await self.servers(origin, room)
            if missing.prevEvents.isEmpty {
                reachable = servers
            } else {
                (arrival.ancestors, reachable) = try await fill(before: arrival.event, of: room, lane, from: servers)
            }
        }
        // Now the events before it are there, or the server that must have them does not give them.
        return try await admitOnStates(
            arrival, to: lane, from: servers, atGap: reachable.contains(origin) ? .refuse : .wait, alongside: alongside)
    }

    /// The servers that are asked, in that order.
    private func servers(_ origin: ServerName, _ room: RoomHead) async throws -> [ServerName] {
        let others = try await services.store.read { try $0.memberships.servers(in: room.number, limit: 20) }
        let rest = others.filter { $0 != origin && $0 != services.serverName }
        return [origin] + rest.prefix(budget.otherServers)
    }

    // MARK: Events before

    /// Fetches and decides on what is between an event and what this server has, as far as it can be had.
    ///
    /// - Returns: What has been found, and those of the servers that have answered when they were asked.
    private func fill(
        before event: Event, of room: RoomHead, _ lane: RoomLane, from servers: [ServerName]
    ) async throws -> (events: Set<EventID>, reachable: [ServerName]) {
        guard let id = room.id else { return ([], servers) }
        var reachable = servers
        var found: [EventID: Event] = [:]
        var between: [Event] = []
        var requests = 0
        var open = [event.eventID]
        var isFirst = true
        var servers = servers[...]
        while let server = servers.first, !open.isEmpty, requests < budget.requests, found.count < budget.events {
            requests += 1
            let before = found.count
            do {
                let texts =
                    isFirst
                    ? try await missingEvents(before: open, of: room, id, at: server)
                    : try await remote.backfill(id, from: open, limit: 100, at: server)
                for case .success(let new) in await checker.check(texts: texts, version: room.version, room: id)
                where new.eventID != event.eventID {
                    found[new.eventID] = new
                }
                if found.count == before, !isFirst { servers.removeFirst() }
            } catch {
                services.logger.info(
                    "missing events cannot be had", metadata: ["server": "\(server)", "error": "\(error.message)"])
                servers.removeFirst()
                // One that only does not have what was asked for may know the state.
                if !error.isDefinite { reachable.removeAll { $0 == server } }
            }
            isFirst = false
            (between, open) = try await gap(before: event, found, room.number)
        }
        let beginning = try await services.store.read { try $0.events.beginning(of: room.number) }
        // A liar can invent a past without end, each event of which would have a state asked for.
        var failures = 0
        let answering = reachable
        for next in EventOrder.timeline(between) where failures < budget.states {
            var arrival = Arrival(event: next, receivedTimestamp: services.clock.now)
            // Branches may go back to before this server came: that is no news for anybody.
            if let beginning, next.depth < beginning { arrival.place = .history }
            do {
                if try await admitOnStates(arrival, to: lane, from: answering) == nil { failures += 1 }
            } catch is OutOfReach {
                // Then what builds on it is out of reach too, unless its state can be had; nobody has refused to tell.
                failures += 1
                reachable = []
            }
        }
        return (Set(between.map(\.eventID)), reachable)
    }

    private func missingEvents(
        before events: [EventID], of room: RoomHead, _ id: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        let earliest = Array(room.extremities.map(\.id).prefix(Event.maximumPrevEvents))
        return try await remote.missingEvents(
            in: id, before: events, after: earliest, limit: 20,
            minimumDepth: max(0, room.extremities.map(\.depth).min() ?? 0), at: server
        )
    }

    /// What lies between an event and what this server has.
    ///
    /// Where its knowledge of the room ends, history begins: that is fetched when somebody wants to read it. Servers also give what lies
    /// beyond, since they do not know where that is.
    ///
    /// - Returns: The events, of those found, and those that are still missing.
    private func gap(
        before event: Event, _ found: [EventID: Event], _ room: RoomNumber
    ) async throws -> (events: [Event], missing: [EventID]) {
        var seen: Set<EventID> = [event.eventID]
        var events: [Event] = []
        var missing: [EventID] = []
        var open = event.prevEvents
        while !open.isEmpty {
            let level = open.filter { seen.insert($0).inserted }
            let known = try await services.store.events(level).filter { $0.value.room == room && $0.value.isInGraph }
            let unknown = level.filter { known[$0] == nil }
            let ends = try await services.store.read { reader in
                try unknown.filter { try reader.graph.isBackwardExtremity($0, of: room) }
            }
            open = []
            for id in unknown where !ends.contains(id) {
                if let event = found[id] {
                    events.append(event)
                    open += event.prevEvents
                } else {
                    missing.append(id)
                }
            }
        }
        return (events, Array(missing.sorted().prefix(Event.maximumPrevEvents)))
    }

    // MARK: States and authorization

    /// What is done with an event before which something is missing.
    private enum Gap {
        /// It is decided on the states that servers give.
        case bridge
        /// It is not kept.
        case refuse
        /// It is put off.
        case wait
    }

    /// Decides on an event; where what comes before it is missing, on the states that `servers` give.
    private func admitOnStates(
        _ arrival: Arrival, to lane: RoomLane, from servers: [ServerName], atGap gap: Gap = .bridge,
        alongside: @escaping @Sendable (StoreWriter, RoomNumber) throws -> Void = { _, _ in }
    ) async throws -> Admitted? {
        var arrival = arrival
        var knowing = servers[...]
        var isOutOfReach = false
        while true {
            do {
                let ready = arrival
                return try await lane.perform({ try await $0.admit(ready) }, alongside: alongside)
            } catch let missing as MissingEvents {
                guard let room = try await lane.head() else { return nil }
                if !missing.prevEvents.isEmpty, arrival.statesAfter.isEmpty {
                    if gap == .wait { throw OutOfReach() }
                    guard gap == .bridge else { return nil }
                    guard missing.prevEvents.count <= budget.states else { return nil }
                    for id in missing.prevEvents {
                        guard let state = try await state(after: id, of: room, from: servers) else { return nil }
                        arrival.statesAfter[id] = state
                    }
                } else if !missing.authEvents.isEmpty, let server = knowing.popFirst() {
                    do {
                        try await fetchAuthChain(of: arrival.event, room, from: server)
                    } catch is OutOfReach {
                        isOutOfReach = true
                    }
                } else if isOutOfReach {
                    throw OutOfReach()
                } else {
                    return nil
                }
            }
        }
    }

    /// Fetches what allows an event, as far as a server has it.
    private func fetchAuthChain(of event: Event, _ room: RoomHead, from server: ServerName) async throws {
        guard let id = room.id else { return }
        do {
            let texts = try await remote.authChain(of: event.eventID, in: id, at: server)
            let events = await checker.check(texts: texts, version: room.version, room: id).compactMap { try? $0.get() }
            _ = try await stateImport.keep(events, room: id, version: room.version, number: room.number)
        } catch let error as RemoteServerFailure {
            try note(error, "an auth chain cannot be had", server)
        }
    }

    /// The state after an event that this server does not have in its graph; `nil` if no server has it.
    private func state(after event: EventID, of room: RoomHead, from servers: [ServerName]) async throws -> StateMap? {
        var isOutOfReach = false
        for server in servers {
            do {
                if let state = try await state(after: event, of: room, from: server) { return state }
            } catch is OutOfReach {
                isOutOfReach = true
            }
        }
        if isOutOfReach { throw OutOfReach() }
        return nil
    }

    private func state(after event: EventID, of room: RoomHead, from server: ServerName) async throws -> StateMap? {
        guard let id = room.id, var map = try await state(before: event, of: room, from: server) else { return nil }
        let own: Event?
        if let known = try await services.store.event(event), known.room == room.number {
            own = known.event
        } else {
            own = try await fetch([event], of: room, from: server)[event].flatMap { try? $0.get() }
        }
        guard let own else { return nil }
        let kept = try await stateImport.keep([own], room: id, version: room.version, number: room.number)
        if let stored = kept[event], stored.status != .rejected, let key = stored.stateKey { map[key] = stored.number }
        return map
    }

    /// The state before an event, as a server gives it; `nil` if it does not have all of it.
    ///
    /// - Throws: ``OutOfReach`` if it cannot be reached.
    func state(before event: EventID, of room: RoomHead, from server: ServerName) async throws -> StateMap? {
        guard let id = room.id else { return nil }
        do {
            let ids = try await remote.stateIDs(before: event, in: id, at: server)
            let known = try await services.store.events(Set(ids.state + ids.authChain)).filter {
                $0.value.room == room.number
            }
            let missing = Set(ids.state + ids.authChain).filter { known[$0] == nil }
            // A state without what is said to be in it would be another.
            if missing.count > budget.singleEvents {
                try await keepWholeState(before: event, of: room, id, from: server)
            } else if !missing.isEmpty, try await !keepSingle(missing, of: room, id, from: server) {
                // Who has left may not see each event, but still the state of when it was there.
                try await keepWholeState(before: event, of: room, id, from: server)
                guard try await services.store.events(missing).count == missing.count else { return nil }
            }
            var map = StateMap()
            for stored in try await services.store.events(ids.state).values
            where stored.room == room.number && stored.status != .rejected {
                if let key = stored.stateKey { map[key] = stored.number }
            }
            return map.isEmpty ? nil : map
        } catch let error as RemoteServerFailure {
            try note(error, "a state cannot be had", server)
            return nil
        }
    }

    /// Fetches the whole state before an event and keeps its events outside of the graph.
    private func keepWholeState(
        before event: EventID, of room: RoomHead, _ id: RoomID, from server: ServerName
    ) async throws {
        let whole = try await remote.state(before: event, in: id, at: server)
        _ = try await stateImport(
            state: whole.state, authChain: whole.authChain, room: id, version: room.version, number: room.number)
    }

    /// Fetches events one by one and keeps them outside of the graph.
    ///
    /// - Returns: Whether the server has given all of them.
    private func keepSingle(
        _ missing: Set<EventID>, of room: RoomHead, _ id: RoomID, from server: ServerName
    ) async throws -> Bool {
        let found = try await fetch(missing.sorted(), of: room, from: server)
        guard missing.allSatisfy({ found[$0] != nil }) else { return false }
        let events = found.values.compactMap { try? $0.get() }
        _ = try await stateImport.keep(events, room: id, version: room.version, number: room.number)
        return true
    }

    /// - Throws: ``OutOfReach`` if the failure says nothing about what the server has.
    private func note(_ error: RemoteServerFailure, _ message: Logger.Message, _ server: ServerName) throws {
        services.logger.info(message, metadata: ["server": "\(server)", "error": "\(error.message)"])
        if !error.isDefinite { throw OutOfReach() }
    }

    /// Single events, those left out that the server does not have.
    ///
    /// - Returns: For each the event or what is wrong with it.
    /// - Throws: `RemoteServerFailure` if one of them cannot be had now.
    private func fetch(
        _ ids: [EventID], of room: RoomHead, from server: ServerName
    ) async throws -> [EventID: Result<Event, EventFlaw>] {
        guard let id = room.id else { return [:] }
        let texts = try await withThrowingTaskGroup(of: (EventID, [UInt8]?).self) { group in
            var texts: [(EventID, [UInt8])] = []
            var rest = ids[...]
            func start() {
                guard let next = rest.popFirst() else { return }
                group.addTask {
                    do throws(RemoteServerFailure) {
                        return (next, try await remote.event(next, at: server))
                    } catch {
                        if error.isDefinite { return (next, nil) }
                        throw error
                    }
                }
            }
            for _ in 0..<5 { start() }
            for try await (id, text) in group {
                if let text { texts.append((id, text)) }
                start()
            }
            return texts
        }
        let checked = await checker.check(texts: texts.map(\.1), version: room.version, room: id)
        var found: [EventID: Result<Event, EventFlaw>] = [:]
        for ((wanted, _), outcome) in zip(texts, checked) {
            if case .success(let event) = outcome, event.eventID != wanted { continue }
            found[wanted] = outcome
        }
        return found
    }
}

/// What an event builds on cannot be had now, but perhaps later: a server that may have it could not be reached.
struct OutOfReach: Error {}

extension MatrixError {
    /// What another server, or a client, is told then.
    static let outOfReach = MatrixError.unavailable("What this event builds on cannot be had now")
}
