import Matrix
import RoomEngine
import Store

extension SyncService {
    /// Whom a user has met, or meets no more.
    struct PeopleMet {
        /// Who has come into the user's rooms, or was there when the user came.
        var joined: Set<UserNumber> = []
        /// Who has been invited there: what is said from now on may be encrypted for them.
        var invited: Set<UserNumber> = []
        /// Who has gone from there, or was there when the user went.
        var gone: Set<UserNumber> = []
    }

    /// - Parameter isComplete: Whether all events are in `changes`. A client that is further behind than the journal's tail reaches gets the end of
    ///   each timeline only; who came and went before that, the memberships say.
    func peopleMet(
        _ changes: SyncChanges, _ rooms: UserRooms, _ user: Requester, since: StreamPosition, isComplete: Bool
    ) async throws -> PeopleMet {
        var met =
            isComplete ? try await peopleMet(changes, rooms, user) : try await peopleMet(changes, rooms, since: since)
        for room in changes.ownMemberships {
            guard let entry = rooms.rooms[room] else { continue }
            let members = try await store.read { try $0.memberships.users(in: room, .join) }
            if entry.membership == .join {
                if try await isNewlyJoined(entry, true, since) { met.joined.formUnion(members) }
            } else if entry.membership == .leave || entry.membership == .ban {
                met.gone.formUnion(members)
            }
        }
        met.joined.remove(user.number)
        met.gone.remove(user.number)
        return met
    }

    /// As events say.
    private func peopleMet(
        _ changes: SyncChanges, _ rooms: UserRooms, _ user: Requester
    ) async throws -> PeopleMet {
        // Whoever is in a room by another way than an event: whether that is so now is looked up for both.
        var met = PeopleMet(joined: changes.resetMembers, gone: changes.resetMembers)
        for (room, events) in changes.events where rooms.rooms[room]?.membership == .join {
            for event in events where event.event.type == .member {
                guard let other = event.event.stateKey.flatMap({ UserID($0.string) }), other != user.id,
                    let number = try await store.number(of: other)
                else { continue }
                let before = try await membershipBefore(event)
                switch Membership(of: event.event) {
                case .join: if before != .join { met.joined.insert(number) }
                case .invite: if before != .invite { met.invited.insert(number) }
                default: if before == .join || before == .invite { met.gone.insert(number) }
                }
            }
        }
        return met
    }

    /// As memberships say. Who only took another name is named as well.
    private func peopleMet(
        _ changes: SyncChanges, _ rooms: UserRooms, since: StreamPosition
    ) async throws -> PeopleMet {
        let changed = changes.events.keys.filter { rooms.rooms[$0]?.membership == .join }
        let memberships = try await store.read { try $0.memberships.changed(in: changed, after: since) }
        var met = PeopleMet()
        for (user, membership) in memberships {
            switch membership {
            case .join: met.joined.insert(user)
            case .invite: met.invited.insert(user)
            case .leave, .ban, .knock: met.gone.insert(user)
            }
        }
        met.invited.subtract(met.joined)
        return met
    }

    /// The membership in whose place a membership event came.
    private func membershipBefore(_ event: StoredEvent) async throws -> Membership? {
        guard let replaced = event.replaces, let before = try await store.event(replaced) else { return nil }
        return Membership(of: before.event)
    }

    /// Whose devices the client has to look at again, and whose it may forget.
    ///
    /// [Tracking device lists](https://spec.matrix.org/v1.19/client-server-api/#tracking-the-device-list-for-a-user)
    func deviceLists(
        _ changes: SyncChanges, _ met: PeopleMet, _ user: Requester
    ) async throws -> (changed: [UserID], left: [UserID]) {
        let me = user.number
        let candidates = changes.deviceLists.union(met.joined)
        let asked = Array(candidates.union(met.gone).subtracting([me]))
        let sharing =
            asked.isEmpty ? [] : Set(try await store.read { try $0.memberships.sharing(with: me, among: asked) })
        var changed = candidates.intersection(sharing).union(met.invited)
        if changes.deviceLists.contains(me) { changed.insert(me) }
        var lists: (changed: [UserID], left: [UserID]) = ([], [])
        for user in changed.sorted() { lists.changed.append(try await store.user(user)) }
        for user in met.gone.subtracting(sharing).subtracting(met.invited).sorted() {
            lists.left.append(try await store.user(user))
        }
        return lists
    }
}
