import Matrix
import Store
import Synchronization

/// Which members' events each device has been sent, so that lazy loading does not send them again with every message.
///
/// Memory only: what is forgotten is sent once more.
final class LazyMembers: Sendable {
    private struct Key: Hashable {
        let user: UserNumber
        let device: DeviceID
        let room: RoomNumber
    }

    private let sent = Mutex<[Key: [UserID: EventNumber]]>([:])
    private static let limit = 100_000

    /// Of `members`, those the device has not been sent; it is noted that it will have been.
    func unsent(
        _ members: [(UserID, EventNumber)], to user: Requester, in room: RoomNumber, sendAll: Bool
    ) -> [EventNumber] {
        guard let device = user.device else { return members.map(\.1) }
        let key = Key(user: user.number, device: device, room: room)
        return sent.withLock { sent in
            if sent.count > Self.limit { sent.removeAll() }
            var unsent: [EventNumber] = []
            for (member, event) in members {
                if sendAll || sent[key]?[member] != event { unsent.append(event) }
                sent[key, default: [:]][member] = event
            }
            return unsent
        }
    }

    /// Forgets what a device was sent of a room: it begins anew.
    func reset(_ user: Requester, in room: RoomNumber) {
        guard let device = user.device else { return }
        sent.withLock { $0[Key(user: user.number, device: device, room: room)] = nil }
    }
}
