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
        /// Events that are looked at again later, by their numbers.
        var deferred: [RoomNumber: [Int64: Deferral]] = [:]
        var isStopped = false

        /// Forgets that an event was put off.
        mutating func forget(_ number: Int64, of room: RoomNumber) {
            deferred[room]?[number] = nil
            if deferred[room]?.isEmpty == true { deferred[room] = nil }
        }
    }

    /// An event whose turn comes again, because servers that have what it builds on could not be reached.
    private struct Deferral {
        var attempts = 0
        var isDue = false
    }

    private let rooms: RoomService
    private let fetcher: MissingEventsFetcher
    private let scheduler: any Scheduler
    private let state = Mutex(State())

    /// Rooms worked on at the same time.
    private static let maximumActive = 64
    /// Events of one room looked at in one go.
    private static let batchSize = 50
    /// Events that may wait for one room: beyond, no more are taken.
    private static let maximumWaiting = 20_000
    /// Events of one room that wait until servers can be reached again.
    private static let maximumDeferred = 100
    /// After how long such an event is looked at again, in milliseconds: first, and at the most.
    private static let deferralMilliseconds: ClosedRange<Int64> = 10_000...600_000
    /// For how long such an event is kept, in milliseconds.
    private static let keepingMilliseconds: Int64 = 86_400_000

    private var store: Store { rooms.store }

    /// - Parameters:
    ///   - rooms: The rooms.
    ///   - remote: Where missing events are had from.
    ///   - checker: Checks events.
    ///   - scheduler: Comes back to what could not be decided on.
    public init(rooms: RoomService, remote: any RemoteRooms, checker: EventChecker, scheduler: any Scheduler) {
        self.rooms = rooms
        self.scheduler = scheduler
        defer { rooms.entries.onEnd { [weak self] in self?.wake($0) } }
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
                    "events from other servers could not be looked at; again later",
                    metadata: ["room": "\(room)", "error": "\(error)"])
                let failed = room
                scheduler.after(milliseconds: Self.deferralMilliseconds.lowerBound) { [weak self] in self?.wake(failed)
                }
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
        if state.withLock({ $0.isStopped }) || rooms.isEntering(room) { return false }
        let deferred = state.withLock { $0.deferred[room]?.filter { !$0.value.isDue }.keys.sorted() ?? [] }
        let items = try await store.read {
            try $0.inbox.items(for: room, except: deferred, limit: Self.batchSize)
        }
        guard !items.isEmpty else { return false }
        let lane = rooms.lane(room)
        guard let head = try await lane.head(), try await rooms.participates(in: room) else {
            // This server has left since.
            return try await drop(items)
        }
        // What came while this server was coming in came after it: a room that is completed is gone through from there on.
        let earliest = store.partialJoin(of: room) == nil ? Int64.min : rooms.services.clock.now
        var arrivals: [(InboxItem, Arrival)] = []
        for item in items {
            guard let event = try? Event(parsing: item.json, version: head.version), event.eventID == item.id else {
                _ = try await drop([item])
                continue
            }
            let received = max(item.receivedTimestamp, earliest)
            arrivals.append((item, Arrival(event: event, receivedTimestamp: received)))
        }
        let judged = try await rooms.judge(arrivals.map(\.1), in: room)
        arrivals = zip(arrivals, judged).map { ($0.0, $1) }
        let decided = try await decide(arrivals, lane)
        // Those that lacked something, one after the other, with what can be had from elsewhere.
        if decided < arrivals.count {
            try await fetchAndDecide(arrivals[decided].0, arrivals[decided].1, lane)
        }
        return true
    }

    /// Decides on an event with what can be had from other servers.
    private func fetchAndDecide(_ item: InboxItem, _ arrival: Arrival, _ lane: RoomLane) async throws {
        do {
            let outcome = try await fetcher.admit(arrival, to: lane, from: item.origin) { writer, _ in
                try writer.inbox.remove([item.number])
            }
            state.withLock { $0.forget(item.number, of: lane.number) }
            if outcome != nil { return }
        } catch is OutOfReach {
            if let delay = later(item, of: lane.number) {
                let room = lane.number
                scheduler.after(milliseconds: delay) { [weak self] in self?.retry(item.number, of: room) }
                return
            }
        }
        rooms.services.logger.notice(
            "an event is dropped: what it builds on cannot be had",
            metadata: ["room": "\(lane.number)", "event": "\(item.id)", "origin": "\(item.origin)"])
        _ = try await drop([item])
    }

    /// Puts an event off that cannot be decided on now.
    ///
    /// - Returns: For how long, in milliseconds; `nil` if it has been kept long enough, or too many others are.
    private func later(_ item: InboxItem, of room: RoomNumber) -> Int64? {
        let isOld = rooms.services.clock.now >= item.receivedTimestamp + Self.keepingMilliseconds
        return state.withLock { state in
            let known = state.deferred[room]?[item.number]
            guard !isOld, known != nil || state.deferred[room]?.count ?? 0 < Self.maximumDeferred else {
                state.forget(item.number, of: room)
                return nil
            }
            let attempts = known?.attempts ?? 0
            state.deferred[room, default: [:]][item.number] = Deferral(attempts: attempts + 1)
            let range = Self.deferralMilliseconds
            return min(range.upperBound, range.lowerBound << min(attempts, 10))
        }
    }

    /// The time of an event that was put off has come.
    private func retry(_ number: Int64, of room: RoomNumber) {
        let isKnown = state.withLock { state in
            guard state.deferred[room]?[number] != nil else { return false }
            state.deferred[room]?[number]?.isDue = true
            return true
        }
        if isKnown { wake(room) }
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
