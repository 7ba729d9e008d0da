import Matrix
import Synchronization

/// Rooms that this server is coming into: what others send for them waits until it is in.
final class RoomEntries: Sendable {
    private struct State {
        var rooms: [RoomNumber: Int] = [:]
        var listener: (@Sendable (RoomNumber) -> Void)?
    }

    private let state = Mutex(State())

    /// Whether this server is coming into a room.
    func contains(_ room: RoomNumber) -> Bool { state.withLock { $0.rooms[room] != nil } }

    /// Calls `listener` with each room that this server has come into, or has not come into after all.
    func onEnd(_ listener: @escaping @Sendable (RoomNumber) -> Void) { state.withLock { $0.listener = listener } }

    func begin(_ room: RoomNumber) { state.withLock { $0.rooms[room, default: 0] += 1 } }

    func end(_ room: RoomNumber) {
        let listener = state.withLock { state in
            let rest = (state.rooms[room] ?? 1) - 1
            state.rooms[room] = rest > 0 ? rest : nil
            return rest > 0 ? nil : state.listener
        }
        listener?(room)
    }
}
