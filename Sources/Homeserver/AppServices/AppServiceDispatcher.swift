import Matrix
import RoomEngine
import Store

/// Goes through the journal and lets wait for each application service what it is interested in.
///
/// [Registration](https://spec.matrix.org/v1.19/application-service-api/#registration) says what that is. Whether a service can be reached
/// makes no difference here: what it is told is decided when it happens.
struct AppServiceDispatcher: JournalFollower {
    let store: Store
    let interest: AppServiceInterest
    /// For each service, since when it is told of what happens.
    let since: [StreamPosition]
    let tellsPresence: Bool
    /// Called once something waits for services.
    let wake: @Sendable (Set<Int>) -> Void

    private var services: [AppService] { interest.services }

    func followUp() async throws -> Bool { false }

    func follow(_ rows: [JournalRow]) async throws -> (@Sendable (StoreWriter) throws -> Void)? {
        var waiting: [(service: Int, item: AppServiceItem)] = []
        let events = try await Events(rows, interest: interest, store: store)
        for row in rows {
            guard let (subject, takers) = try await interested(in: row, events) else { continue }
            for service in takers.sorted() where row.position > since[service] {
                waiting.append((service, AppServiceItem(position: row.position, subject: subject)))
            }
        }
        guard !waiting.isEmpty else { return nil }
        let (all, names, wakeAll) = (waiting, services.map(\.id), wake)
        return { writer in
            for (service, item) in all { try writer.appServices.append(item, for: names[service]) }
            writer.sql.onCommit { wakeAll(Set(all.map(\.service))) }
        }
    }

    /// What an entry of the journal is to application services, and to which.
    private func interested(
        in row: JournalRow, _ events: Events
    ) async throws -> (AppServiceItem.Subject, Set<Int>)? {
        switch row.subject {
        case .event(let number, _):
            return (.event(number), try await events.interested(in: number, at: row.position))
        case .receipt(let user, let room, let type):
            let wanting = services(wanting: .ephemeral)
            guard !wanting.isEmpty else { return nil }
            let interested: Set<Int>
            if type == "m.read" {
                interested = try await interest.services(in: room).intersection(wanting)
            } else {
                // What others may not see.
                let id = try await store.user(user)
                interested = wanting.filter { services[$0].owns(id) }
            }
            return (.receipt(user, room, type: type), interested)
        case .presence(let user):
            guard tellsPresence else { return nil }
            return (.presence(user), try await interest.services(sharingRoomsWith: user, wanting: .ephemeral))
        case .deviceList(let user):
            return (.deviceList(user), try await interest.services(sharingRoomsWith: user, wanting: .devices))
        case .toDevice(let user, let device):
            return (.toDevice(user, device), try await owners(of: user, wanting: .ephemeral))
        case .oneTimeKeys(let user, let device):
            return (.keyCounts(user, device), try await owners(of: user, wanting: .devices))
        case .memberships, .other: return nil
        }
    }

    private func services(wanting extra: AppService.Extras) -> Set<Int> {
        Set(services.indices.filter { services[$0].extras.contains(extra) })
    }

    private func owners(of user: UserNumber, wanting extra: AppService.Extras) async throws -> Set<Int> {
        let wanting = services(wanting: extra)
        guard !wanting.isEmpty else { return [] }
        let id = try await store.user(user)
        return wanting.filter { services[$0].owns(id) }
    }

    /// The events of a stretch of the journal.
    private struct Events {
        /// That a service's user comes into a room, or leaves it, within the stretch.
        private struct Move {
            let service: Int
            let user: UserID
            let position: StreamPosition
            let isJoin: Bool
        }

        private let interest: AppServiceInterest
        private let events: [EventNumber: StoredEvent]
        /// What is known of a room's members is of after the stretch: these have changed it.
        private let moves: [RoomNumber: [Move]]

        init(_ rows: [JournalRow], interest: AppServiceInterest, store: Store) async throws {
            let numbers = rows.compactMap { row in
                if case .event(let number, _) = row.subject { number } else { nil }
            }
            let events = numbers.isEmpty ? [:] : try await store.events(numbers)
            var moves: [RoomNumber: [Move]] = [:]
            for row in rows {
                guard case .event(let number, _) = row.subject, let event = events[number], event.status == .accepted,
                    let user = Self.subject(of: event)
                else { continue }
                let owners = interest.services.indices.filter { interest.services[$0].owns(user) }
                guard !owners.isEmpty else { continue }
                var before: Membership?
                if let replaces = event.replaces, let replaced = try await store.event(replaces) {
                    before = Membership(of: replaced.event)
                }
                let isJoin = Membership(of: event.event) == .join
                guard isJoin != (before == .join) else { continue }
                for service in owners {
                    moves[event.room, default: []].append(
                        Move(service: service, user: user, position: row.position, isJoin: isJoin))
                }
            }
            self.interest = interest
            self.events = events
            self.moves = moves
        }

        private static func subject(of event: StoredEvent) -> UserID? {
            guard event.event.type == .member else { return nil }
            return event.event.stateKey.flatMap { UserID($0.string) }
        }

        func interested(in number: EventNumber, at position: StreamPosition) async throws -> Set<Int> {
            guard let event = events[number] else { return [] }
            let subject = Self.subject(of: event)
            var found: Set<Int> = []
            for (index, service) in interest.services.enumerated() {
                if let subject, service.owns(subject) { found.insert(index) }
                if event.status == .accepted, service.owns(event.event.sender) { found.insert(index) }
            }
            // An invitation into a room that this server is not in is no part of the room here.
            guard event.status == .accepted else { return event.status == .outlier ? found : [] }
            var inRoom = try await interest.services(in: event.room)
            let later = (moves[event.room] ?? []).filter { $0.position > position }
            for service in Set(later.map(\.service)) {
                var joined: Set<UserID> = []
                var absent: Set<UserID> = []
                // The next move of each tells where they are now.
                for move in later.reversed() where move.service == service {
                    if move.isJoin { absent.insert(move.user) } else { absent.remove(move.user) }
                    if move.isJoin { joined.remove(move.user) } else { joined.insert(move.user) }
                }
                if !joined.isEmpty {
                    inRoom.insert(service)
                } else if try await !interest.isInterested(service, in: event.room, without: absent) {
                    inRoom.remove(service)
                }
            }
            return found.union(inRoom)
        }
    }
}
