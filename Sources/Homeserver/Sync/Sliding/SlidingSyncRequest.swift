import Matrix
import Store

/// What a client asks of sliding sync.
///
/// [MSC4186](https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md). An object: most of them
/// wait.
public final class SlidingSyncRequest: Sendable {
    /// How answers are written.
    public enum Form: Sendable {
        /// As clients have known it from the experiment (`org.matrix.simplified_msc3575`).
        case experimental
        /// As the proposal was accepted.
        case accepted
    }

    /// Who asks.
    public let user: Requester
    /// How the answer is written.
    public let form: Form
    /// Which of the device's connections it is: `conn_id`, or nothing.
    public let connection: ExactString
    /// Where the last answer ended; `nil` for a new connection.
    public let position: String?
    /// What the client calls the request; the answer repeats it.
    public let transaction: String?
    /// How long to wait for something to happen, in milliseconds.
    public let timeoutMilliseconds: Int64
    /// What presence the client shows.
    public let presence: String
    /// The rooms that are wanted by place in a list, by the client's names of the lists.
    public let lists: [ExactString: SlidingList]
    /// The rooms that are wanted wherever they are.
    public let subscriptions: [RoomID: RoomConfig]
    /// What is wanted beside rooms.
    public let extensions: SlidingExtensions

    /// A request.
    public init(
        user: Requester, form: Form, connection: ExactString, position: String?, transaction: String?,
        timeoutMilliseconds: Int64, presence: String, lists: [ExactString: SlidingList],
        subscriptions: [RoomID: RoomConfig], extensions: SlidingExtensions
    ) {
        self.user = user
        self.form = form
        self.connection = connection
        self.position = position
        self.transaction = transaction
        self.timeoutMilliseconds = timeoutMilliseconds
        self.presence = presence
        self.lists = lists
        self.subscriptions = subscriptions
        self.extensions = extensions
    }

    /// What decides which rooms are sent, and how: when it has changed, all rooms have to be looked at.
    var rules: SlidingRules { SlidingRules(lists: lists, subscriptions: subscriptions, extensions: extensions) }
}

/// The part of a request that decides which rooms are sent.
struct SlidingRules: Sendable, Hashable {
    let lists: [ExactString: SlidingList]
    let subscriptions: [RoomID: RoomConfig]
    private let accountData: SlidingExtensions.RoomScope?
    private let receipts: SlidingExtensions.RoomScope?

    init(lists: [ExactString: SlidingList], subscriptions: [RoomID: RoomConfig], extensions: SlidingExtensions) {
        self.lists = lists
        self.subscriptions = subscriptions
        accountData = extensions.accountData
        receipts = extensions.receipts
    }
}

/// A window on the user's rooms, the one that was last active first.
public struct SlidingList: Sendable, Hashable {
    /// The places that are wanted; `nil` for all.
    public let ranges: [ClosedRange<Int>]?
    /// Which rooms are in the list.
    public let filter: RoomListFilter
    /// What is wanted of the rooms.
    public let config: RoomConfig

    /// A list.
    public init(ranges: [ClosedRange<Int>]?, filter: RoomListFilter, config: RoomConfig) {
        self.ranges = ranges
        self.filter = filter
        self.config = config
    }

    /// Whether there are places before one that is wanted which are not.
    var beginsLate: Bool { ranges?.contains { $0.lowerBound > 0 } ?? false }

    /// Whether a place is wanted.
    func includes(_ place: Int) -> Bool { ranges?.contains { $0.contains(place) } ?? true }
}

/// What is wanted of a room.
public struct RoomConfig: Sendable, Hashable {
    /// How many events of the timeline.
    public let timelineLimit: Int
    /// Which state.
    public let state: RequiredState

    /// What is wanted of a room.
    public init(timelineLimit: Int, state: RequiredState) {
        self.timelineLimit = timelineLimit
        self.state = state
    }
}

/// What is wanted beside rooms; `nil` for what is not.
public struct SlidingExtensions: Sendable, Hashable {
    /// Of which of the rooms an extension is wanted.
    public struct RoomScope: Sendable, Hashable {
        /// The lists whose rooms it is wanted of; `nil` for all of them.
        public let lists: Set<ExactString>?
        /// The subscriptions it is wanted of; `nil` for all of them.
        public let rooms: Set<RoomID>?

        /// A scope.
        public init(lists: Set<ExactString>? = nil, rooms: Set<RoomID>? = nil) {
            self.lists = lists
            self.rooms = rooms
        }
    }

    /// Messages to the device.
    public struct ToDevice: Sendable, Hashable {
        /// The last message that the client has.
        public let since: StreamPosition?
        /// How many are wanted at once.
        public let limit: Int

        /// Which messages are wanted.
        public init(since: StreamPosition?, limit: Int) {
            self.since = since
            self.limit = limit
        }
    }

    /// Events that stick.
    public struct Sticky: Sendable, Hashable {
        /// The last of them that the client has.
        public let since: StreamPosition?
        /// How many are wanted at once.
        public let limit: Int

        /// Which are wanted.
        public init(since: StreamPosition?, limit: Int) {
            self.since = since
            self.limit = limit
        }
    }

    /// Messages to the device.
    public var toDevice: ToDevice?
    /// Whether changes of device lists, and the counts of the device's keys, are wanted.
    public var encryption = false
    /// Account data.
    public var accountData: RoomScope?
    /// Receipts.
    public var receipts: RoomScope?
    /// Who is typing.
    public var typing: RoomScope?
    /// Events that stick.
    public var sticky: Sticky?
    /// The threads that the user follows: how many are wanted at once.
    public var threadSubscriptions: Int?

    /// Nothing.
    public init() {}
}
