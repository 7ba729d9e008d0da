import Logging
import Matrix
import Store
import Synchronization

/// Has this server's guests leave rooms that no longer admit guests.
///
/// [Guest access](https://spec.matrix.org/v1.19/client-server-api/#guest-access): it is for each server to hold its guests to the
/// rules.
public final class GuestDeparture: Sendable {
    private struct State {
        var waiting: Set<RoomNumber> = []
        var isRunning = false
    }

    private let store: Store
    private let rooms: RoomService
    private let logger: Logger
    private let state = Mutex(State())

    /// Follows the journal from now on.
    public init(store: Store, rooms: RoomService, logger: Logger) {
        self.store = store
        self.rooms = rooms
        self.logger = logger
        store.journal.listen { [weak self] entries in
            for entry in entries {
                guard case .event(let event, _) = entry.change, event.event.state == StateKey(.guestAccess),
                    !Self.admits(event.event)
                else { continue }
                self?.clear([event.room])
            }
        }
    }

    /// Finishes what a stop of the server interrupted.
    public func resume() async throws {
        clear(try await store.read { try $0.guests.rooms() })
    }

    private static func admits(_ event: Event?) -> Bool { event?.content["guest_access"]?.string == "can_join" }

    private func clear(_ rooms: [RoomNumber]) {
        let mustStart = state.withLock { state in
            state.waiting.formUnion(rooms)
            guard !state.isRunning, !state.waiting.isEmpty else { return false }
            state.isRunning = true
            return true
        }
        if mustStart { Task { await run() } }
    }

    /// One room after the other: nobody waits for it.
    private func run() async {
        while true {
            let next = state.withLock { state -> RoomNumber? in
                let next = state.waiting.popFirst()
                if next == nil { state.isRunning = false }
                return next
            }
            guard let next else { return }
            do { try await removeGuests(from: next) } catch {
                // The next start looks again.
                logger.error("guests not removed", metadata: ["room": "\(next)", "error": "\(error)"])
            }
        }
    }

    private func removeGuests(from room: RoomNumber) async throws {
        let guests = try await store.read { try $0.guests.guests(in: room) }
        guard !guests.isEmpty, !Self.admits(try await rooms.view(room).event(StateKey(.guestAccess))?.event) else {
            return
        }
        for guest in guests {
            do {
                try await rooms.leave(room, by: Requester(id: guest.userID, number: guest.user), reason: nil)
            } catch let error as MatrixError where error.status < 500 {
                // Gone meanwhile.
                logger.debug("guest not removed", metadata: ["room": "\(room)", "error": "\(error.message)"])
            }
        }
    }
}
