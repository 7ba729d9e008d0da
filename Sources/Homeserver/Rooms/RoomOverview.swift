import Matrix
import Store

/// A room as administrators see it from afar.
public struct RoomOverview: Sendable {
    /// Its number.
    public let number: RoomNumber
    /// The room.
    public let id: RoomID
    /// Its version.
    public let version: RoomVersion
    /// Its name.
    public var name: String?
    /// What it is about.
    public var topic: String?
    /// Its picture.
    public var avatarURL: String?
    /// Its main alias.
    public var canonicalAlias: String?
    /// Who made it.
    public var creator: UserID?
    /// How its messages are encrypted; `nil` if they are not.
    public var encryption: String?
    /// Who may join.
    public var joinRule: String?
    /// Whether guests may.
    public var guestAccess: String?
    /// Who may read.
    public var historyVisibility: String?
    /// What kind of room it is.
    public var type: String?
    /// Whether users of other servers may join.
    public var isFederated = true
    /// Whether it is in the directory of rooms.
    public let isPublished: Bool
    /// How many are joined.
    public var joinedMembers = 0
    /// How many users of this server are.
    public var joinedLocalMembers = 0
    /// How many events its state has.
    public var stateEvents = 0
    /// Whether it has ended.
    public var isTombstoned = false
    /// Which room takes its place.
    public var replacement: String?
}

/// Looks at rooms from afar.
public struct RoomOverviews: Sendable {
    private let store: Store
    private let serverName: ServerName

    private static let roomsAtOnce = 50

    /// - Parameters:
    ///   - store: Where rooms are.
    ///   - serverName: The server whose users are of here.
    public init(store: Store, serverName: ServerName) {
        self.store = store
        self.serverName = serverName
    }

    /// A room.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func overview(of room: RoomID) async throws -> RoomOverview {
        guard let number = try await store.number(of: room), let found = try await overviews(of: [number]).first
        else { throw MatrixError.notFound("This server does not know that room") }
        return found
    }

    /// All rooms that this server knows. Reads as much of each as is asked of one: the more rooms, the longer it takes, but nobody waits
    /// for it but who asks.
    public func all() async throws -> [RoomOverview] {
        var found: [RoomOverview] = []
        var last: RoomNumber?
        while true {
            let numbers = try await store.read { [last] in
                try $0.rooms.rooms(after: last, limit: Self.roomsAtOnce)
            }
            found += try await overviews(of: numbers)
            guard numbers.count == Self.roomsAtOnce else { return found }
            last = numbers.last
        }
    }

    private func overviews(of rooms: [RoomNumber]) async throws -> [RoomOverview] {
        try await store.read { [serverName] reader in
            let counts = try reader.memberships.counts(in: rooms)
            return try reader.rooms.rooms(rooms).map { record in
                var room = RoomOverview(
                    number: record.number, id: record.id, version: record.version, isPublished: record.isPublished)
                room.joinedMembers = counts[record.number]?[.join] ?? 0
                room.joinedLocalMembers = try reader.memberships.joinedCount(of: serverName, in: record.number)
                if let state = record.state { try room.read(reader.states.map(state), reader) }
                return room
            }
        }
    }
}

extension RoomOverview {
    fileprivate mutating func read(_ state: StateMap, _ reader: StoreReader) throws {
        func event(_ type: EventType) throws -> Event? {
            guard let key = try reader.identifiers.number(of: StateKey(type)), let number = state[key] else {
                return nil
            }
            return try reader.events.event(number)?.event
        }
        func text(_ type: EventType, _ member: String) throws -> String? {
            guard let text = try event(type)?.content[member]?.string, !text.isEmpty else { return nil }
            return text
        }
        stateEvents = state.count
        name = try text(.name, "name")
        topic = try text(.topic, "topic")
        avatarURL = try text(.avatar, "url")
        canonicalAlias = try text(.canonicalAlias, "alias")
        encryption = try text(.encryption, "algorithm")
        joinRule = try text(.joinRules, "join_rule")
        guestAccess = try text(.guestAccess, "guest_access")
        historyVisibility = try text(.historyVisibility, "history_visibility")
        if let creation = try event(.create) {
            creator = creation.sender
            type = creation.content["type"]?.string
            isFederated = creation.content["m.federate"]?.bool ?? true
        }
        if let tombstone = try event(.tombstone) {
            isTombstoned = true
            replacement = tombstone.content["replacement_room"]?.string
        }
    }
}
