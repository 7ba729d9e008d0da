import Matrix
import Store

/// What a user searches for.
///
/// [POST /search](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3search)
public struct SearchQuery: Sendable {
    /// Which results come first.
    public enum Order: String, Sendable { case rank, recent }

    /// What is told beside each result.
    public struct Context: Sendable {
        /// How many events before it.
        public var before: Int
        /// How many events after it.
        public var after: Int
        /// Whether it is told who their senders were then.
        public var includesProfiles: Bool

        /// Context.
        public init(before: Int, after: Int, includesProfiles: Bool) {
            self.before = before
            self.after = after
            self.includesProfiles = includesProfiles
        }
    }

    /// The words.
    public var term: String
    /// The texts that are searched.
    public var keys: [SearchKey]
    /// Which events are wanted.
    public var filter: RoomEventFilter
    /// Which come first.
    public var order: Order
    /// What is wanted beside each; `nil` for nothing.
    public var context: Context?
    /// Whether the state of the results' rooms is wanted.
    public var includesState: Bool
    /// Where the page before ended.
    public var from: String?

    /// A query.
    public init(
        term: String, keys: [SearchKey], filter: RoomEventFilter, order: Order, context: Context?,
        includesState: Bool, from: String?
    ) {
        self.term = term
        self.keys = keys
        self.filter = filter
        self.order = order
        self.context = context
        self.includesState = includesState
        self.from = from
    }
}

/// What has been found.
public struct SearchResults: Sendable {
    /// One event.
    public struct Result: Sendable {
        /// How well it matches, in millionths.
        public let rank: Int64
        /// The event.
        public let event: StoredEvent
        /// What surrounds it, if that was asked for.
        public var context: EventContext?
        /// Its members' profiles then, if those were asked for.
        public var profiles: [StoredEvent] = []
    }

    /// About how many events match.
    public var count: Int
    /// Words of the results that match.
    public var highlights: [String] = []
    /// The events of this page.
    public var results: [Result] = []
    /// The current state of their rooms, if it was asked for.
    public var state: [(room: RoomID, events: [StoredEvent])] = []
    /// Where the next page begins; `nil` if there is none.
    public var next: String?
}

/// Where a page of results ends.
enum SearchPlace {
    /// So many have been looked at.
    case offset(Int)
    /// This was the last one.
    case after(originServerTS: Int64, event: EventNumber)

    /// The place of that text.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` if it is none of ours.
    init(parsing text: String) throws {
        let parts = text.dropFirst().split(separator: "_", omittingEmptySubsequences: false).map { Int64($0) }
        switch (text.utf8.first, parts.count) {
        case (UInt8(ascii: "r"), 1):
            if let offset = parts[0], (0...1_000_000).contains(offset) {
                self = .offset(Int(offset))
                return
            }
        case (UInt8(ascii: "t"), 2):
            if let time = parts[0], let event = parts[1] {
                self = .after(originServerTS: time, event: EventNumber(event))
                return
            }
        default: break
        }
        throw MatrixError.invalidParameter("next_batch is unknown: begin anew")
    }

    var text: String {
        switch self {
        case .offset(let offset): "r\(offset)"
        case .after(let time, let event): "t\(time)_\(event.rawValue)"
        }
    }
}
