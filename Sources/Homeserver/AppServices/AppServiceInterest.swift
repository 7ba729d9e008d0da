import Matrix
import Store
import Synchronization

/// Which application services are interested in what happens in a room. Kept in memory as long as its members stay the same.
final class AppServiceInterest: Sendable {
    private struct Known {
        /// The services that have a member in the room, or name it.
        var rooms: [RoomNumber: Set<Int>] = [:]
        /// Grows with every change of memberships: what was read before one is not kept after it.
        var changes = 0
    }

    /// The services, known by their place.
    let services: [AppService]
    private let store: Store
    private let known = Mutex(Known())
    private let watchesAliases: Bool

    private static let capacity = 20_000

    init(services: [AppService], store: Store) {
        self.services = services
        self.store = store
        watchesAliases = services.contains { !$0.namespaces.aliases.isEmpty }
        guard !services.isEmpty else { return }
        store.onMembershipChange { [weak self] change in self?.note(change) }
    }

    private func note(_ change: MembershipChange) {
        if case .user(_, let id, _, _, _) = change, !services.contains(where: { $0.owns(id) }) { return }
        known.withLock { known in
            known.changes += 1
            known.rooms[change.room] = nil
        }
    }

    /// The services that are interested in everything that happens in a room.
    func services(in room: RoomNumber) async throws -> Set<Int> {
        let (cached, changes) = known.withLock { ($0.rooms[room], $0.changes) }
        guard let server = services.first?.sender.server else { return [] }
        let roomID = cached == nil ? try await store.room(room) : nil
        let watchesAliases = watchesAliases
        let (members, aliases) = try await store.read { reader in
            (
                cached == nil ? try reader.appServices.joinedUsers(of: server, in: room) : [],
                watchesAliases ? try reader.aliases.aliases(of: room) : []
            )
        }
        var found = cached ?? []
        if let roomID {
            for (index, service) in services.enumerated()
            where service.owns(roomID) || members.contains(where: service.owns) {
                found.insert(index)
            }
            known.withLock { [found] known in
                guard known.changes == changes else { return }
                if known.rooms.count >= Self.capacity { known.rooms = [:] }
                known.rooms[room] = found
            }
        }
        // Aliases come and go without anybody being told.
        for (index, service) in services.enumerated() where aliases.contains(where: service.owns) {
            found.insert(index)
        }
        return found
    }

    /// Whether a service is interested in a room also without some of its users.
    func isInterested(_ index: Int, in room: RoomNumber, without users: Set<UserID>) async throws -> Bool {
        let service = services[index]
        if service.owns(try await store.room(room)) { return true }
        let (members, aliases) = try await store.read { reader in
            (
                try reader.appServices.joinedUsers(of: service.sender.server, in: room),
                try reader.aliases.aliases(of: room)
            )
        }
        return members.contains { !users.contains($0) && service.owns($0) } || aliases.contains(where: service.owns)
    }

    /// The services whose users are in a room with a user, or whose user it is, as far as they want to hear of such things.
    func services(sharingRoomsWith user: UserNumber, wanting extra: AppService.Extras) async throws -> Set<Int> {
        let wanting = Set(services.indices.filter { services[$0].extras.contains(extra) })
        guard !wanting.isEmpty else { return [] }
        let id = try await store.user(user)
        var found = wanting.filter { services[$0].owns(id) }
        for room in try await store.read({ try $0.memberships.joinedRooms(of: user) }) where found != wanting {
            found.formUnion(try await services(in: room).intersection(wanting))
        }
        return found
    }
}
