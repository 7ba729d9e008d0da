import Matrix

/// Which rooms are in a list; all that is said must hold.
///
/// [SlidingRoomFilter](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md#slidingroomfilter).
public struct RoomListFilter: Sendable, Hashable {
    /// Whether they are direct chats.
    public var isDirect: Bool?
    /// Whether they are encrypted.
    public var isEncrypted: Bool?
    /// Whether the user is invited to them.
    public var isInvited: Bool?
    /// The types that are wanted; `nil` stands for rooms without one.
    public var types: Set<ExactString?>?
    /// The types that are not wanted; `nil` stands for rooms without one.
    public var notTypes: Set<ExactString?>
    /// Something that their names contain, whatever the case.
    public var nameLike: String?
    /// Tags one of which they have.
    public var tags: Set<ExactString>?
    /// Tags none of which they have.
    public var notTags: Set<ExactString>
    /// Spaces one of which they are in.
    public var spaces: Set<RoomID>?

    /// All rooms.
    public init() {
        notTypes = []
        notTags = []
    }

    /// What is known of a room that a filter asks about.
    struct Room {
        var isInvited = false
        var isDirect = false
        var tags: Set<ExactString> = []
        var isInSpace = false
        /// What its state says; `nil` if this server does not know.
        var facts: RoomFacts?
    }

    /// Whether the room's state has to be looked at.
    var needsFacts: Bool { isEncrypted != nil || types != nil || !notTypes.isEmpty || nameLike != nil }
    /// Whether the user's account data have to be looked at.
    var needsAccountData: Bool { isDirect != nil || tags != nil || !notTags.isEmpty }

    /// Whether a room is in the list. Of a room that nothing is known of it cannot be said that it fits.
    func allows(_ room: Room) -> Bool {
        if let isInvited, isInvited != room.isInvited { return false }
        if let isDirect, isDirect != room.isDirect { return false }
        if spaces != nil, !room.isInSpace { return false }
        if let tags, tags.isDisjoint(with: room.tags) { return false }
        if !notTags.isDisjoint(with: room.tags) { return false }
        guard needsFacts else { return true }
        guard let facts = room.facts else { return false }
        if let isEncrypted, isEncrypted != facts.isEncrypted { return false }
        if let types, !types.contains(facts.type) { return false }
        if notTypes.contains(facts.type) { return false }
        if let nameLike { return facts.name?.lowercased().contains(nameLike.lowercased()) ?? false }
        return true
    }
}

/// What lists ask about a room's state.
struct RoomFacts: Sendable, Hashable {
    /// The `type` of its creation.
    var type: ExactString?
    /// Whether it is encrypted.
    var isEncrypted = false
    /// Its name.
    var name: String?

    /// The types of state that say so.
    static let eventTypes: Set<EventType> = [.create, .encryption, .name]
}
