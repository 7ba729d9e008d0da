import Matrix
import Store
import Testing

/// A room whose events a test writes down as it likes, of users of any server: stored as the room service does, but
/// not decided on.
struct ScriptedRoom: Sendable {
    let id: RoomID
    let number: RoomNumber
    private let version: RoomVersion
    private var state = StateMap()
    private var chain: StateChain?
    private var head: Int64 = 0
    private var extremities: [EventNumber] = []

    init(_ name: String, in store: Store) async throws {
        id = try #require(RoomID("!\(name):here.example"))
        version = try #require(RoomVersion(id: "10"))
        number = try await store.write { [id, version] writer in
            let number = RoomNumber(try writer.events.reserveNumbers(1).rawValue)
            try writer.rooms.insert(number, id, version: version)
            return number
        }
    }

    /// Stores and announces an event.
    ///
    /// - Parameter besides: Whether it does not follow what came before, which stays an end of the room.
    @discardableResult
    mutating func send(
        _ type: EventType = .message, by sender: UserID, key: String? = nil, content: JSONValue = [:],
        relay: EventRelay? = nil, besides: Bool = false, in store: Store
    ) async throws -> StoredEvent {
        let before = self
        let (after, stored) = try await store.write { writer in
            var room = before
            let stored = try room.write(type, sender, key, content, relay, besides, writer)
            return (room, stored)
        }
        self = after
        return stored
    }

    /// Changes a user's membership.
    @discardableResult
    mutating func set(
        _ membership: Membership, of user: UserID, by sender: UserID? = nil, relay: EventRelay? = nil,
        besides: Bool = false, in store: Store
    ) async throws -> StoredEvent {
        try await send(
            .member, by: sender ?? user, key: user.string, content: ["membership": .string(membership.rawValue)],
            relay: relay, besides: besides, in: store)
    }

    private mutating func write(
        _ type: EventType, _ sender: UserID, _ key: String?, _ content: JSONValue, _ relay: EventRelay?,
        _ besides: Bool, _ writer: StoreWriter
    ) throws -> StoredEvent {
        let number = try writer.events.reserveNumbers(1)
        let position = try writer.journal.reserve(1)
        let event = try event(number, type, sender, key, content)
        var keyNumber: StateKeyNumber?
        var replaces: EventNumber?
        if let key {
            let name = try writer.identifiers.intern(StateKey(type, key))
            keyNumber = name
            replaces = state[name]
            state[name] = number
            chain =
                if let chain {
                    try writer.states.insert(room: self.number, after: chain, changes: [name: number], map: state)
                } else {
                    try writer.states.insertFirst(room: self.number, state)
                }
        }
        let stored = StoredEvent(
            number: number, event: event, room: self.number, sender: try writer.identifiers.intern(sender),
            stateKey: keyNumber, position: position, state: chain?.number, replaces: replaces, redactedBy: nil,
            status: .accepted, receivedTimestamp: 0, transaction: nil)
        try writer.events.insert(stored)
        if let chain { try writer.states.retain(chain.number, count: 1) }
        var subject: UserNumber?
        if type == .member, let user = key.flatMap({ UserID($0) }), let membership = Membership(of: event) {
            let user = try writer.identifiers.intern(user)
            subject = user
            try writer.memberships.set(membership, of: user, in: self.number, event: number, position: position)
        }
        switch relay {
        case .onBehalf(let origin): try writer.relays.add(number, origin: origin)
        case .handedOver: try writer.relays.handOver(number)
        case nil: break
        }
        try writer.journal.append(.event(stored, subject: subject), at: position)
        try writer.rooms.setForwardExtremities(
            self.number, removing: besides ? [] : extremities, adding: [number])
        try writer.rooms.advance(self.number, from: head, state: chain?.number, position: position)
        extremities = besides ? extremities + [number] : [number]
        head += 1
        return stored
    }

    private func event(
        _ number: EventNumber, _ type: EventType, _ sender: UserID, _ key: String?, _ content: JSONValue
    ) throws -> Event {
        let name = "$\(number)"
        var json: JSONValue = [
            "event_id": .string(name), "room_id": .string(id.string), "type": .string(type.string),
            "sender": .string(sender.string), "content": content, "origin_server_ts": 1, "depth": 1,
            "prev_events": [], "auth_events": [],
        ]
        if let key { json["state_key"] = .string(key) }
        return try Event(trusted: json.serialized(), version: version, eventID: EventID(trusted: name))
    }
}
