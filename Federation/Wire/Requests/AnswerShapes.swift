import Matrix

/// What of an answer can be handed on to clients: members of the wrong kind are left out, and so is what lacks members that it must have.
/// Members that nobody knows are handed on as they are.
enum AnswerShapes {
    private enum Kind {
        case text, integer, bool, texts

        func accepts(_ json: JSON) -> Bool {
            switch self {
            case .text: json.string != nil
            case .integer: json.int.map { $0 >= 0 } ?? false
            case .bool: json.bool != nil
            case .texts: json.isArray && json.elements.allSatisfy { $0.string != nil }
            }
        }
    }

    private static let roomMembers: [(name: String, kind: Kind, isRequired: Bool)] = [
        ("room_id", .text, true), ("num_joined_members", .integer, true), ("world_readable", .bool, true),
        ("guest_can_join", .bool, true), ("name", .text, false), ("topic", .text, false), ("avatar_url", .text, false),
        ("canonical_alias", .text, false), ("join_rule", .text, false), ("room_type", .text, false),
        ("room_version", .text, false), ("encryption", .text, false), ("allowed_room_ids", .texts, false),
    ]

    /// A room as directories and spaces describe it, or `nil` if it is none.
    ///
    /// [PublishedRoomsChunk](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1publicrooms)
    static func room(_ json: JSON) -> JSONObject? {
        guard json.isObject, let id = json["room_id"]?.string, RoomID(id) != nil else { return nil }
        guard let room = kept(json, roomMembers) else { return nil }
        return room
    }

    /// A user's profile.
    ///
    /// [GET /query/profile](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile)
    static func profile(_ json: JSON) -> JSONObject? {
        kept(json, [("displayname", .text, false), ("avatar_url", .text, false), ("m.tz", .text, false)])
    }

    private static func kept(_ json: JSON, _ known: [(name: String, kind: Kind, isRequired: Bool)]) -> JSONObject? {
        guard json.isObject, case .object(var object) = json.value else { return nil }
        for member in known {
            guard let value = json[member.name], member.kind.accepts(value) else {
                if member.isRequired { return nil }
                object[member.name] = nil
                continue
            }
        }
        return object
    }

    /// A page of a directory.
    static func publicRooms(_ json: JSON, _ rooms: [JSON]) -> JSON {
        var page: JSONObject = ["chunk": .array(rooms.compactMap { room($0).map { .object($0) } })]
        for name in ["next_batch", "prev_batch"] {
            if let token = json[name]?.string { page[name] = .string(token) }
        }
        if let total = json["total_room_count_estimate"]?.int, total >= 0 {
            page["total_room_count_estimate"] = .integer(total)
        }
        return JSONValue.object(page).json
    }

    /// A space and its children.
    static func hierarchy(_ json: JSON, of id: RoomID, _ children: [JSON]) throws(MalformedAnswer) -> JSON {
        guard let space = json["room"].flatMap(room) else { throw MalformedAnswer("describes no room") }
        guard space["room_id"]?.string.flatMap({ RoomID($0) }) == id else {
            throw MalformedAnswer("is about another room")
        }
        let inaccessible = (json["inaccessible_children"] ?? .emptyObject).elements.prefix(10_000)
            .compactMap { $0.string.flatMap { RoomID($0) } }
        let answer: JSONValue = [
            "room": .object(space), "children": .array(children.compactMap { room($0).map { .object($0) } }),
            "inaccessible_children": .array(inaccessible.map { .string($0.string) }),
        ]
        return answer.json
    }
}
