import Matrix
import RoomEngine
import Store

/// What is told of a room to those who may come to see it in a space.
///
/// [Room summaries](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy)
public struct SpaceRoom: Sendable {
    /// The room.
    public let room: RoomID
    let name: String?
    let topic: String?
    let avatarURL: String?
    let canonicalAlias: String?
    let joinRule: String?
    let roomType: String?
    let version: String?
    let encryption: String?
    let isWorldReadable: Bool
    let guestCanJoin: Bool
    let joinedMembers: Int64
    /// The rooms whose members may join this one.
    let allowedRooms: [RoomID]
    /// The rooms that it names as part of it, in their order; `nil` if that is not known.
    public let children: [SpaceChild]?

    /// Whether it has children that count.
    public var isSpace: Bool { roomType.map { ExactString($0) } == "m.space" }

    private static let maximumTextBytes = 4_096
    private static let maximumAllowedRooms = 50
    private static let maximumChildren = 1_000

    /// Whether anyone may see what is told of the room: join it, knock on it, or read it.
    var isOpen: Bool {
        if isWorldReadable { return true }
        switch joinRule.flatMap({ JoinRule(name: $0) }) {
        case .public, .knock, .knockRestricted: return true
        case .invite, .private, .restricted, nil: return false
        }
    }

    /// Whether members of ``allowedRooms`` may join.
    var isRestricted: Bool {
        let rule = joinRule.flatMap { JoinRule(name: $0) }
        return rule == .restricted || rule == .knockRestricted
    }

    /// What is told of a room that this server is in.
    ///
    /// - Parameter childEvents: Its `m.space.child` events.
    init(_ view: RoomView, room: RoomID, childEvents: [StoredEvent]) async throws {
        self.room = room
        func text(_ type: EventType, _ member: String) async throws -> String? {
            guard let text = try await view.event(StateKey(type))?.event.content[member]?.string, !text.isEmpty
            else { return nil }
            return text
        }
        name = try await text(.name, "name")
        topic = try await text(.topic, "topic")
        avatarURL = try await text(.avatar, "url")
        canonicalAlias = try await text(.canonicalAlias, "alias")
        encryption = try await text(.encryption, "algorithm")
        isWorldReadable = try await text(.historyVisibility, "history_visibility") == "world_readable"
        guestCanJoin = try await text(.guestAccess, "guest_access") == "can_join"
        roomType = try await text(.create, "type")
        version = view.head.version.id
        joinedMembers = Int64(view.head.joinedCount)
        let rules = try await view.event(StateKey(.joinRules))?.event.content
        joinRule = rules?["join_rule"]?.string ?? JoinRule.invite.rawValue
        allowedRooms = Self.allowedRooms(rules?["allow"])
        children = childEvents.prefix(Self.maximumChildren).compactMap { SpaceChild($0.event.json) }
            .sorted { $0.precedes($1) }
    }

    /// What another server tells of a room; `nil` if it is not understood.
    init?(_ json: JSON) {
        guard let room = json["room_id"]?.string.flatMap({ RoomID($0) }) else { return nil }
        self.room = room
        func text(_ name: String) -> String? {
            guard let text = json[name]?.string, text.utf8.count <= Self.maximumTextBytes else { return nil }
            return text
        }
        name = text("name")
        topic = text("topic")
        avatarURL = text("avatar_url")
        canonicalAlias = text("canonical_alias")
        joinRule = text("join_rule") ?? JoinRule.public.rawValue
        roomType = text("room_type")
        version = text("room_version")
        encryption = text("encryption")
        isWorldReadable = json["world_readable"]?.bool ?? false
        guestCanJoin = json["guest_can_join"]?.bool ?? false
        joinedMembers = max(json["num_joined_members"]?.int ?? 0, 0)
        allowedRooms = (json["allowed_room_ids"]?.elements ?? JSON.emptyObject.elements)
            .prefix(Self.maximumAllowedRooms).compactMap { $0.string.flatMap { RoomID($0) } }
        if let list = json["children_state"], list.isArray {
            children = list.elements.prefix(Self.maximumChildren).compactMap { SpaceChild($0) }
                .sorted { $0.precedes($1) }
        } else {
            children = nil
        }
    }

    private static func allowedRooms(_ allow: JSON?) -> [RoomID] {
        guard let allow, allow.isArray else { return [] }
        return allow.elements.prefix(maximumAllowedRooms).compactMap { condition in
            guard condition["type"]?.string == "m.room_membership" else { return nil }
            return condition["room_id"]?.string.flatMap { RoomID($0) }
        }
    }

    /// The children that count.
    func children(suggestedOnly: Bool) -> [SpaceChild] {
        guard isSpace else { return [] }
        return (children ?? []).filter { $0.isSuggested || !suggestedOnly }
    }

    /// Writes the room as one of a hierarchy.
    public func write(into writer: inout JSONWriter, suggestedOnly: Bool) {
        writer.beginObject()
        writeMembers(into: &writer)
        writer.key("children_state")
        writer.beginArray()
        for child in children(suggestedOnly: suggestedOnly) { writer.writeRaw(child.stripped) }
        writer.endArray()
        writer.endObject()
    }

    /// Writes the room alone.
    ///
    /// - Parameter membership: That of who asks, if anybody in particular.
    public func writeSummary(membership: Membership?, into writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(into: &writer)
        writer.member("membership", membership?.rawValue)
        // As clients look for them that were there before the specification had them.
        writer.member("im.nheko.summary.room_version", version)
        writer.member("im.nheko.summary.version", version)
        writer.member("im.nheko.summary.encryption", encryption)
        writer.endObject()
    }

    private func writeMembers(into writer: inout JSONWriter) {
        writer.member("room_id", room)
        writer.member("name", name)
        writer.member("topic", topic)
        writer.member("avatar_url", avatarURL)
        writer.member("canonical_alias", canonicalAlias)
        writer.member("join_rule", joinRule)
        writer.member("room_type", roomType)
        writer.member("room_version", version)
        writer.member("encryption", encryption)
        writer.member("world_readable", isWorldReadable)
        writer.member("guest_can_join", guestCanJoin)
        writer.member("num_joined_members", joinedMembers)
        if isRestricted {
            writer.key("allowed_room_ids")
            writer.beginArray()
            for room in allowedRooms { writer.write(room) }
            writer.endArray()
        }
    }
}
