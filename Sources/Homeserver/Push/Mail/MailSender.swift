import Logging
import Matrix
import Store
import Synchronization

/// Sends users mail about what they have not read, where they ask for it.
///
/// What there is to tell is what ``PushFollower`` has stored for their pushers; it stays until it has been told, or read. When the mail server
/// does not take anything, all mail waits.
public final class MailSender: Sendable {
    private struct State {
        /// When somebody is looked at, in milliseconds since 1970.
        var due: [PusherKey: Int64] = [:]
        /// Who is being looked at.
        var active: Set<PusherKey> = []
        /// Who is to be looked at again after that.
        var changed: Set<PusherKey> = []
        /// When the clock rings, in milliseconds since 1970.
        var alarm: Int64?
        /// Until when nothing is sent, in milliseconds since 1970.
        var closedUntil: Int64 = 0
        var failures = 0
        var sent: UInt64 = 0
        var isStopped = false
    }

    private let store: Store
    private let content: PushContent
    private let mailer: any Mailer
    private let schedule: MailSchedule
    private let unsubscription: Unsubscription
    private let serverName: ServerName
    private let validity: AccountValidityPolicy?
    private let clock: any Clock
    private let scheduler: any Scheduler
    private let logger: Logger
    private let state = Mutex(State())

    private static let atOnce = 4
    private static let firstRetryMilliseconds: Int64 = 5_000
    private static let longestRetryMilliseconds: Int64 = 900_000
    /// The longest that the clock is set for, in milliseconds: it may be wrong.
    private static let longestAlarmMilliseconds: Int64 = 3_600_000
    private static let patienceMilliseconds: Int64 = 20

    /// - Parameters:
    ///   - rooms: Know what is told of rooms.
    ///   - unread: Knows what users have not read.
    ///   - mailer: Sends mail.
    ///   - schedule: When.
    ///   - unsubscription: Makes the links with which users want no more.
    ///   - validity: How long accounts are valid: whose has ended is told nothing.
    public init(
        store: Store, rooms: RoomService, unread: UnreadCounts, mailer: any Mailer, schedule: MailSchedule,
        unsubscription: Unsubscription, clock: any Clock, scheduler: any Scheduler,
        validity: AccountValidityPolicy? = nil, logger: Logger
    ) {
        self.store = store
        self.validity = validity
        content = PushContent(store: store, rooms: rooms, unread: unread)
        self.mailer = mailer
        self.schedule = schedule
        self.unsubscription = unsubscription
        serverName = rooms.serverName
        self.clock = clock
        self.scheduler = scheduler
        self.logger = logger
    }

    /// How many mails have been sent since the server started.
    public var sentCount: UInt64 { state.withLock { $0.sent } }

    /// Goes on with what was left when the server stopped.
    public func start() async throws { add(try await store.read { try $0.mailPushers.waiting() }) }

    /// Sends no more, and waits until what is under way has ended, but not for longer than `milliseconds`.
    public func stop(withinMilliseconds milliseconds: Int64) async {
        for _ in 0..<max(1, milliseconds / Self.patienceMilliseconds) {
            let isActive = state.withLock { state in
                state.isStopped = true
                return !state.active.isEmpty
            }
            if !isActive { return }
            await withCheckedContinuation { continuation in
                scheduler.after(milliseconds: Self.patienceMilliseconds) { continuation.resume() }
            }
        }
    }

    /// Some users' pushers have something to tell.
    func wake(_ users: [UserNumber]) {
        guard !state.withLock({ $0.isStopped }) else { return }
        Task {
            do { add(try await store.read { try $0.mailPushers.waiting(of: users) }) } catch {
                logger.error("pending pushes not read", metadata: ["error": "\(error)"])
                scheduler.after(milliseconds: Self.firstRetryMilliseconds) { [weak self] in self?.wake(users) }
            }
        }
    }

    private func add(_ waiting: [WaitingMail]) {
        state.withLock { state in
            for mail in waiting {
                let due = schedule.due(since: mail.since, last: mail.last)
                if state.active.contains(mail.key) {
                    state.changed.insert(mail.key)
                } else {
                    state.due[mail.key] = min(due, state.due[mail.key] ?? .max)
                }
            }
        }
        startNext()
    }

