import Matrix
import Store

/// What an answer says of one room, before it is written.
struct SlidingRoomResult: Sendable {
    /// A member that is there only if it has changed.
    enum Change: Sendable, Equatable {
        case unchanged
        case removed
        case value(String)
    }

    let room: RoomID
    let membership: Membership
    /// The lists in whose windows the room is.
    var lists: [ExactString] = []
    var isInitial = false
    var isExpanded = false
    /// The timeline; `nil` if none was wanted.
    var timeline: [StoredEvent]?
    var isLimited = false
    var prevBatch: SyncToken?
    var liveCount = 0
    var state: [StoredEvent] = []
    /// State that is gone.
    var removedState: [StateKey] = []
    var name = Change.unchanged
    var avatar = Change.unchanged
    var heroes: [StoredEvent] = []
    var counts: (joined: Int, invited: Int)?
    /// Whether it is a direct chat, if that is to be told.
    var isDirect: Bool?
    var bumpStamp: StreamPosition?
    var unread: UnreadSummary?
    /// What a user who is not in the room is told of it.
    var stripped: StrippedState?

    init(_ room: RoomID, _ membership: Membership) {
        self.room = room
        self.membership = membership
    }

    /// Whether there is nothing that the client does not know.
    var isEmpty: Bool {
        !isInitial && !isExpanded && timeline?.isEmpty ?? true && state.isEmpty && removedState.isEmpty
            && name == .unchanged && avatar == .unchanged && counts == nil && isDirect == nil && unread == nil
            && stripped == nil
    }
}

/// Everything an answer says, before it is written.
struct SlidingAnswer: Sendable {
    /// How many rooms the lists have.
    var listCounts: [(name: ExactString, count: Int)] = []
    var rooms: [SlidingRoomResult] = []
    /// Messages to the device, and where the next ones begin; `nil` if they are not wanted.
    var messages: (events: [[UInt8]], next: StreamPosition)?
    /// Users whose devices have changed, or do not concern the user any more; `nil` if the client knows nothing that could have changed.
    var deviceLists: (changed: [UserID], left: [UserID])?
    var keyCounts: DeviceKeyCounts?
    /// Whether the keys' counts alone are worth an answer.
    var keyCountsChanged = false
    /// Global account data; `nil` if they are not wanted.
    var accountData: [AccountDataRecord]?
    var roomAccountData: [(room: RoomID, data: [AccountDataRecord])] = []
    /// Receipts, as events; `nil` if they are not wanted.
    var receipts: [(room: RoomID, event: [UInt8])]?
    /// Who is typing, as events; `nil` if it is not wanted.
    var typing: [(room: RoomID, event: [UInt8])]?
    /// What sticks; `nil` if there is nothing new.
    var sticky: StickyPage?
    /// What the user has said about threads; `nil` if nothing.
    var threadSubscriptions: ThreadSubscriptionPage?

    /// Whether it is not worth being sent.
    var isEmpty: Bool {
        rooms.isEmpty && messages?.events.isEmpty ?? true && deviceLists?.changed.isEmpty ?? true
            && deviceLists?.left.isEmpty ?? true && !keyCountsChanged && accountData?.isEmpty ?? true
            && roomAccountData.isEmpty && receipts?.isEmpty ?? true && typing?.isEmpty ?? true
            && threadSubscriptions == nil && sticky == nil
    }
}
