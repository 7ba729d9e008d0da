import Matrix
import Store

/// What a response needs to know of a room that the user is in.
struct RoomPicture: Sendable {
    /// The state at the response's end.
    var state: StateMap
    /// How many are joined.
    var joined: Int
    /// How many are invited.
    var invited: Int
    /// The newest events, newest first, as many as ``pageSize(_:)`` says; `nil` if they have not been read.
    var page: [StoredEvent]?
    /// What of the state is wanted; empty if it was not asked for.
    var wanted: [EventNumber] = []
    /// What names the room without a name; `nil` if it was not asked for.
    var heroes: [StoredEvent]?
    /// Events that were read with it.
    var events: [EventNumber: StoredEvent] = [:]

    /// How many events are read for a timeline: one more than are wanted tells whether there are more, and some are left out.
    static func pageSize(_ limit: Int) -> Int { limit + 3 }

    /// Rooms that are read at once: a reader is not to be held up for long.
    static let roomsAtOnce = 100

    /// Reads what a first answer about rooms needs, for many of them at once: going to the database costs more than what is read there.
    ///
    /// - Parameters:
    ///   - rooms: The rooms, and what is wanted of each.
    ///   - user: Who asks; nobody's own hero.
    ///   - through: Where the response ends.
    static func read(
        _ rooms: [(room: RoomNumber, config: CombinedConfig)], for user: UserNumber, through: StreamPosition,
        _ reader: StoreReader
    ) throws -> [RoomNumber: RoomPicture] {
        let configs = Dictionary(rooms.map { ($0.room, $0.config) }) { first, _ in first }
        let counts = try reader.memberships.counts(in: Array(configs.keys))
        let meta = try [StateKey(.name), StateKey(.avatar)].compactMap { try reader.identifiers.number(of: $0) }
        var selectors: [CombinedState: StateSelector] = [:]
        var pictures: [RoomNumber: RoomPicture] = [:]
        var events: [EventNumber] = []
        for record in try reader.rooms.rooms(Array(configs.keys)) {
            guard let config = configs[record.number] else { continue }
            var number = record.state
            if record.position > through {
                number = try reader.events.roomState(of: record.number, at: through) ?? number
            }
            let state = try number.map { try reader.states.map($0) } ?? StateMap()
            let selector = try selectors[config.state] ?? StateSelector(config.state, reader)
            selectors[config.state] = selector
            var picture = RoomPicture(
                state: state, joined: counts[record.number]?[.join] ?? 0, invited: counts[record.number]?[.invite] ?? 0)
            picture.wanted = try selector.select(state, reader)
            let page = try reader.events.timeline(
                record.number, after: StreamPosition(.min), through: through, limit: pageSize(config.timelineLimit),
                newestFirst: true)
            picture.page = page
            events += picture.wanted + meta.compactMap { state[$0] }
            if config.state.lazyMembers {
                for event in page.prefix(config.timelineLimit) {
                    let key = try reader.identifiers.number(of: .member(event.event.sender))
                    if let member = key.flatMap({ state[$0] }) { events.append(member) }
                }
            }
            pictures[record.number] = picture
        }
        for event in try reader.events.events(Array(Set(events))) { pictures[event.room]?.events[event.number] = event }
        for room in pictures.keys {
            guard let picture = pictures[room], !picture.isNamed(meta.first) else { continue }
            let heroes = try readHeroes(of: room, picture.state, besides: user, reader)
            pictures[room]?.heroes = heroes
        }
        return pictures
    }

    private func isNamed(_ key: StateKeyNumber?) -> Bool {
        guard let name = key.flatMap({ state[$0] }).flatMap({ events[$0] }) else { return false }
        return name.event.content["name"]?.string?.isEmpty == false
    }

    /// The memberships of those who name a room without a name.
    ///
    /// [RoomSummary](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync)
    static func readHeroes(
        of room: RoomNumber, _ state: StateMap, besides user: UserNumber, _ reader: StoreReader
    ) throws -> [StoredEvent] {
        var users: [UserNumber] = []
        for membership in [Membership.join, .invite, .leave, .ban] where users.isEmpty || membership == .invite {
            users += try reader.memberships.users(in: room, membership, limit: 6).filter { $0 != user }
        }
        let members = try users.prefix(5).compactMap { user in
            try reader.identifiers.number(of: .member(try reader.identifiers.user(user))).flatMap { state[$0] }
        }
        let found = Dictionary(
            try reader.events.events(members).map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        return members.compactMap { found[$0] }
    }
}

/// What all rules together want of a room.
struct CombinedConfig: Sendable {
    var timelineLimit: Int
    var state: CombinedState
}

/// Which events show that a room is in use: those that move it up in the list of rooms.
///
/// [`bump_stamp`](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md#common-fields)
enum BumpStamp {
    private static let types: Set<EventType> = [
        .create, .message, .encrypted, "m.sticker", "m.call.invite", "m.poll.start", "m.beacon_info",
    ]

    /// Pages that are looked through, and events in each.
    private static let pages = 5
    private static let pageSize = 100

    /// The stamp of an event, if it is one that counts.
    static func stamp(of event: StoredEvent) -> StreamPosition? {
        guard event.status == .accepted, types.contains(event.event.type), let position = event.position,
            position.rawValue > 0
        else { return nil }
        return position
    }

    /// The newest stamp in a stretch of a room's timeline; `nil` if nothing in it counts. In a long stretch without messages the place
    /// where the search ended.
    static func search(
        _ room: RoomNumber, after: StreamPosition, through: StreamPosition, _ reader: StoreReader
    ) throws -> StreamPosition? {
        var cursor = through
        for _ in 0..<pages {
            let page = try reader.events.timeline(
                room, after: after, through: cursor, limit: pageSize, newestFirst: true)
            if let found = page.lazy.compactMap({ stamp(of: $0) }).first { return found }
            guard page.count == pageSize, let oldest = page.last?.position, oldest.rawValue > 0 else { return nil }
            cursor = StreamPosition(oldest.rawValue - 1)
        }
        return cursor
    }
}
