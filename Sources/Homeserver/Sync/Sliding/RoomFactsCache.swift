import Matrix
import Store
import Synchronization

/// Keeps what lists of sliding sync ask about the state of rooms, for all users: most of it never changes.
public final class RoomFactsCache: Sendable {
    private let store: Store
    private let cache: GenerationalCache<RoomNumber, RoomFacts>
    /// How often something was forgotten: what was read before is not kept.
    private let forgotten = Atomic<Int>(0)

    /// Rooms that are read at once.
    private static let roomsAtOnce = 100

    /// - Parameters:
    ///   - store: Where the rooms' state is.
    ///   - capacity: How many rooms are remembered.
    public init(store: Store, capacity: Int = 100_000) {
        self.store = store
        cache = GenerationalCache(budget: capacity)
        store.journal.listen { [weak self] entries in self?.follow(entries) }
    }

    private func follow(_ entries: ArraySlice<JournalEntry>) {
        for entry in entries {
            switch entry.change {
            case .event(let event, _):
                if event.stateKey != nil, RoomFacts.eventTypes.contains(event.event.type) { forget(event.room) }
            case .memberships(let room, _): forget(room)
            default: break
            }
        }
    }

    private func forget(_ room: RoomNumber) {
        forgotten.add(1, ordering: .sequentiallyConsistent)
        cache.remove(room)
    }

    /// What is known of rooms by their current state.
    func facts(of rooms: [RoomNumber]) async throws -> [RoomNumber: RoomFacts] {
        var found: [RoomNumber: RoomFacts] = [:]
        var missing: [RoomNumber] = []
        for room in rooms {
            if let facts = cache[room] { found[room] = facts } else { missing.append(room) }
        }
        for start in stride(from: 0, to: missing.count, by: Self.roomsAtOnce) {
            let some = Array(missing[start..<min(start + Self.roomsAtOnce, missing.count)])
            let before = forgotten.load(ordering: .sequentiallyConsistent)
            for (room, facts) in try await store.read({ try Self.read(some, $0) }) {
                found[room] = facts
                if forgotten.load(ordering: .sequentiallyConsistent) == before { cache.insert(room, facts) }
            }
        }
        return found
    }

    /// What is known of a room that the user is not in, by what they were told of it.
    func facts(of room: RoomNumber, toldTo user: UserNumber) async throws -> RoomFacts? {
        guard let told = try await store.read({ try $0.graph.strippedState(of: room, for: user) }) else {
            return try await facts(of: [room])[room]
        }
        var facts = RoomFacts()
        var knowsCreation = false
        for event in try JSON(parsing: told).elements where event["state_key"]?.string?.isEmpty == true {
            guard let type = event["type"]?.string.map({ EventType($0) }) else { continue }
            if type == .create { knowsCreation = true }
            Self.note(type, event["content"], in: &facts)
        }
        return knowsCreation ? facts : nil
    }

    private static func read(_ rooms: [RoomNumber], _ reader: StoreReader) throws -> [RoomNumber: RoomFacts] {
        var keys: [StateKeyNumber] = []
        for type in RoomFacts.eventTypes {
            if let key = try reader.identifiers.number(of: StateKey(type)) { keys.append(key) }
        }
        var events: [EventNumber] = []
        var facts: [RoomNumber: RoomFacts] = [:]
        for record in try reader.rooms.rooms(rooms) {
            guard let state = record.state else { continue }
            let map = try reader.states.map(state)
            facts[record.number] = RoomFacts()
            events += keys.compactMap { map[$0] }
        }
        for event in try reader.events.events(events) {
            note(event.event.type, event.event.content, in: &facts[event.room, default: RoomFacts()])
        }
        return facts
    }

    private static func note(_ type: EventType, _ content: JSON?, in facts: inout RoomFacts) {
        switch type {
        case .create: facts.type = content?["type"]?.string.map { ExactString($0) }
        case .encryption: facts.isEncrypted = true
        case .name: facts.name = content?["name"]?.string
        default: break
        }
    }
}
