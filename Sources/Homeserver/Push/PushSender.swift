import Logging
import Matrix
import RoomEngine
import Store
import Synchronization

/// Tells push gateways what ``PushFollower`` has stored: each pusher one thing after the other, many pushers at a time.
///
/// What was not told is told later, also by the next process; see ``PushQueue`` for when.
public final class PushSender: Sendable {
    private struct State {
        var queue = PushQueue()
        var isStopped = false
        var counts = PushCounts()
        /// What was last told to be unread, as far as it is remembered.
        var told: [PusherKey: Int] = [:]
    }

    private let store: Store
    private let content: PushContent
    private let users: PushUsers
    private let validity: AccountValidityPolicy?
    private let gateway: any PushGateway
    private let clock: any Clock
    private let scheduler: any Scheduler
    private let logger: Logger
    private let state = Mutex(State())

    /// What has waited for longer is not told any more, in milliseconds.
    private static let lifetimeMilliseconds: Int64 = 86_400_000
    private static let pushesAtOnce = 20
    /// For how many pushers it is remembered what they were last told to be unread.
    private static let maximumTold = 20_000
    private static let retryMilliseconds: Int64 = 5_000
    private static let patienceMilliseconds: Int64 = 20

    /// - Parameters:
    ///   - rooms: Know what is told of rooms.
    ///   - unread: Knows what users have not read.
    ///   - users: Who has pushers.
    ///   - gateway: Tells gateways.
    ///   - validity: How long accounts are valid: whose has ended is told nothing.
    public init(
        store: Store, rooms: RoomService, unread: UnreadCounts, users: PushUsers, gateway: any PushGateway,
        clock: any Clock, scheduler: any Scheduler, validity: AccountValidityPolicy? = nil, logger: Logger
    ) {
        self.store = store
        self.validity = validity
        content = PushContent(store: store, rooms: rooms, unread: unread)
        self.users = users
        self.gateway = gateway
        self.clock = clock
        self.scheduler = scheduler
        self.logger = logger
    }

    /// Goes on with what was left when the server stopped.
    public func start() async throws {
        try await users.load()
        enqueue(try await store.read { try $0.pendingPushes.waiting() })
    }

    /// Sends no more, and waits until what is under way has ended, but not for longer than `milliseconds`.
    public func stop(withinMilliseconds milliseconds: Int64) async {
        for _ in 0..<max(1, milliseconds / Self.patienceMilliseconds) {
            let active = state.withLock { state in
                state.isStopped = true
                return state.queue.active
            }
            if active == 0 { return }
            await withCheckedContinuation { continuation in
                scheduler.after(milliseconds: Self.patienceMilliseconds) { continuation.resume() }
            }
        }
    }

    /// What has been told, and what waits.
    public var counts: PushCounts {
        state.withLock { state in
            var counts = state.counts
            counts.waiting = state.queue.count
            return counts
        }
    }

    /// Some users' pushers have something to tell.
    func wake(_ users: [UserNumber]) {
        guard !state.withLock({ $0.isStopped }) else { return }
        Task {
            do {
                enqueue(try await store.read { try $0.pendingPushes.waiting(of: users) })
            } catch {
                logger.error("pending pushes not read", metadata: ["error": "\(error)"])
                scheduler.after(milliseconds: Self.retryMilliseconds) { [weak self] in self?.wake(users) }
            }
        }
    }

    private func enqueue(_ waiting: [(key: PusherKey, data: [UInt8])]) {
        guard !waiting.isEmpty else { return }
        let found = waiting.map { ($0.key, PushNotification.Options($0.data).address?.origin ?? "") }
        state.withLock { state in
            for (key, origin) in found { state.queue.add(key, at: origin) }
        }
        startNext()
    }

    private func startNext() {
        let started = state.withLock { $0.isStopped ? [] : $0.queue.start() }
        for key in started { Task { await tell(key) } }
    }

    private func tell(_ key: PusherKey) async {
        var outcome = PushQueue.Outcome.failed
        do { outcome = try await step(key) } catch {
            logger.error("nothing can be pushed", metadata: ["user": "\(key.user)", "error": "\(error)"])
        }
        let rest = state.withLock { $0.queue.finish(key, outcome) }
        if let rest {
            scheduler.after(milliseconds: rest.milliseconds) { [weak self] in
                self?.state.withLock { $0.queue.rested(rest) }
                self?.startNext()
            }
        }
        startNext()
    }

