import Matrix
import RoomEngine
import Store

/// Finds out from the journal what users' telephones are to be told, and stores it for ``PushSender``.
///
/// Nobody who sends waits for it.
public struct PushFollower: JournalFollower {
    private let store: Store
    private let judges: RuleJudges
    private let ignored: IgnoredUsers
    private let invites: InvitePermissions
    private let users: PushUsers
    private let sender: PushSender
    private let mail: MailSender?
    private let clock: any Clock

    /// What a pusher has to tell at most: of more than that, the oldest is of no interest any more.
    public static let maximumWaiting = 200

    /// - Parameters:
    ///   - judges: Know everyone's push rules.
    ///   - ignored: Knows whose messages nobody wants to be told of.
    ///   - invites: Knows whose invitations nobody wants to be told of.
    ///   - users: Who has pushers.
    ///   - sender: Told when there is something to send.
    ///   - mail: Told too; `nil` where no mail is sent.
    public init(
        store: Store, judges: RuleJudges, ignored: IgnoredUsers, invites: InvitePermissions, users: PushUsers,
        sender: PushSender, mail: MailSender? = nil, clock: any Clock
    ) {
        self.store = store
        self.judges = judges
        self.ignored = ignored
        self.invites = invites
        self.users = users
        self.sender = sender
        self.mail = mail
        self.clock = clock
    }

    /// There is nothing beside the journal.
    public func followUp() async throws -> Bool { false }

    /// Stores what there is to tell of a stretch.
    public func follow(_ rows: [JournalRow]) async throws -> (@Sendable (StoreWriter) throws -> Void)? {
        guard !users.isEmpty else { return nil }
        let numbers = rows.compactMap { row -> EventNumber? in
            if case .event(let number, _) = row.subject { number } else { nil }
        }
        let events = try await store.events(numbers)
        var desk = Desk(follower: self)
        var found: [Found] = []
        for row in rows {
            switch row.subject {
            case .event(let number, _):
                guard let event = events[number] else { continue }
                found += try await desk.found(event)
            case .receipt(let user, _, let type):
                let type = ExactString(type)
                guard type == "m.read" || type == "m.read.private", users.contains(user) else { continue }
                found.append(badge(of: user, at: row.position))
            default: continue
            }
        }
        guard !found.isEmpty else { return nil }
        let pushes = found
        let told = Set(pushes.map(\.user))
        return { [sender, mail] writer in
            for push in pushes { try writer.pendingPushes.add(push.push, of: push.user, happened: push.happened) }
            for user in told { try writer.pendingPushes.trim(user, to: Self.maximumWaiting) }
            writer.sql.onCommit {
                sender.wake(Array(told))
                mail?.wake(Array(told))
            }
        }
    }

    /// Something that a user's pushers have to tell.
    private struct Found: Sendable {
        let user: UserNumber
        let push: PendingPush
        /// When it happened, in milliseconds since 1970.
        let happened: Int64
    }

    private func badge(of user: UserNumber, at position: StreamPosition) -> Found {
        let now = clock.now
        let push = PendingPush(position: position, event: nil, actions: Array("[]".utf8), addedTimestamp: now)
        return Found(user: user, push: push, happened: now)
    }

    /// What is looked up once for all events of a stretch.
    private struct Desk {
        private struct Seat: Hashable {
            let user: UserNumber
            let room: RoomNumber
        }

        let follower: PushFollower
        private var members: [RoomNumber: [MembershipRecord]] = [:]
        private var judges: [Seat: RuleJudges.OutcomeJudge] = [:]

        init(follower: PushFollower) { self.follower = follower }

        mutating func found(_ event: StoredEvent) async throws -> [Found] {
            guard let position = event.position, position.rawValue > 0, event.redactedBy == nil else { return [] }
            var recipients: [UserNumber] = []
            if event.status == .accepted { recipients = try await self.members(of: event.room, at: position) }
            if let invited = try await invited(event), !recipients.contains(invited),
                try await !follower.invites.hides(inviteBy: event.event.sender, from: invited)
            {
                recipients.append(invited)
            }
            var found: [Found] = []
            for user in recipients where user != event.sender {
                let outcome = try await judge(user, event.room).outcome(of: event.event)
                guard outcome.notifies,
                    try await !follower.ignored.ignoredUsers(of: user).contains(event.event.sender)
                else { continue }
                let push = PendingPush(
                    position: position, event: event.number,
                    actions: JSONValue.array(outcome.actions.map(\.json)).serialized(),
                    addedTimestamp: follower.clock.now)
                found.append(Found(user: user, push: push, happened: event.receivedTimestamp))
            }
            return found
        }

        /// Who was in the room already, and has pushers.
        private mutating func members(of room: RoomNumber, at position: StreamPosition) async throws -> [UserNumber] {
            let records: [MembershipRecord]
            if let known = members[room] {
                records = known
            } else {
                records = try await follower.store.read { try $0.memberships.joinedWithPushers(in: room) }
                members[room] = records
            }
            let early = records.filter { $0.position <= position }.map(\.user)
            let late = records.filter { $0.position > position }
            guard !late.isEmpty else { return early }
            // A change of name is a membership too: whoever made it may have been in long before.
            return early
                + (try await follower.store.read { reader in
                    try late.filter { try UnreadCounts.joined($0, reader) <= position }.map(\.user)
                })
        }

        /// The user whom an event invites, if they have pushers.
        private func invited(_ event: StoredEvent) async throws -> UserNumber? {
            guard event.event.type == .member, event.status == .accepted || event.status == .outlier,
                Membership(of: event.event) == .invite, let user = event.event.stateKey.flatMap({ UserID($0.string) }),
                let number = try await follower.store.number(of: user)
            else { return nil }
            return follower.users.contains(number) ? number : nil
        }

        private mutating func judge(_ user: UserNumber, _ room: RoomNumber) async throws -> RuleJudges.OutcomeJudge {
            let seat = Seat(user: user, room: room)
            if let known = judges[seat] { return known }
            let judge: RuleJudges.OutcomeJudge
            do {
                judge = try await follower.judges.outcomeJudge(for: user, in: room)
            } catch let error as MatrixError where error.status == 404 {
                judge = try await follower.judges.outcomeJudge(for: user)
            }
            judges[seat] = judge
            return judge
        }
    }
}
