import Matrix
import RoomEngine
import Store

/// What a new room is to be like.
///
/// [POST /createRoom](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom)
public struct NewRoom: Sendable {
    /// A set of rules for who joins and who reads.
    public enum Preset: String, Sendable {
        case privateChat = "private_chat"
        case trustedPrivateChat = "trusted_private_chat"
        case publicChat = "public_chat"
    }

    /// A state event given with the request.
    public struct InitialState: Sendable {
        /// The type.
        public let type: EventType
        /// The state key.
        public let key: String
        /// The content.
        public let content: JSON

        /// A state event.
        public init(type: EventType, key: String, content: JSON) {
            self.type = type
            self.key = key
            self.content = content
        }
    }

    /// The version; the server's default if `nil`.
    public var version: RoomVersion?
    /// The set of rules; by the visibility if `nil`.
    public var preset: Preset?
    /// Whether the room is listed in the directory.
    public var isPublished = false
    /// An alias for it.
    public var alias: RoomAlias?
    /// Its name.
    public var name: String?
    /// Its topic.
    public var topic: String?
    /// Who is invited.
    public var invite: [UserID] = []
    /// Whether it is for a conversation of two.
    public var isDirect = false
    /// More for the creation event.
    public var creationContent = JSONObject()
    /// State that it begins with.
    public var initialState: [InitialState] = []
    /// Power levels that take the place of the usual ones.
    public var powerLevelOverride: JSON?

    /// A room with nothing special about it.
    public init() {}
}

extension RoomService {
    /// Creates a room: all its first events are stored in one transaction.
    ///
    /// - Returns: The room, once it is durable.
    public func create(_ wanted: NewRoom, by creator: Requester) async throws -> RoomID {
        var room = wanted
        if store.shadowBannedUsers.contains(creator.id) {
            // A room for themselves.
            room.preset = room.preset ?? (room.isPublished ? .publicChat : .privateChat)
            (room.invite, room.isPublished, room.alias) = ([], false, nil)
        }
        for user in room.invite {
            try checkReachable(user)
            if user.isLocal(to: serverName) {
                try await invitePermissions.check(inviteOf: user, by: creator.id)
            }
        }
        let version = room.version ?? defaultVersion
        let drafts = try await drafts(of: room, version: version, by: creator)
        let id = version.roomIDIsCreateHash ? nil : RoomID("!\(services.randomness.text(18)):\(serverName)")
        let number = RoomNumber(try await services.eventNumbers.next().rawValue)
        let lane = RoomLane(number: number, services: services, head: RoomHead(new: number, id: id, version: version))
        let alias = room.alias
        let aliases = aliases
        let isPublished = room.isPublished
        let sent = try await lane.send(
            { _ in drafts },
            alongside: { writer, number in
                if let alias { try aliases.claim(alias, for: number, by: creator.number, in: writer) }
                if isPublished { try writer.rooms.setPublished(number, true) }
            }
        )
        guard let created = sent.first?.event else { throw MatrixError.internalError }
        add(lane)
        for user in room.invite where !user.isLocal(to: serverName) {
            let content = try await memberContent(user, .invite, isDirect: room.isDirect)
            let draft = EventDraft(sender: creator.id, state: .member, key: user.string, content: content)
            do { try await inviteRemotely(user, draft, to: number) } catch let error as MatrixError {
                // The room is there all the same; whoever made it can invite again.
                services.logger.notice(
                    "an invitation to a new room failed", metadata: ["user": "\(user)", "error": "\(error.message)"])
            }
        }
        return created.event.roomID
    }

