import Matrix
import Store

/// A room as the directory shows it.
///
/// [PublishedRoomsChunk](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms).
public struct PublicRoom: Sendable {
    /// The room's number.
    public let number: RoomNumber
    /// The room.
    public let roomID: RoomID
    /// The state that all of this is taken from.
    public let state: StateNumber?
    /// Its name.
    public let name: String?
    /// Its topic.
    public let topic: String?
    /// Its avatar, an `mxc` URI.
    public let avatarURL: String?
    /// Its main alias.
    public let canonicalAlias: String?
    /// Its join rule.
    public let joinRule: String?
    /// Its type, such as `m.space`.
    public let roomType: String?
    /// Whether anyone may read its history.
    public let isWorldReadable: Bool
    /// Whether guests may join it.
    public let guestCanJoin: Bool
    /// How many users are joined to it.
    public let joinedMembers: Int

    /// Writes the room as an element of `chunk`.
    public func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("room_id", roomID)
        writer.member("name", name)
        writer.member("topic", topic)
        writer.member("avatar_url", avatarURL)
        writer.member("canonical_alias", canonicalAlias)
        writer.member("join_rule", joinRule ?? "invite")
        writer.member("room_type", roomType)
        writer.member("world_readable", isWorldReadable)
        writer.member("guest_can_join", guestCanJoin)
        writer.member("num_joined_members", Int64(joinedMembers))
        writer.endObject()
    }

    /// Whether the room stands before another in the list: larger rooms first, then older ones.
    func precedes(_ other: PublicRoom) -> Bool { place < other.place }

    var place: PublicRoomPlace { PublicRoomPlace(joinedMembers: joinedMembers, number: number) }
}

/// A place in the list of rooms. It keeps its meaning when the room that stands there has gone.
struct PublicRoomPlace: Comparable {
    let joinedMembers: Int
    let number: RoomNumber

    static func < (left: PublicRoomPlace, right: PublicRoomPlace) -> Bool {
        left.joinedMembers == right.joinedMembers
            ? left.number < right.number : left.joinedMembers > right.joinedMembers
    }
}

/// What is wanted of the directory.
public struct PublicRoomsQuery: Sendable {
    /// How many rooms at the most.
    public var limit: Int?
    /// Where to go on: a token of an earlier page.
    public var since: String?
    /// What must occur in the name, the topic or the main alias.
    public var searchTerm: String?
    /// The types of room wanted, `nil` among them for rooms without a type; `nil` for all.
    public var roomTypes: [String?]?
    /// The third-party network wanted.
    public var thirdPartyInstanceID: String?
    /// Whether rooms of all networks are wanted.
    public var includesAllNetworks: Bool

    /// A query.
    public init(
        limit: Int? = nil, since: String? = nil, searchTerm: String? = nil, roomTypes: [String?]? = nil,
        thirdPartyInstanceID: String? = nil, includesAllNetworks: Bool = false
    ) {
        self.limit = limit
        self.since = since
        self.searchTerm = searchTerm
        self.roomTypes = roomTypes
        self.thirdPartyInstanceID = thirdPartyInstanceID
        self.includesAllNetworks = includesAllNetworks
    }

    /// Whether a room is wanted.
    func matches(_ room: PublicRoom) -> Bool {
        if let roomTypes,
            !roomTypes.contains(where: { $0.map { ExactString($0) } == room.roomType.map { ExactString($0) } })
        {
            return false
        }
        guard let searchTerm, !searchTerm.isEmpty else { return true }
        let term = searchTerm.lowercased()
        return [room.name, room.topic, room.canonicalAlias].contains { $0?.lowercased().contains(term) ?? false }
    }
}

/// A page of the directory.
public struct PublicRoomsPage: Sendable {
    /// The rooms.
    public var rooms: [PublicRoom]
    /// Where the next page begins.
    public var next: String?
    /// Where the page before ends.
    public var previous: String?
    /// How many rooms there are, whatever is searched for.
    public var total: Int

    /// Writes the page as a response.
    public func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("chunk")
        writer.beginArray()
        for room in rooms { room.write(into: &writer) }
        writer.endArray()
        writer.member("next_batch", next)
        writer.member("prev_batch", previous)
        writer.member("total_room_count_estimate", Int64(total))
        writer.endObject()
    }
}
