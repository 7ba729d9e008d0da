import Matrix
import Store

/// Walks back through a room's graph.
extension RoomQueries {
    /// Events that are walked to at the most beyond those that are given, since some are not for everybody.
    private static let maximumBackfill = 100
    private static let maximumMissing = 20
    /// Places at which one may begin, and those at which one may end.
    private static let maximumStarts = 20
    private static let maximumEnds = 200

    /// Events at and before `starts`, newest first.
    ///
    /// [GET /backfill](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1backfillroomid)
    public func backfill(
        _ room: RoomID, from starts: [EventID], limit: Int, for server: ServerName
    ) async throws -> [[UInt8]] {
        let asked = try await asked(room, by: server)
        let limit = min(max(limit, 1), Self.maximumBackfill)
        let starts = Array(starts.prefix(Self.maximumStarts))
        let events = try await walk(from: starts, in: asked.room, limit: limit)
        return try await told(events, asked, to: server)
    }

    /// Events between those that a server has and those that it knows of, oldest first.
    ///
    /// [POST /get_missing_events](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid)
    ///
    /// - Parameters:
    ///   - latest: Events whose predecessors the server wants. They themselves are left out.
    ///   - earliest: Events that the server has.
    ///   - minimumDepth: The least depth of an event that the server wants.
    public func missingEvents(
        in room: RoomID, before latest: [EventID], after earliest: [EventID], limit: Int, minimumDepth: Int64,
        for server: ServerName
    ) async throws -> [[UInt8]] {
        let asked = try await asked(room, by: server)
        let limit = min(max(limit, 0), Self.maximumMissing)
        let latest = Array(latest.prefix(Self.maximumStarts))
        let ends = Set(earliest.prefix(Self.maximumEnds)).union(latest)
        let known = try await store.events(latest)
        var starts: [EventID] = []
        for id in latest {
            guard let event = known[id], event.room == asked.room else { continue }
            for before in event.event.prevEvents where !ends.contains(before) && !starts.contains(before) {
                starts.append(before)
            }
        }
        let events = try await walk(
            from: starts, in: asked.room, limit: limit, notThrough: ends, minimumDepth: minimumDepth)
        return try await told(events.reversed(), asked, to: server)
    }

    /// - Throws: 403 `M_FORBIDDEN` for a server that is not in the room and may be told none of the events, unless it was there once and
    ///   there are none.
    private func told(_ events: [StoredEvent], _ asked: Asked, to server: ServerName) async throws -> [[UInt8]] {
        let texts = try await texts(of: events, asked, for: server)
        let isRefused = !events.isEmpty || asked.left == nil
        if texts.isEmpty, !asked.takesPart, isRefused { throw MatrixError.forbidden("\(server) is not in this room") }
        return texts
    }

    /// The events that one comes to from `starts` going back, breadth first: newest first, and no more than `limit`.
    private func walk(
        from starts: [EventID], in room: RoomNumber, limit: Int, notThrough ends: Set<EventID> = [],
        minimumDepth: Int64 = 0
    ) async throws -> [StoredEvent] {
        var found: [StoredEvent] = []
        var seen = ends.union(starts)
        var open = starts
        var isFirst = true
        while !open.isEmpty, found.count < limit {
            let level = try await store.events(open)
            if isFirst { try await warmUp(before: Array(level.values), in: room, count: limit) }
            isFirst = false
            var next: [EventID] = []
            // In the order in which they were come to: it decides which are left out.
            for id in open {
                guard let event = level[id], event.room == room, event.isInGraph, event.event.depth >= minimumDepth
                else { continue }
                found.append(event)
                for before in event.event.prevEvents where seen.insert(before).inserted { next.append(before) }
            }
            open = next
        }
        return found.prefix(limit).sorted { ($0.event.depth, $0.number) > ($1.event.depth, $1.number) }
    }

    /// Reads what most likely comes next in one go: in most rooms what was there before is what came before.
    private func warmUp(before events: [StoredEvent], in room: RoomNumber, count: Int) async throws {
        guard let last = events.filter({ $0.room == room }).compactMap(\.position).max() else { return }
        _ = try await store.read { reader in
            try reader.events.timeline(
                room, after: StreamPosition(.min), through: last, limit: count, newestFirst: true
            ).count
        }
    }
}