    /// Begins with those whose time has come, and sets the clock for the others.
    private func startNext() {
        let now = clock.now
        let (started, alarm) = state.withLock { state -> ([PusherKey], Int64?) in
            guard !state.isStopped else { return ([], nil) }
            let isOpen = state.closedUntil <= now
            let free = isOpen ? Self.atOnce - state.active.count : 0
            let ready = state.due.filter { $0.value <= now }.sorted { $0.value < $1.value }.prefix(max(0, free)).map(
                \.key)
            for key in ready {
                state.due[key] = nil
                state.active.insert(key)
            }
            // Who has to wait for others is begun with when those have ended.
            let next = isOpen ? state.due.values.filter { $0 > now }.min() : state.due.isEmpty ? nil : state.closedUntil
            guard let next, state.alarm.map({ next < $0 || $0 <= now }) ?? true else { return (ready, nil) }
            state.alarm = next
            return (ready, next)
        }
        for key in started { Task { await look(key) } }
        guard let alarm else { return }
        scheduler.after(milliseconds: min(max(1, alarm - now), Self.longestAlarmMilliseconds)) { [weak self] in
            self?.state.withLock { if $0.alarm == alarm { $0.alarm = nil } }
            self?.startNext()
        }
    }

    private func look(_ key: PusherKey) async {
        var again: Int64?
        do {
            again = try await step(key)
        } catch {
            logger.error("no mail about unread messages", metadata: ["user": "\(key.user)", "error": "\(error)"])
            again = clock.now + Self.firstRetryMilliseconds
        }
        let isChanged = state.withLock { state in
            state.active.remove(key)
            if let again { state.due[key] = again }
            return state.changed.remove(key) != nil
        }
        if isChanged { wake([key.user]) }
        startNext()
    }

    /// Sends a mail if it is time.
    ///
    /// - Returns: When to look again, in milliseconds since 1970; `nil` if there is nothing to wait for.
    private func step(_ key: PusherKey) async throws -> Int64? {
        let (found, pushes, last) = try await store.read { reader in
            (
                try reader.pushers.pusher(key),
                try reader.pendingPushes.pushes(of: key, limit: PushFollower.maximumWaiting),
                try reader.mailPushers.last(of: key)
            )
        }
        guard let pusher = found, let end = pushes.last?.position else { return nil }
        if let validity,
            try await store.read({ [now = clock.now] in try validity.hasEnded(key.user, at: now, in: $0) })
        {
            try await store.write { try $0.pendingPushes.remove(of: key, through: end) }
            return nil
        }
        // Mail goes to those only who have shown that it is theirs.
        guard let address = EmailAddress(pusher.pushKey),
            try await store.read({ try $0.addresses.owner(of: address.string) }) == key.user
        else {
            try await store.write {
                try $0.pushers.delete(appID: key.appID.string, pushKey: key.pushKey.string, of: key.user)
            }
            return nil
        }
        var digest = MailDigest()
        var isFirst = true
        var read: StreamPosition?
        for push in pushes {
            guard let number = push.event, let subject = try await content.subject(number, push.actions, for: pusher)
            else {
                if isFirst { read = push.position }
                continue
            }
            if isFirst {
                isFirst = false
                let due = schedule.due(since: push.addedTimestamp, last: last)
                if due > clock.now {
                    // The oldest that waited has been read meanwhile; the others are left to be read as long.
                    if let read { try await store.write { try $0.pendingPushes.remove(of: key, through: read) } }
                    return due
                }
            }
            digest.add(subject, isEncrypted: try await content.isEncrypted(subject.event.roomID))
        }
        guard !isFirst else {
            try await store.write { try $0.pendingPushes.remove(of: key, through: end) }
            return nil
        }
        return try await send(digest, to: address, pusher, through: end, last)
    }

    private func send(
        _ digest: MailDigest, to address: EmailAddress, _ pusher: PusherRecord, through end: StreamPosition,
        _ last: SentMail?
    ) async throws -> Int64? {
        let user = try await store.user(pusher.user)
        let link = try unsubscription.link(user, appID: pusher.appID, pushKey: pusher.pushKey)
        let letter = MailLetter(serverName: serverName, language: pusher.language)
        var isTaken = true
        do {
            try await mailer.send(letter.mail(to: address, digest, unsubscribe: link))
        } catch let error as MatrixError where error.status >= 500 || error.status == 429 {
            return close()
        } catch let error as MatrixError {
            // The address is refused for good: what it was to be told is lost, but not what happens once it is not refused any more.
            logger.notice("mail refused", metadata: ["user": "\(pusher.user)", "error": "\(error.message)"])
            isTaken = false
        }
        let sent = schedule.sent(now: clock.now, last: last)
        try await store.write { writer in
            try writer.pendingPushes.remove(of: pusher.key, through: end)
            try writer.mailPushers.note(sent, of: pusher.key)
        }
        state.withLock { [isTaken] state in
            state.failures = 0
            if isTaken { state.sent += 1 }
        }
        return nil
    }

    /// Sends nothing for a while.
    private func close() -> Int64 {
        let now = clock.now
        return state.withLock { state in
            if state.closedUntil <= now {
                let pause = Self.firstRetryMilliseconds << Int64(min(state.failures, 10))
                state.closedUntil = now + min(pause, Self.longestRetryMilliseconds)
                state.failures += 1
            }
            return state.closedUntil
        }
    }
}
