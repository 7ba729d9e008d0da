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
    ///   - origin: The server that has what is missing.
    ///   - relay: How the event reaches other servers, if not simply by its sender's server.
    ///   - alongside: What is stored in the transaction that stores the event.
    /// - Returns: What became of the event; `nil` if it cannot be decided on, and so is not kept.
    func admit(
        _ arrival: Arrival, to lane: RoomLane, from origin: ServerName, relay: EventRelay? = nil,
        alongside: @escaping @Sendable (StoreWriter, RoomNumber) throws -> Void = { _, _ in }
    ) async throws -> Admitted? {
        var arrival = arrival
        arrival.relay = relay
        do {
            let arrival = arrival
            return try await lane.perform({ try await $0.admit(arrival) }, alongside: alongside)
        } catch let missing as MissingEvents {
            guard let room = try await lane.head() else { return nil }
            if !missing.prevEvents.isEmpty {
                try await fill(before: arrival.event, of: room, lane, from: origin)
            }
        }
        // Now the events before it are there, or their states have to be asked for.
        return try await admitOnStates(arrival, to: lane, from: origin, alongside: alongside)
    }

    // MARK: Events before

    /// Fetches and decides on what is between an event and what this server has.
    private func fill(before event: Event, of room: RoomHead, _ lane: RoomLane, from origin: ServerName) async throws {
        guard let id = room.id else { return }
        var found: [EventID: Event] = [:]
        var requests = 0
        var open = [event.eventID]
        var isFirst = true
        while !open.isEmpty, requests < budget.requests, found.count < budget.events {
            requests += 1
            let texts: [[UInt8]]
            do {
                if isFirst {
                    let earliest = Array(room.extremities.map(\.id).prefix(Event.maximumPrevEvents))
                    texts = try await remote.missingEvents(
                        in: id, before: open, after: earliest, limit: 20,
                        minimumDepth: max(0, room.extremities.map(\.depth).min() ?? 0), at: origin
                    )
                } else {
                    texts = try await remote.backfill(id, from: open, limit: 100, at: origin)
                }
            } catch {
                services.logger.info(
                    "missing events cannot be had", metadata: ["origin": "\(origin)", "error": "\(error.message)"])
                break
            }
            let before = found.count
            for case .success(let new) in await checker.check(texts: texts, version: room.version, room: id)
            where new.eventID != event.eventID {
                found[new.eventID] = new
            }
            if found.count == before, !isFirst { break }
            isFirst = false
            open = try await unknown(among: found, with: event, room.number)
        }
        for next in EventOrder.timeline(found.values) {
            let arrival = Arrival(event: next, receivedTimestamp: services.clock.now)
            _ = try await admitOnStates(arrival, to: lane, from: origin)
        }
    }

    /// Of the events found, those that build on something unknown: from there on back more has to be fetched.
    private func unknown(
        among found: [EventID: Event], with event: Event, _ room: RoomNumber
    ) async throws -> [EventID] {
        let referred = Set((Array(found.values) + [event]).flatMap(\.prevEvents)).filter { found[$0] == nil }
        let known = try await services.store.events(referred).filter { $0.value.room == room && $0.value.isInGraph }
        return Array(referred.filter { known[$0] == nil }.sorted().prefix(Event.maximumPrevEvents))
    }

    // MARK: States and authorization

    /// Decides on an event; where what comes before it is missing, on the states that `origin` gives.
    private func admitOnStates(
        _ arrival: Arrival, to lane: RoomLane, from origin: ServerName,
        alongside: @escaping @Sendable (StoreWriter, RoomNumber) throws -> Void = { _, _ in }
    ) async throws -> Admitted? {
        var arrival = arrival
        var hasAskedForAuthEvents = false
        while true {
            do {
                let ready = arrival
                return try await lane.perform({ try await $0.admit(ready) }, alongside: alongside)
            } catch let missing as MissingEvents {
                guard let room = try await lane.head() else { return nil }
                if !missing.prevEvents.isEmpty, arrival.statesAfter.isEmpty {
                    guard missing.prevEvents.count <= budget.states else { return nil }
                    for id in missing.prevEvents {
                        guard let state = try await state(after: id, of: room, from: origin) else { return nil }
                        arrival.statesAfter[id] = state
                    }
                } else if !missing.authEvents.isEmpty, !hasAskedForAuthEvents {
                    hasAskedForAuthEvents = true
                    try await fetchAuthChain(of: arrival.event, room, from: origin)
                } else {
                    return nil
                }
            }
        }
    }

    /// Fetches what allows an event.
    private func fetchAuthChain(of event: Event, _ room: RoomHead, from origin: ServerName) async throws {
        guard let id = room.id else { return }
        do {
            let texts = try await remote.authChain(of: event.eventID, in: id, at: origin)
            let events = await checker.check(texts: texts, version: room.version, room: id).compactMap { try? $0.get() }
            _ = try await stateImport.keep(events, room: id, version: room.version, number: room.number)
        } catch let error as RemoteServerFailure {
            services.logger.info(
                "an auth chain cannot be had", metadata: ["origin": "\(origin)", "error": "\(error.message)"])
        }
    }

    /// The state after an event that this server does not have in its graph; `nil` if it cannot be had.
    private func state(after event: EventID, of room: RoomHead, from origin: ServerName) async throws -> StateMap? {
        guard let id = room.id, var map = try await state(before: event, of: room, from: origin) else { return nil }
        let own: Event?
        if let known = try await services.store.event(event), known.room == room.number {
            own = known.event
        } else {
            own = try await fetch([event], of: room, from: origin).first
        }
        guard let own else { return nil }
        let kept = try await stateImport.keep([own], room: id, version: room.version, number: room.number)
        if let stored = kept[event], stored.status != .rejected, let key = stored.stateKey { map[key] = stored.number }
        return map
    }

    /// The state before an event, as another server gives it; `nil` if it cannot be had.
    func state(before event: EventID, of room: RoomHead, from origin: ServerName) async throws -> StateMap? {
        guard let id = room.id else { return nil }
        do {
            let ids = try await remote.stateIDs(before: event, in: id, at: origin)
            let known = try await services.store.events(Set(ids.state + ids.authChain)).filter {
                $0.value.room == room.number
            }
            let missing = Set(ids.state + ids.authChain).filter { known[$0] == nil }
            if missing.count > budget.singleEvents {
                let whole = try await remote.state(before: event, in: id, at: origin)
                _ = try await stateImport(
                    state: whole.state, authChain: whole.authChain, room: id, version: room.version,
                    number: room.number)
            } else if !missing.isEmpty {
                let events = try await fetch(Array(missing), of: room, from: origin)
                _ = try await stateImport.keep(events, room: id, version: room.version, number: room.number)
            }
            var map = StateMap()
            for stored in try await services.store.events(ids.state).values
            where stored.room == room.number && stored.status != .rejected {
                if let key = stored.stateKey { map[key] = stored.number }
            }
            return map.isEmpty ? nil : map
        } catch let error as RemoteServerFailure {
            services.logger.info(
                "a state cannot be had", metadata: ["origin": "\(origin)", "error": "\(error.message)"])
            return nil
        }
    }

    /// Single events, those left out that cannot be had.
    private func fetch(_ ids: [EventID], of room: RoomHead, from origin: ServerName) async throws -> [Event] {
        guard let id = room.id else { return [] }
        let texts = await withTaskGroup(of: [UInt8]?.self) { group in
            var texts: [[UInt8]] = []
            var rest = ids[...]
            func start() {
                guard let next = rest.popFirst() else { return }
                group.addTask { try? await remote.event(next, at: origin) }
            }
            for _ in 0..<5 { start() }
            for await text in group {
                if let text { texts.append(text) }
                start()
            }
            return texts
        }
        let wanted = Set(ids)
        return await checker.check(texts: texts, version: room.version, room: id).compactMap { try? $0.get() }
            .filter { wanted.contains($0.eventID) }
    }
}
