import Matrix
import Store

/// Events that stick: they are told whether or not they find a place in the timeline that is sent.
///
/// [MSC4354](https://github.com/matrix-org/matrix-spec-proposals/pull/4354). Filters do not apply to them, nor does the room's history
/// visibility.
extension SyncService {
    /// How many of a room are told at once at the most: beyond, those that came first.
    static let stickyLimit = 1_000
    /// Rooms that are looked up at once.
    private static let stickyRooms = 500

    /// Those of some rooms from a stretch of the journal, oldest first.
    func sticky(
        in rooms: [RoomNumber], after: StreamPosition, through: StreamPosition, ignored: Set<UserID>
    ) async throws -> [RoomNumber: [StoredEvent]] {
        var found: [RoomNumber: [StoredEvent]] = [:]
        for start in stride(from: 0, to: rooms.count, by: Self.stickyRooms) {
            let some = Array(rooms[start..<min(start + Self.stickyRooms, rooms.count)])
            let events = try await store.stickyEvents(
                in: some, after: after, through: through, now: clock.now, limit: Self.stickyLimit)
            for event in events where isToldSticky(event, ignored) { found[event.room, default: []].append(event) }
        }
        return found
    }

    /// Whether an event is told because it sticks.
    func isToldSticky(_ event: StoredEvent, _ ignored: Set<UserID>) -> Bool {
        event.status == .accepted && event.event.stickyMilliseconds != nil && store.lifetimes.sticks(event)
            && !store.lifetimes.hasEnded(event) && !ignored.contains(event.event.sender)
    }

    /// What a section tells beside its timeline.
    ///
    /// - Parameters:
    ///   - known: All events of the stretch, if they are at hand.
    ///   - since: Where the client's knowledge of the room ends; `nil` if it has none.
    func stickySection(
        _ room: RoomNumber, known: [StoredEvent]?, since: StreamPosition?, through: StreamPosition,
        timeline: [StoredEvent], ignored: Set<UserID>
    ) async throws -> [StoredEvent] {
        guard store.stickiness.mayHold(at: clock.now) else { return [] }
        let events: [StoredEvent]
        if let known, since != nil {
            events = known.filter { isToldSticky($0, ignored) }
        } else {
            events =
                try await sticky(in: [room], after: since ?? StreamPosition(0), through: through, ignored: ignored)[
                    room] ?? []
        }
        let told = Set(timeline.map(\.number))
        return events.filter { !told.contains($0.number) }
    }
}