    /// Tells one thing, the oldest that is worth it.
    private func step(_ key: PusherKey) async throws -> PushQueue.Outcome {
        let (found, pushes, hasEnded) = try await store.read { [validity, now = clock.now] reader in
            (
                try reader.pushers.pusher(key),
                try reader.pendingPushes.pushes(of: key, limit: Self.pushesAtOnce),
                try validity?.hasEnded(key.user, at: now, in: reader) ?? false
            )
        }
        guard let pusher = found, let last = pushes.last else { return .done }
        if hasEnded {
            try await remove(key, through: last.position)
            return .more
        }
        let options = PushNotification.Options(pusher.data)
        guard let address = options.address else {
            try await remove(key, through: last.position)
            return .more
        }
        let oldest = clock.now - Self.lifetimeMilliseconds
        for push in pushes where push.addedTimestamp >= oldest {
            guard let number = push.event, let subject = try await content.subject(number, push.actions, for: pusher)
            else { continue }
            return try await send(pusher, subject, options, to: address, through: push.position)
        }
        // Nothing is left of these but how much is unread; what comes after them tells that too.
        guard pushes.count < Self.pushesAtOnce, options.countsUnread, last.addedTimestamp >= oldest else {
            try await remove(key, through: last.position)
            return .more
        }
        return try await send(pusher, nil, options, to: address, through: last.position)
    }

    private func send(
        _ pusher: PusherRecord, _ subject: PushNotification.Subject?, _ options: PushNotification.Options,
        to address: PushGatewayAddress, through position: StreamPosition
    ) async throws -> PushQueue.Outcome {
        let key = pusher.key
        let unread = options.countsUnread ? try await content.unreadCount(of: pusher.user) : 0
        if subject == nil, state.withLock({ $0.told[key] }) == unread {
            try await remove(key, through: position)
            return .more
        }
        let body = PushNotification(pusher: pusher, subject: subject, unreadCount: unread).body(options)
        let answer: PushGatewayAnswer
        do { answer = try await gateway.notify(body, at: address) } catch {
            count(\.failed)
            logger.notice("push gateway not reached", metadata: ["gateway": "\(address.origin)", "error": "\(error)"])
            return .failed
        }
        switch PushVerdict(answer, pushKey: pusher.pushKey) {
        case .delivered:
            state.withLock { state in
                state.counts.sent += 1
                if state.told.count >= Self.maximumTold { state.told = [:] }
                state.told[key] = unread
            }
        case .rejected:
            count(\.rejected)
            logger.notice("push key rejected", metadata: ["gateway": "\(address.origin)", "user": "\(pusher.user)"])
            state.withLock { $0.told[key] = nil }
            try await store.write { [users] writer in
                try writer.pushers.delete(appID: pusher.appID, pushKey: pusher.pushKey, of: pusher.user)
                try users.update([pusher.user], in: writer)
            }
            return .more
        case .refused:
            count(\.dropped)
            logger.warning(
                "push gateway refuses", metadata: ["gateway": "\(address.origin)", "status": "\(answer.status)"])
        case .failed:
            count(\.failed)
            logger.notice(
                "push gateway fails", metadata: ["gateway": "\(address.origin)", "status": "\(answer.status)"])
            return .failed
        }
        try await remove(key, through: position)
        return .more
    }

    private func count(_ member: WritableKeyPath<PushCounts, UInt64>) {
        state.withLock { $0.counts[keyPath: member] += 1 }
    }

    private func remove(_ key: PusherKey, through position: StreamPosition) async throws {
        try await store.write { try $0.pendingPushes.remove(of: key, through: position) }
    }
}

/// What has been pushed since the server started, and what waits.
public struct PushCounts: Sendable, Hashable {
    /// Notifications that a gateway has taken.
    public var sent: UInt64 = 0
    /// Attempts that will be repeated.
    public var failed: UInt64 = 0
    /// Push keys that a gateway has rejected.
    public var rejected: UInt64 = 0
    /// Notifications that a gateway does not want.
    public var dropped: UInt64 = 0
    /// Pushers that have something to tell.
    public var waiting = 0

    /// Nothing yet.
    public init() {}
}

/// What a gateway's answer means.
enum PushVerdict: Sendable, Hashable {
    /// It was taken.
    case delivered
    /// The push key is not valid any more.
    case rejected
    /// It will never be taken.
    case refused
    /// It may be taken later.
    case failed

    init(_ answer: PushGatewayAnswer, pushKey: String) {
        switch answer.status {
        case 200..<300:
            let rejected = (try? JSON(parsing: answer.body))?["rejected"]
            let isRejected = rejected?.elements.contains { $0.string.map { ExactString($0) } == ExactString(pushKey) }
            self = isRejected == true ? .rejected : .delivered
        case 408, 425, 429, 500...: self = .failed
        default: self = .refused
        }
    }
}
