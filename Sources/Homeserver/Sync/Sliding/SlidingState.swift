import Collections
import Matrix
import Store

/// What a connection has been sent of one room.
struct SentRoom: Sendable {
    /// As what the room was sent.
    enum Kind: Sendable { case joined, stripped, left }

    var kind: Kind
    /// Whether it was called a direct chat.
    var isDirect: Bool
    /// How many of the newest events have been sent without a gap, at the least.
    var timelineLimit: Int32
    /// Up to where everything has been sent; `nil`: up to the connection's position.
    var through: StreamPosition?
    /// The state that has been sent, and is up to date.
    var state: CombinedState
    /// The era (``SlidingState/accountData``) in which the room's account data were sent; 0 if they were not.
    var accountData: Int32 = 0
    /// The era in which the room's receipts were sent; 0 if they were not.
    var receipts: Int32 = 0
}

/// What a connection has been sent by one of its answers. A value: the answer can be given again from the one before.
struct SlidingState: Sendable {
    /// A stretch of requests that all wanted an extension. What was sent in an earlier one may be out of date.
    struct Era: Sendable {
        var number: Int32 = 1
        var isOn = false

        /// Notes whether a request wants the extension.
        mutating func note(_ isWanted: Bool) {
            if isOn, !isWanted { number += 1 }
            isOn = isWanted
        }
    }

    /// Where the connection stands; `nil` before its first answer.
    var token: SyncToken?
    var rooms = TreeDictionary<RoomNumber, SentRoom>()
    /// Memberships that have been sent as they occurred in timelines, by event: what is not here is sent (again) when it occurs.
    var members = TreeSet<EventNumber>()
    var accountData = Era()
    /// The era in which the global account data were sent; 0 if they were not.
    var globalAccountData: Int32 = 0
    var receipts = Era()
    var threadSubscriptions = Era()
    /// The era in which the threads that the user follows were sent; 0 if they were not.
    var sentThreadSubscriptions: Int32 = 0

    /// How many memberships are remembered; then they are sent again.
    private static let memberLimit = 20_000

    /// About how many bytes it takes in memory.
    var cost: Int { rooms.count * 72 + members.count * 14 }

    mutating func noteMembers(_ events: some Sequence<EventNumber>) {
        if members.count > Self.memberLimit { members = [] }
        members.formUnion(TreeSet(events))
    }
}

/// What helps to answer a connection's next request, and can be worked out anew at any time.
struct SlidingCache: Sendable {
    /// What a user's account data say of their rooms.
    struct Account: Sendable {
        var directs: Set<RoomID> = []
        var tags: [RoomNumber: Set<ExactString>] = [:]
    }

    /// The rules by which all rooms were looked at for the answer of that serial number.
    var checked: (rules: SlidingRules, serial: Int64)?
    /// The lists in order, as of the last answer or later.
    var lists: [ExactString: OrderedRooms] = [:]
    var account: Account?
    /// So that rooms which want the same share one object.
    private var shared: Set<CombinedState> = []

    var cost: Int {
        512 + lists.values.reduce(0) { $0 + $1.entries.count * 16 }
            + (account.map { $0.directs.count * 64 + $0.tags.count * 96 } ?? 0) + shared.count * 512
    }

    /// The one object that stands for that state.
    mutating func share(_ state: CombinedState) -> CombinedState {
        if shared.count > 64 { shared = [] }
        return shared.insert(state).memberAfterInsert
    }
}
