import Logging
import Matrix
import RoomEngine
import Store
import Synchronization

/// Looks again at events that stick and have failed softly, whenever their room's state changes: what is allowed by then is shown after all.
///
/// [MSC4354](https://github.com/matrix-org/matrix-spec-proposals/pull/4354)
public final class StickyRevival: Sendable {
    private struct State {
        /// Rooms with such events.
        var rooms: Set<RoomNumber> = []
        /// Rooms that are being looked at, and whether they have changed since.
        var running: [RoomNumber: Bool] = [:]
    }

    /// How many events of a room are looked at.
    private static let limit = 200

    private let rooms: RoomService
    private let logger: Logger
    private let state = Mutex(State())

    /// Follows the journal from now on.
    public init(rooms: RoomService, logger: Logger) {
        self.rooms = rooms
        self.logger = logger
        rooms.stickyFailures.listen { [weak self] room in self?.noteFailure(in: room) }
        rooms.store.journal.listen { [weak self] entries in
            for entry in entries {
                switch entry.change {
                case .event(let event, _) where event.event.isState: self?.changed(event.room)
                case .memberships(let room, _): self?.changed(room)
                default: break
                }
            }
        }
    }

    /// Takes up what was left when the server stopped.
    public func resume() async throws {
        let store = rooms.store
        let now = store.lifetimes.now
        let found = try await store.read { try $0.stickyEvents.roomsWithSoftFailed(now: now) }
        state.withLock { $0.rooms.formUnion(found) }
        for room in found { changed(room) }
    }

    private func noteFailure(in room: RoomNumber) {
        state.withLock { state in
            state.rooms.insert(room)
            // Whoever is looking may have looked too early.
            if state.running[room] != nil { state.running[room] = true }
        }
    }

    private func changed(_ room: RoomNumber) {
        let starts = state.withLock { state in
            guard state.rooms.contains(room) else { return false }
            let isRunning = state.running[room] != nil
            state.running[room] = isRunning
            return !isRunning
        }
        if starts { Task { await self.look(at: room) } }
    }

    private func look(at room: RoomNumber) async {
        while true {
            var left = true
            do { left = try await rooms.reviveSticky(in: room, limit: Self.limit) } catch {
                logger.error("sticky events not looked at", metadata: ["room": "\(room)", "error": "\(error)"])
            }
            let goesOn = state.withLock { state in
                if left { state.rooms.insert(room) } else { state.rooms.remove(room) }
                guard state.running[room] == true else {
                    state.running[room] = nil
                    return false
                }
                state.running[room] = false
                return true
            }
            if !goesOn { return }
        }
    }
}

/// Tells in which rooms events that stick have failed softly.
final class StickyFailures: Sendable {
    private let listener = Mutex<(@Sendable (RoomNumber) -> Void)?>(nil)

    func listen(_ listener: @escaping @Sendable (RoomNumber) -> Void) { self.listener.withLock { $0 = listener } }

    func tell(_ room: RoomNumber) { listener.withLock { $0 }?(room) }
}

extension RoomService {
    /// Gives events that stick and have failed softly a place in the room's timeline, if its current state allows them.
    ///
    /// - Returns: Whether some are left.
    func reviveSticky(in room: RoomNumber, limit: Int) async throws -> Bool {
        let now = services.clock.now
        let numbers = try await store.read { try $0.stickyEvents.softFailed(in: room, now: now, limit: limit) }
        guard !numbers.isEmpty else { return false }
        let events = try await store.events(numbers)
        return try await lane(room).perform { work in
            var left = false
            for number in numbers {
                guard let event = events[number], event.status == .softFailed else { continue }
                if try await !work.revive(event) { left = true }
            }
            return left
        }
    }
}

extension RoomWork {
    /// Accepts an event that has failed softly, if the current state allows it. State is left alone: others have built on what was instead.
    ///
    /// - Returns: Whether it was.
    mutating func revive(_ event: StoredEvent) async throws -> Bool {
        guard isInside, !event.event.isState, event.redactedBy == nil, let state = event.state else { return false }
        let keys = Authorization.requiredKeys(for: event.event)
        let allowed = Authorization.check(event.event, against: try await authState(current, keys))
        guard case .success = allowed else { return false }
        planned.append(
            PlannedEvent(
                number: event.number, event: event.event, sender: event.sender, stateKey: nil, status: .accepted,
                timeline: .end, isFromElsewhere: false, replaces: nil, transaction: nil,
                receivedTimestamp: event.receivedTimestamp, stateAfter: .stored(state),
                roomState: head.place == .stored(state) ? nil : head.place, revives: state))
        return true
    }
}
