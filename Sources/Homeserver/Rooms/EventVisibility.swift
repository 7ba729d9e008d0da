import Matrix
import RoomEngine
import Store

/// Decides which events of a room a user may see.
///
/// [Room history visibility](https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility)
struct EventVisibility {
    let store: Store

    /// Those of `events`, all of one room, that the user may see, in the same order.
    func visible(_ events: [StoredEvent], in room: RoomNumber, to user: UserNumber, id: UserID) async throws
        -> [StoredEvent]
    {
        guard !events.isEmpty else { return [] }
        let record = try await store.read { try $0.memberships.membership(of: user, in: room) }
        let visibilityKey = try await store.number(of: StateKey(.historyVisibility))
        let memberKey = try await store.number(of: .member(id))
        let leftAt = try await end(of: record)
        var seen: [StoredEvent] = []
        for event in events {
            let state = try await event.state.asyncMap { try await store.state($0) } ?? StateMap()
            let rule = HistoryVisibility(of: try await self.event(visibilityKey.flatMap { state[$0] }))
            let membership = try await self.event(memberKey.flatMap { state[$0] }).flatMap { Membership(of: $0) }
            var candidates = [(rule, membership)]
            // Where the event itself is what decides, the more permissive of before and after counts.
            if event.stateKey == visibilityKey, visibilityKey != nil {
                candidates.append((HistoryVisibility(of: try await self.event(event.replaces)), membership))
            } else if event.stateKey == memberKey, memberKey != nil {
                candidates.append((rule, try await self.event(event.replaces).flatMap { Membership(of: $0) }))
            }
            let joinedLater = record?.membership == .join || (leftAt.map { event.position ?? $0 < $0 } ?? false)
            if candidates.contains(where: { $0.0.allows($0.1, joinedLater: joinedLater) }) { seen.append(event) }
        }
        return try await Erasure(store: store).hiding(seen, from: id)
    }

    /// When a user who is not in the room any more was last in it.
    private func end(of record: MembershipRecord?) async throws -> StreamPosition? {
        guard let record, record.membership != .join else { return nil }
        guard let leave = try await store.event(record.event), let replaced = leave.replaces,
            let before = try await store.event(replaced), Membership(of: before.event) == .join
        else { return nil }
        return record.position
    }

    private func event(_ number: EventNumber?) async throws -> Event? {
        guard let number else { return nil }
        return try await store.event(number)?.event
    }
}

/// Who may read a room's history: `history_visibility` of
/// [`m.room.history_visibility`](https://spec.matrix.org/v1.19/client-server-api/#mroomhistory_visibility).
enum HistoryVisibility: String, Sendable {
    case worldReadable = "world_readable"
    case shared, invited, joined

    /// What an event says; without one, or where it says something unknown, `shared`.
    init(of event: Event?) {
        self = (event?.content["history_visibility"]?.string).flatMap(HistoryVisibility.init(rawValue:)) ?? .shared
    }

    func allows(_ membership: Membership?, joinedLater: Bool) -> Bool {
        if self == .worldReadable || membership == .join { return true }
        switch self {
        case .shared: return joinedLater
        case .invited: return membership == .invite
        case .worldReadable, .joined: return false
        }
    }
}

extension Optional {
    func asyncMap<T>(_ transform: (Wrapped) async throws -> T) async rethrows -> T? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
