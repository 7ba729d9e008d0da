import Matrix
import Store

/// What the sync tells a device of its one-time keys.
public struct DeviceKeyCounts: Sendable {
    /// How many one-time keys are left, by algorithm.
    public let oneTimeKeys: [(algorithm: String, count: Int)]
    /// The algorithms of fallback keys that nobody has used.
    public let unusedFallbackKeys: [String]

    /// Counts.
    public init(oneTimeKeys: [(algorithm: String, count: Int)], unusedFallbackKeys: [String]) {
        self.oneTimeKeys = oneTimeKeys
        self.unusedFallbackKeys = unusedFallbackKeys
    }
}

/// Where the sync gets a device's key counts and messages. Asked at every sync: cheap where nothing has changed.
public protocol SyncDeviceSource: Sendable {
    /// What is left of a device's keys.
    func keyCounts(of user: UserNumber, _ device: DeviceID) async throws -> DeviceKeyCounts
    /// The messages that wait for a device, oldest first, with their places.
    func messages(
        for user: UserNumber, _ device: DeviceID, after: StreamPosition, through: StreamPosition, limit: Int
    ) async throws -> [(position: StreamPosition, content: [UInt8])]
    /// Deletes the messages up to a place: the device has them.
    func acknowledge(_ user: UserNumber, _ device: DeviceID, through: StreamPosition) async throws
    /// Users whose devices or keys have changed in a span of the journal in the eyes of `viewer`.
    func deviceListChanges(
        for viewer: UserNumber, after: StreamPosition, through: StreamPosition
    ) async throws -> [UserNumber]
}

/// Notification counts of a room.
public struct UnreadSummary: Sendable, Hashable {
    /// Notifications and highlights.
    public struct Counts: Sendable, Hashable {
        /// Events that notify.
        public var notifications: Int
        /// Events that notify and are highlighted.
        public var highlights: Int

        /// Counts.
        public init(notifications: Int = 0, highlights: Int = 0) {
            self.notifications = notifications
            self.highlights = highlights
        }
    }

    /// Of the main timeline.
    public var main: Counts
    /// Of threads, by root.
    public var threads: [EventID: Counts]

    /// A summary.
    public init(main: Counts = Counts(), threads: [EventID: Counts] = [:]) {
        self.main = main
        self.threads = threads
    }
}

/// Where the sync gets what belongs to a user.
public protocol SyncUserSource: Sendable {
    /// All account data of a user, global and of rooms.
    func accountData(of user: UserNumber) async throws -> [AccountDataRecord]
    /// Account data that changed in a span of the journal.
    func accountData(
        of user: UserNumber, after: StreamPosition, through: StreamPosition
    ) async throws -> [AccountDataRecord]
    /// Receipts of rooms set in a span of the journal, others' private ones left out.
    func receipts(
        in rooms: [RoomNumber], for user: UserNumber, after: StreamPosition, through: StreamPosition
    ) async throws -> [ReceiptRecord]
    /// What a user has not read of rooms up to a place.
    func unread(
        of user: Requester, in rooms: [RoomNumber], through: StreamPosition
    ) async throws -> [RoomNumber: UnreadSummary]
    /// Whom a user does not want to hear of.
    func ignoredUsers(of user: UserNumber) async throws -> Set<UserID>
    /// Whether a user is not to be told of an invitation by `sender`.
    func hides(inviteBy sender: UserID, from user: UserNumber) async throws -> Bool
}

/// Where the sync gets who is typing.
public protocol SyncTypingSource: Sendable {
    /// The serial number of the last change.
    var serial: Int64 { get }
    /// Who is typing in a room.
    func typists(in room: RoomNumber) -> [UserID]
    /// Of `rooms`, those in which who is typing has changed after a serial number.
    func changed(_ rooms: [RoomNumber], after serial: Int64) -> [RoomNumber]
}

/// Where the sync gets presence.
public protocol SyncPresenceSource: Sendable {
    /// Notes that a user's client is there, as `presence` says (`online`, `unavailable`, `offline`).
    func seen(_ user: Requester, as presence: String) async
    /// The texts of `m.presence` events about users, in their order; none where presence is not kept.
    ///
    /// - Parameter naming: Whether the content names the user too, as the streams before `/sync` have it.
    func events(about users: [UserNumber], naming: Bool) async throws -> [[UInt8]]
    /// Users who are not offline.
    func present() async throws -> [UserNumber]
    /// Users whose presence changed in a span of the journal.
    func changes(after: StreamPosition, through: StreamPosition) async throws -> [UserNumber]
}

extension SyncUserSource {
    /// What a user has not read of a room up to a place.
    func unread(of user: Requester, in room: RoomNumber, through: StreamPosition) async throws -> UnreadSummary {
        try await unread(of: user, in: [room], through: through)[room] ?? UnreadSummary()
    }
}
