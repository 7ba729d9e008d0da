import Matrix
import Store

/// What belongs to users, as the sync asks for it.
public struct UserDataSource: SyncUserSource {
    private let store: Store
    private let accountData: AccountDataService
    private let unread: UnreadCounts
    private let ignored: IgnoredUsers
    private let invites: InvitePermissions

    /// A source over the services that keep it.
    public init(
        store: Store, accountData: AccountDataService, unread: UnreadCounts, ignored: IgnoredUsers,
        invites: InvitePermissions
    ) {
        self.store = store
        self.accountData = accountData
        self.unread = unread
        self.ignored = ignored
        self.invites = invites
    }

    /// Account data of a user, global and of rooms.
    public func accountData(of user: UserNumber) async throws -> [AccountDataRecord] {
        let accountData = accountData
        return try await store.read { reader in
            try accountData.all(of: try reader.identifiers.user(user), number: user, in: reader)
        }
    }

    /// Account data of a user, global and of rooms.
    public func accountData(
        of user: UserNumber, after: StreamPosition, through: StreamPosition
    ) async throws -> [AccountDataRecord] {
        let accountData = accountData
        return try await store.read { reader in
            try accountData.changed(
                of: try reader.identifiers.user(user), number: user, after: after, through: through, in: reader)
        }
    }

    /// Receipts of rooms, others' private ones left out.
    public func receipts(
        in rooms: [RoomNumber], for user: UserNumber, after: StreamPosition, through: StreamPosition
    ) async throws -> [ReceiptRecord] {
        try await store.read { reader in
            try reader.receipts.changed(in: rooms, visibleTo: user, after: after, through: through).map(\.receipt)
        }
    }

    /// What a user has not read of rooms.
    public func unread(
        of user: Requester, in rooms: [RoomNumber], through: StreamPosition
    ) async throws -> [RoomNumber: UnreadSummary] {
        try await unread.counts(user.number, rooms, through: through).mapValues { counts in
            UnreadSummary(main: counts.main.summary, threads: counts.threads.mapValues(\.summary))
        }
    }

    /// Whom a user does not want to hear of.
    public func ignoredUsers(of user: UserNumber) async throws -> Set<UserID> {
        try await ignored.ignoredUsers(of: user)
    }

    /// Whether a user is not to be told of an invitation: by whom they ignore, or do not want to be invited.
    public func hides(inviteBy sender: UserID, from user: UserNumber) async throws -> Bool {
        if try await ignored.ignoredUsers(of: user).contains(sender) { return true }
        return try await invites.hides(inviteBy: sender, from: user)
    }
}

extension RoomCounts.Thread {
    fileprivate var summary: UnreadSummary.Counts {
        UnreadSummary.Counts(notifications: notification, highlights: highlight)
    }
}

extension TypingService: SyncTypingSource {}
