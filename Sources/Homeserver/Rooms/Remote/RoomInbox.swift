import Logging
import Matrix
import Store
import Synchronization

/// Events from other servers: taken over durably, then looked at room by room, so that a room that needs long holds up no other.
///
/// What is taken over is in the database before it is acknowledged; after a crash the rooms are gone through again.
public final class RoomInbox: Sendable {
    private struct State {
        /// Rooms that are being worked on; `true` if something has come since.
        var active: [RoomNumber: Bool] = [:]
        /// Rooms that wait for their turn.
        var waiting: [RoomNumber] = []
        var isStopped = false
    }

    private let rooms: RoomService
    private let fetcher: MissingEventsFetcher
    private let state = Mutex(State())

    /// Rooms worked on at the same time.
    private static let maximumActive = 64
    /// Events of one room looked at in one go.
    private static let batchSize = 50
    /// Events that may wait for one room: beyond, no more are taken.
    private static let maximumWaiting = 20_000

    private var store: Store { rooms.store }

    /// - Parameters:
    ///   - rooms: The rooms.
    ///   - remote: Where missing events are had from.
    ///   - checker: Checks events.
    public init(rooms: RoomService, remote: any RemoteRooms, checker: EventChecker) {
        self.rooms = rooms
        fetcher = MissingEventsFetcher(services: rooms.services, remote: remote, checker: checker)
    }

    /// Goes on with what waited when the server stopped.
    public func start() async throws {
        for room in try await store.read({ try $0.inbox.rooms() }) { wake(room) }
    }

    /// Looks at nothing new any more.
    public func stop() { state.withLock { $0.isStopped = true } }

    /// Takes over events whose format, signatures and hashes are in order. They are durable on return.
    ///
    /// - Parameters:
    ///   - events: The events, each with its room.
    ///   - origin: The server that sent them.
    ///   - alongside: Stores what goes with them, in the same transaction; told the rooms that take no more.
    /// - Returns: The rooms for which so many events wait already that these are not taken. What is lost so is fetched when an event that
    ///   builds on it comes.
    @discardableResult
    public func take(
        _ events: [(event: Event, room: RoomNumber)], from origin: ServerName,
        alongside: @escaping @Sendable (StoreWriter, Set<RoomNumber>) throws -> Void = { _, _ in }
    ) async throws -> Set<RoomNumber> {
        let now = rooms.services.clock.now
        let full = try await store.write { writer in
            var full: Set<RoomNumber> = []
            for room in Set(events.map(\.room)) where try writer.read.inbox.count(for: room) > Self.maximumWaiting {
                full.insert(room)
            }
            for (event, room) in events where !full.contains(room) {
                try writer.inbox.add(event, to: room, from: origin, receivedTimestamp: now)
            }
            try alongside(writer, full)
            return full
        }
        for room in Set(events.map(\.room)) { wake(room) }
        return full
    }

    // MARK: Working

    private func wake(_ room: RoomNumber) {
        let starts = state.withLock { state -> Bool in
            guard !state.isStopped else { return false }
            if state.active[room] != nil {
                state.active[room] = true
                return false
            }
            guard state.active.count < Self.maximumActive else {
                if !state.waiting.contains(room) { state.waiting.append(room) }
                return false
            }
            state.active[room] = false
            return true
        }
        if starts { Task { await self.work(on: room) } }
    }

    private func work(on first: RoomNumber) async {
        var room = first
        while true {
            do {
                if try await workOnce(on: room) { continue }
            } catch {
                rooms.services.logger.error(
                    "events from other servers could not be looked at; again when more come",
                    metadata: ["room": "\(room)", "error": "\(error)"])
            }
            let current = room
            let next = state.withLock { state -> RoomNumber? in
                if state.isStopped { return nil }
                if state.active[current] == true {
                    state.active[current] = false
                    return current
                }
                state.active[current] = nil
                guard !state.waiting.isEmpty else { return nil }
                let next = state.waiting.removeFirst()
                state.active[next] = false
                return next
            }
            guard let next else { return }
            room = next
        }
    }

    /// Looks at some of what waits for a room.
    ///
    /// - Returns: Whether more may wait.
    private func workOnce(on room: RoomNumber) async throws -> Bool {
        if state.withLock({ $0.isStopped }) { return false }
        let items = try await store.read { try $0.inbox.items(for: room, limit: Self.batchSize) }
        guard !items.isEmpty else { return false }
        let lane = rooms.lane(room)
        guard let head = try await lane.head() else {
            // This server has left since.
            return try await drop(items)
        }
        var arrivals: [(InboxItem, Arrival)] = []
        for item in items {
            guard let event = try? Event(parsing: item.json, version: head.version), event.eventID == item.id else {
                _ = try await drop([item])
                continue
            }
            arrivals.append((item, Arrival(event: event, receivedTimestamp: item.receivedTimestamp)))
        }
        let judged = try await rooms.judge(arrivals.map(\.1), in: room)
        arrivals = zip(arrivals, judged).map { ($0.0, $1) }
        let decided = try await decide(arrivals, lane)
        // Those that lacked something, one after the other, with what can be had from elsewhere.
        if decided < arrivals.count {
            let (item, arrival) = arrivals[decided]
            let outcome = try await fetcher.admit(arrival, to: lane, from: item.origin) { writer, _ in
                try writer.inbox.remove([item.number])
            }
            if outcome == nil {
                rooms.services.logger.notice(
                    "an event is dropped: what it builds on cannot be had",
                    metadata: ["room": "\(head.id?.string ?? "")", "event": "\(item.id)", "origin": "\(item.origin)"])
                _ = try await drop([item])
            }
        }
        return true
    }

    /// Decides on events as long as nothing is missing, in one go.
    ///
    /// - Returns: How many.
    private func decide(_ arrivals: [(item: InboxItem, arrival: Arrival)], _ lane: RoomLane) async throws -> Int {
        let count = Mutex(0)
        return try await lane.perform { work in
            var decided = 0
            for (_, arrival) in arrivals {
                var attempt = work
                do { _ = try await attempt.admit(arrival) } catch is MissingEvents { break }
                work = attempt
                decided += 1
            }
            let total = decided
            count.withLock { $0 = total }
            return decided
        } alongside: { writer, _ in
            let done = count.withLock { $0 }
            try writer.inbox.remove(arrivals.prefix(done).map(\.item.number))
        }
    }

    private func drop(_ items: [InboxItem]) async throws -> Bool {
        try await store.write { try $0.inbox.remove(items.map(\.number)) }
        return true
    }
}
