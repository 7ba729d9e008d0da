import Logging
import Matrix
import RoomEngine
import Store
import Synchronization

/// Fetches history that this server does not have from servers that do.
///
/// [Backfilling](https://spec.matrix.org/v1.19/server-server-api/#backfilling-and-retrieving-missing-events)
final class Backfill: Sendable {
    private let gate = RoomGate()
    /// When the history of a room could not be had.
    private let failures = Mutex<[RoomNumber: Int64]>([:])

    /// Servers that are asked before giving up.
    private static let maximumServers = 5
    /// Events asked for in one request.
    private static let eventCount = 100
    /// Places at which the state is asked for.
    private static let maximumStates = 10
    /// How long a room whose history could not be had is left alone, in milliseconds.
    private static let pauseMilliseconds: Int64 = 10_000
    private static let maximumFailures = 10_000

    /// Fetches some of a room's history.
    ///
    /// - Returns: Whether there is more than before.
    func fetch(_ lane: RoomLane, _ services: RoomWriterServices, _ federation: RoomFederation) async throws -> Bool {
        guard let head = try await lane.head(), let id = head.id else { return false }
        let now = services.clock.now
        let failed = failures.withLock { $0[head.number] }
        if let failed, now < failed + Self.pauseMilliseconds { return false }
        let before = try await services.store.read { try $0.graph.backwardExtremities(of: head.number, limit: 20) }
        guard !before.isEmpty else { return false }
        return try await gate.alone(id) {
            let ends = try await services.store.read { try $0.graph.backwardExtremities(of: head.number, limit: 20) }
            // Somebody else may have fetched meanwhile.
            if ends != before { return true }
            let servers = try await services.store.read { try $0.memberships.servers(in: head.number, limit: 20) }
            for server in servers.filter({ $0 != services.serverName }).prefix(Self.maximumServers) {
                if try await fetch(from: server, ends, head, lane, services, federation) { return true }
            }
            failures.withLock { failures in
                if failures.count >= Self.maximumFailures { failures.removeAll() }
                failures[head.number] = now
            }
            return false
        }
    }

    private func fetch(
        from server: ServerName, _ ends: [EventID], _ head: RoomHead, _ lane: RoomLane, _ services: RoomWriterServices,
        _ federation: RoomFederation
    ) async throws -> Bool {
        guard let room = head.id else { return false }
        let texts: [[UInt8]]
        do {
            texts = try await federation.remote.backfill(room, from: ends, limit: Self.eventCount, at: server)
        } catch {
            services.logger.info(
                "history cannot be had",
                metadata: ["room": "\(room)", "server": "\(server)", "error": "\(error.message)"])
            return false
        }
        let checked = await federation.checker.check(texts: texts, version: head.version, room: room)
        var events = EventOrder.timeline(checked.compactMap { try? $0.get() })
        let known = try await services.store.events(events.map(\.eventID))
        events.removeAll { known[$0.eventID]?.isInGraph == true }
        let arrivals = try await arrivals(events, head, from: server, services, federation)
        guard !arrivals.isEmpty else { return false }
        return try await lane.perform { work in
            var count = 0
            for arrival in arrivals {
                var attempt = work
                do { _ = try await attempt.admit(arrival) } catch is MissingEvents { continue }
                work = attempt
                count += 1
            }
            return count > 0
        }
    }

    /// The events, oldest first, with the states before those of them that build on something unknown.
    private func arrivals(
        _ events: [Event], _ head: RoomHead, from server: ServerName, _ services: RoomWriterServices,
        _ federation: RoomFederation
    ) async throws -> [Arrival] {
        let inside = Set(events.map(\.eventID))
        let outside = Set(events.flatMap(\.prevEvents)).subtracting(inside)
        let known = try await services.store.events(outside).filter { $0.value.isInGraph }
        let fetcher = MissingEventsFetcher(services: services, remote: federation.remote, checker: federation.checker)
        var arrivals: [Arrival] = []
        var states = 0
        for event in events {
            var arrival = Arrival(event: event, receivedTimestamp: services.clock.now, place: .history)
            if event.prevEvents.contains(where: { !inside.contains($0) && known[$0] == nil }) {
                states += 1
                guard states <= Self.maximumStates else { continue }
                let given: StateMap?
                do {
                    given = try await fetcher.state(before: event.eventID, of: head, from: server)
                } catch is OutOfReach {
                    continue
                }
                guard let state = given else { continue }
                arrival.stateBefore = state
            }
            arrivals.append(arrival)
        }
        return arrivals
    }
}
