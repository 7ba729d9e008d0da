import Matrix
import RoomEngine
import Store

/// Where a room stands: what the next event builds on. A value: a lane decides on a copy and keeps it only once it is durable.
public struct RoomHead: Sendable {
    /// An event that nothing builds on yet.
    struct Extremity: Sendable, Hashable {
        let number: EventNumber
        let id: EventID
        let depth: Int64
    }

    /// The room's number.
    public let number: RoomNumber
    /// The room; of a new room in a version that derives it from the creation event only known once that is built.
    public internal(set) var id: RoomID?
    /// The room's version.
    public let version: RoomVersion
    /// How often the head has moved; what the store checks.
    var count: Int64
    /// How the current state is stored.
    var place: WorkingState.Place
    /// The chain of deltas that the current state is stored as.
    var chain: StateChain?
    /// The current state.
    public internal(set) var state: StateMap
    /// What nothing builds on yet, oldest first.
    var extremities: [Extremity]
    /// The last change.
    public internal(set) var position: StreamPosition
    /// The creation event, read.
    public internal(set) var creation: RoomCreation?
    /// The power levels, read, and the event they are from.
    var powerLevels: (event: EventNumber, content: PowerLevelContent)?
    /// How many are joined.
    public internal(set) var joinedCount: Int
    /// How many of those who are joined are users of this server: if none is, this server is not in the room.
    var localCount: Int
    /// How many are invited.
    public internal(set) var invitedCount: Int
    /// Whether an administrator closed the room.
    let isBlocked: Bool

    /// The head of a room that has no event yet.
    init(new number: RoomNumber, id: RoomID?, version: RoomVersion) {
        self.number = number
        self.id = id
        self.version = version
        count = 0
        place = .none
        state = StateMap()
        extremities = []
        position = StreamPosition(0)
        joinedCount = 0
        localCount = 0
        invitedCount = 0
        isBlocked = false
    }

    /// The head as it is stored, without its creation and power levels.
    init?(_ number: RoomNumber, of server: ServerName, from reader: StoreReader) throws {
        guard let record = try reader.rooms.room(number) else { return nil }
        self.number = number
        id = record.id
        version = record.version
        count = record.head
        isBlocked = record.isBlocked
        position = record.position
        if let state = record.state {
            place = .stored(state)
            chain = try reader.states.chain(state)
            self.state = try reader.states.map(state)
        } else {
            place = .none
            state = StateMap()
        }
        let extremities = try reader.rooms.forwardExtremities(number)
        self.extremities = try reader.events.events(extremities).map {
            Extremity(number: $0.number, id: $0.event.eventID, depth: $0.event.depth)
        }.sorted { $0.number < $1.number }
        let counts = try reader.memberships.counts(in: number)
        joinedCount = counts[.join] ?? 0
        localCount = try reader.memberships.joinedCount(of: server, in: number)
        invitedCount = counts[.invite] ?? 0
        if let key = try reader.identifiers.number(of: StateKey(.create)), let create = state[key] {
            creation = try reader.events.event(create).map { RoomCreation($0.event) }
        }
        if let key = try reader.identifiers.number(of: StateKey(.powerLevels)), let event = state[key] {
            powerLevels = try reader.events.event(event).map { (event, PowerLevelContent($0.event)) }
        }
    }
}
