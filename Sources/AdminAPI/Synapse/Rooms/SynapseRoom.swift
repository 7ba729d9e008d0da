import Homeserver
import Matrix
import Store
import Web

/// A room as Synapse describes it.
enum SynapseRoom {
    static func json(_ room: RoomOverview) -> JSONObject {
        [
            "room_id": .string(room.id.string), "name": room.name.json, "canonical_alias": room.canonicalAlias.json,
            "joined_members": .integer(Int64(room.joinedMembers)),
            "joined_local_members": .integer(Int64(room.joinedLocalMembers)), "version": .string(room.version.id),
            "creator": (room.creator?.string).json, "encryption": room.encryption.json,
            "federatable": .bool(room.isFederated), "public": .bool(room.isPublished), "join_rules": room.joinRule.json,
            "guest_access": room.guestAccess.json, "history_visibility": room.historyVisibility.json,
            "state_events": .integer(Int64(room.stateEvents)), "room_type": room.type.json,
        ]
    }
}

/// By what a list of rooms is in order.
enum SynapseRoomOrder: String {
    case name, version, creator, encryption, federatable, alphabetical, size
    case `public`
    case alias = "canonical_alias"
    case members = "joined_members"
    case localMembers = "joined_local_members"
    case joinRules = "join_rules"
    case guestAccess = "guest_access"
    case historyVisibility = "history_visibility"
    case stateEvents = "state_events"

    /// Puts rooms in order: texts from A to Z and what has none last, numbers from the largest. What is alike is in the order of room IDs.
    func sorted(_ rooms: [RoomOverview], isReversed: Bool) -> [RoomOverview] {
        let keyed = rooms.map { (room: $0, key: key(of: $0), id: Array($0.id.string.utf8)) }
        return keyed.sorted { left, right in
            let (first, second) = isReversed ? (right.key, left.key) : (left.key, right.key)
            if first.precedes(second) { return true }
            if second.precedes(first) { return false }
            return left.id.lexicographicallyPrecedes(right.id)
        }.map(\.room)
    }

    private enum Key {
        case text([UInt8]?)
        case number(Int)

        func precedes(_ other: Key) -> Bool {
            switch (self, other) {
            case (.text(let left?), .text(let right?)): left.lexicographicallyPrecedes(right)
            case (.text(let left), .text): left != nil
            case (.number(let left), .number(let right)): left > right
            default: false
            }
        }
    }

    private func key(of room: RoomOverview) -> Key {
        func text(_ text: String?) -> Key { .text(text.map { Array($0.utf8) }) }
        func flag(_ flag: Bool) -> Key { .number(flag ? 0 : 1) }
        return switch self {
        case .name, .alphabetical: text(room.name)
        case .alias: text(room.canonicalAlias)
        case .creator: text(room.creator?.string)
        case .encryption: text(room.encryption)
        case .joinRules: text(room.joinRule)
        case .guestAccess: text(room.guestAccess)
        case .historyVisibility: text(room.historyVisibility)
        case .members, .size: .number(room.joinedMembers)
        case .localMembers: .number(room.joinedLocalMembers)
        case .stateEvents: .number(room.stateEvents)
        case .version: .number(Int(room.version.id) ?? 0)
        // From false to true.
        case .federatable: flag(room.isFederated)
        case .public: flag(room.isPublished)
        }
    }
}

/// A request that says nothing but which room it is about.
struct SynapseRoomRequest: RequestDecodable {
    let room: RoomID

    init(from input: RequestInput) throws { room = try input.path("roomId") }
}

/// A room, by its ID or an alias of it.
struct SynapseRoomName: Sendable {
    private let text: String

    init(from input: RequestInput) throws { text = try input.path("roomId") }

    /// The room, and servers that may be in it.
    ///
    /// - Throws: 400 for what is neither, 404 `M_NOT_FOUND` for an alias that leads nowhere.
    func resolved(by rooms: RoomService) async throws -> (room: RoomID, servers: [ServerName]) {
        if let room = RoomID(text) { return (room, []) }
        guard let alias = RoomAlias(text) else {
            throw MatrixError.invalidParameter("This is neither a room ID nor an alias")
        }
        let resolved = try await rooms.resolve(alias)
        return (resolved.room, resolved.servers)
    }
}

extension SynapseServices {
    /// The user as whom an administrator acts.
    ///
    /// - Throws: 400 on the socket, where there is none.
    func requester(_ caller: Operator) throws -> Requester {
        guard let caller = caller.caller else {
            throw MatrixError(400, .unknown, "This is done as a user: use an administrator's token")
        }
        return Requester(id: caller.userID, number: UserNumber(caller.userNumber), device: caller.deviceID)
    }

    /// Writes events as clients have them, with nothing said beside but their age.
    func write(_ events: [StoredEvent], into writer: inout JSONWriter) {
        writer.beginArray()
        for event in events { write(event, into: &writer) }
        writer.endArray()
    }

    /// Writes an event; see ``write(_:into:)``.
    func write(_ event: StoredEvent, into writer: inout JSONWriter) {
        let age = max(0, administration.clock.now - event.event.originServerTS)
        event.event.writeClient(into: &writer, includeRoomID: true) { $0.member("age", age) }
    }
}