    /// The first events of a room, in the order that the specification gives.
    private func drafts(of room: NewRoom, version: RoomVersion, by creator: Requester) async throws -> [EventDraft] {
        let preset = room.preset ?? (room.isPublished ? .publicChat : .privateChat)
        var drafts: [EventDraft] = []
        func add(_ type: EventType, _ content: JSONValue, key: String = "") {
            drafts.append(EventDraft(sender: creator.id, state: type, key: key, content: content))
        }
        add(.create, try creationContent(room, version, preset, creator))
        add(.member, try await memberContent(creator.id, .join), key: creator.id.string)
        add(.powerLevels, try powerLevels(room, version, preset, creator))
        if let alias = room.alias { add(.canonicalAlias, ["alias": .string(alias.string)]) }
        let given = Set(room.initialState.map { StateKey($0.type, $0.key) })
        if !given.contains(StateKey(.joinRules)) {
            add(.joinRules, ["join_rule": preset == .publicChat ? "public" : "invite"])
        }
        if !given.contains(StateKey(.historyVisibility)) { add(.historyVisibility, ["history_visibility": "shared"]) }
        if !given.contains(StateKey(.guestAccess)), preset != .publicChat {
            add(.guestAccess, ["guest_access": "can_join"])
        }
        for state in room.initialState
        where state.type != .create && state.type != .member && state.type != .powerLevels {
            drafts.append(EventDraft(sender: creator.id, type: state.type, stateKey: state.key, content: state.content))
        }
        if let name = room.name { add(.name, ["name": .string(name)]) }
        if let topic = room.topic {
            add(
                .topic,
                [
                    "topic": .string(topic),
                    "m.topic": ["m.text": [["body": .string(topic), "mimetype": "text/plain"]]],
                ])
        }
        for user in room.invite where user.isLocal(to: serverName) {
            add(.member, try await memberContent(user, .invite, isDirect: room.isDirect), key: user.string)
        }
        drafts[0].timestamp = creationTimestamp()
        return drafts
    }

    private func creationContent(
        _ room: NewRoom, _ version: RoomVersion, _ preset: NewRoom.Preset, _ creator: Requester
    ) throws -> JSONValue {
        var content = JSONValue.object(room.creationContent)
        content["room_version"] = .string(version.id)
        content["creator"] = version.implicitCreator ? nil : .string(creator.id.string)
        if version.additionalCreators, preset == .trustedPrivateChat {
            var creators =
                room.creationContent["additional_creators"].flatMap { value -> [JSONValue]? in
                    guard case .array(let list) = value else { return nil }
                    return list
                } ?? []
            for user in room.invite where !creators.contains(.string(user.string)) {
                creators.append(.string(user.string))
            }
            if !creators.isEmpty { content["additional_creators"] = .array(creators) }
        }
        return content
    }

    private func powerLevels(
        _ room: NewRoom, _ version: RoomVersion, _ preset: NewRoom.Preset, _ creator: Requester
    ) throws -> JSONValue {
        var users = JSONObject()
        if !version.privilegedCreators {
            users[creator.id.string] = 100
            if preset == .trustedPrivateChat { for user in room.invite { users[user.string] = 100 } }
        }
        var content: JSONValue = [
            "users": .object(users),
            "users_default": 0,
            "events": [
                "m.room.name": 50, "m.room.power_levels": 100, "m.room.history_visibility": 100,
                "m.room.canonical_alias": 50, "m.room.avatar": 50,
                "m.room.tombstone": version.privilegedCreators ? 150 : 100, "m.room.server_acl": 100,
                "m.room.encryption": 100,
            ],
            "events_default": 0,
            "state_default": 50,
            "ban": 50,
            "kick": 50,
            "redact": 50,
            "invite": preset == .publicChat ? 50 : 0,
            "historical": 100,
        ]
        if let levels = services.callRules?.levelsOfNewRooms, var events = content["events"]?.object {
            for (type, level) in levels { events[type.string] = .integer(level) }
            content["events"] = .object(events)
        }
        if let override = room.initialState.last(where: { $0.type == .powerLevels && $0.key.isEmpty })?.content {
            content = override.value
        }
        for (name, value) in room.powerLevelOverride?.members ?? JSON.emptyObject.members {
            content[name] = value.value
        }
        return content
    }
}
