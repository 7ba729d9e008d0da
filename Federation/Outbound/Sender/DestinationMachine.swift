import Matrix
import Store

/// What is sent to one server, and when: a machine without a clock, a database or a network.
///
/// Whoever holds it tells it what happens and carries out the ``Action`` that it answers. What has been delivered is
/// a position in the journal (`sentThrough`), which moves when an acknowledgement has been written down; how far the
/// journal has something for the server is another (`queuedThrough`). While the server answers, what lies between is
/// kept in memory, up to a number; what is not is read from the database when its turn comes.
struct DestinationMachine: Sendable {
    /// What the holder has to do.
    enum Action: Sendable {
        /// Nothing.
        case none
        /// Call ``begin()`` when it is this destination's turn.
        case start
        /// Call ``due(now:)`` at that time.
        case wake(at: Int64)
        /// Put together the next transaction, and call ``loaded(_:isEmpty:page:now:)`` or
        /// ``loadFailed(tookDeviceMessages:now:)``.
        case load(Order)
        /// Send it, and call ``delivered(now:)`` or ``failed(_:now:chance:)``.
        case send
        /// Write down what was delivered, and call ``stored(queued:)`` or ``storeFailed(now:)``.
        case store(Delivery)
        /// The same, of something that the server refuses for good: it is passed over.
        case skip(Delivery)
        /// Write down that the server failed (nothing depends on it), and call ``due(now:)`` at that time.
        case retry(at: Int64)
    }

    /// What the next transaction is to be made of.
    struct Order: Sendable {
        let after: StreamPosition
        let through: StreamPosition
        /// What the journal has for the server between the two, or `nil` if it has to be read.
        let items: [OutgoingItem]?
        /// Whether messages for devices may wait.
        let takesDeviceMessages: Bool
        let typing: [TypingNote]
        let presence: [UserNumber]
        let limits: TransactionLimits
    }

    /// What was read of what the journal has for the server.
    struct Page: Sendable {
        /// The things, in order.
        var items: [OutgoingItem]
        /// What they are complete up to.
        var through: StreamPosition
    }

    /// What a transaction's acknowledgement means.
    struct Delivery: Sendable, Equatable {
        /// What comes before or at this has been delivered.
        var sentThrough: StreamPosition
        /// The messages for devices that have been delivered.
        var deviceMessages: [Int64]
        /// Whether more messages for devices wait.
        var hasMoreDeviceMessages: Bool
    }

    enum Failure: Sendable, Equatable {
        /// The server could not be reached, or not now; perhaps it has said for how long it wants to be left alone.
        case unreachable(String, retryAfterMilliseconds: Int64? = nil)
        /// The server answers, but does not like what it was sent.
        case refused(String)
    }

    enum Phase: Sendable, Equatable {
        /// Nothing waits.
        case idle
        /// Something that is not urgent waits for company.
        case lingering(until: Int64)
        /// It is next when its turn comes.
        case ready
        /// The next transaction is being put together.
        case loading
        /// A transaction is under way.
        case sending(Delivery)
        /// What was delivered is being written down.
        case storing(Delivery)
        /// The next attempt is due then.
        case waiting(until: Int64)
    }

    /// What is known of failures since the last success.
    struct Failures: Sendable, Equatable {
        var count = 0
        var intervalMilliseconds: Int64 = 0
        var first: Int64?
        var lastError: String?
        /// How often a single thing was refused, and since when.
        var refusals = 0
        var firstRefusal: Int64?
    }

    private(set) var phase = Phase.idle
    private(set) var sentThrough: StreamPosition
    private(set) var queuedThrough: StreamPosition
    private(set) var failures = Failures()
    private(set) var lastAttempt: Int64?
    private(set) var lastSuccess: Int64?
    /// All that waits between `sentThrough` and `knownThrough`.
    private var items: [OutgoingItem] = []
    private var knownThrough: StreamPosition
    private var hasDeviceMessages = false
    private var typing: [TypingNote] = []
    private var presence: Set<UserNumber> = []
    /// The `queuedThrough` that is known to be in the database.
    private var durableQueue: StreamPosition
    /// How many things a transaction may hold, after the server has refused one; `nil` for as many as fit.
    private var width: Int?
    private let configuration: SenderConfiguration

    /// The most notes of typing, and users whose presence is news, that wait: more are dropped.
    static let maximumMomentary = 100
    /// A transaction of so many things is as large as any.
    private static let fullWidth = 150

    /// A destination to which all has been delivered that comes before or at `position`.
    init(sentThrough position: StreamPosition, _ configuration: SenderConfiguration) {
        sentThrough = position
        queuedThrough = position
        durableQueue = position
        knownThrough = position
        self.configuration = configuration
    }

    /// A destination as it was when this server stopped.
    ///
    /// - Parameter dispatched: How far the journal has been looked through. Where something waits, more may have come
    ///   up to there.
    init(_ record: DestinationRecord, dispatched: StreamPosition, _ configuration: SenderConfiguration) {
        sentThrough = record.sentThrough
        let isOwed = record.queuedThrough > record.sentThrough
        queuedThrough = isOwed ? max(record.queuedThrough, dispatched) : max(record.sentThrough, dispatched)
        if !isOwed { sentThrough = queuedThrough }
        knownThrough = sentThrough
        durableQueue = record.queuedThrough
        failures.count = record.failures
        failures.intervalMilliseconds = record.intervalMilliseconds
        failures.first = record.firstFailure
        failures.lastError = record.lastError
        lastAttempt = record.lastAttempt
        lastSuccess = record.lastSuccess
        self.configuration = configuration
    }

    /// Whether nothing would be lost by forgetting the destination.
    var isDisposable: Bool { phase == .idle && failures.count == 0 && !hasWork }
    /// Whether it does not answer, as far as is known.
    var isFailing: Bool { failures.count > 0 }
    /// Whether something waits.
    var hasWork: Bool { owesEvents || hasDeviceMessages || !typing.isEmpty || !presence.isEmpty }
    private var owesEvents: Bool { queuedThrough > sentThrough }

    /// What the database should know of the destination.
    func record(of server: ServerName) -> DestinationRecord {
        var record = DestinationRecord(server: server, sentThrough: sentThrough, queuedThrough: queuedThrough)
        if case .storing(let delivery) = phase { record.sentThrough = max(sentThrough, delivery.sentThrough) }
        record.failures = failures.count
        record.intervalMilliseconds = failures.intervalMilliseconds
        if case .waiting(let until) = phase { record.retryAt = until }
        record.firstFailure = failures.first
        record.lastError = failures.lastError
        record.lastAttempt = lastAttempt
        record.lastSuccess = lastSuccess
        return record
    }

    // MARK: What comes to wait

    /// The journal has something for the server.
    ///
    /// - Parameters:
    ///   - new: What, in order.
    ///   - isComplete: Whether that is all there is up to `through`; if not, it has to be read.
    mutating func queue(
        _ new: [OutgoingItem], through: StreamPosition, isComplete: Bool = true, now: Int64
    ) -> Action {
        let new = new.filter { $0.position > sentThrough }
        guard through > queuedThrough, !(isComplete && new.isEmpty) else { return .none }
        let fits = items.count + new.count <= configuration.itemsInMemory
        if isComplete, !isWaiting, knownThrough == queuedThrough, fits {
            items += new
            knownThrough = through
        }
        queuedThrough = through
        return wake(urgently: !isComplete || new.contains(where: \.isUrgent), now: now)
    }

    /// Messages for devices wait.
    mutating func queueDeviceMessages(now: Int64) -> Action {
        hasDeviceMessages = true
        return wake(urgently: true, now: now)
    }

    /// Users have begun or ceased to type.
    mutating func tell(_ notes: [TypingNote], now: Int64) -> Action {
        guard !isWaiting else { return .none }
        for note in notes {
            typing.removeAll { $0.room == note.room && $0.user == note.user }
            if typing.count < Self.maximumMomentary { typing.append(note) }
        }
        return wake(urgently: true, now: now)
    }

    /// The presence of users has changed.
    mutating func tell(presenceOf users: some Sequence<UserNumber>, now: Int64) -> Action {
        guard !isWaiting else { return .none }
        for user in users where presence.count < Self.maximumMomentary { presence.insert(user) }
        return wake(urgently: false, now: now)
    }

    private var isWaiting: Bool { if case .waiting = phase { true } else { false } }

    private mutating func wake(urgently isUrgent: Bool, now: Int64) -> Action {
        switch phase {
        case .idle:
            if isUrgent { return becomeReady() }
            let until = now + configuration.lingerMilliseconds
            phase = .lingering(until: until)
            return .wake(at: until)
        case .lingering: return isUrgent ? becomeReady() : .none
        case .ready, .loading, .sending, .storing, .waiting: return .none
        }
    }

    private mutating func becomeReady() -> Action {
        phase = .ready
        return .start
    }

    // MARK: Time

    /// Time has passed.
    mutating func due(now: Int64) -> Action {
        switch phase {
        case .lingering(let until) where until <= now: return becomeReady()
        case .waiting(let until) where until <= now: return hasWork ? becomeReady() : settle()
        case .lingering(let until), .waiting(let until): return .wake(at: until)
        default: return .none
        }
    }

    /// The first attempt after a start is due at that time.
    mutating func resume(at time: Int64) -> Action {
        guard hasWork || isFailing else { return .none }
        phase = .waiting(until: time)
        return .wake(at: time)
    }

    /// The server has shown that it is there: it is tried again soon.
    mutating func reachable(now: Int64) -> Action {
        guard case .waiting(let until) = phase else { return .none }
        failures.intervalMilliseconds = 0
        // A server that asks but does not answer must not be tried with each of its requests.
        let soon = max(now, (lastAttempt ?? 0) + configuration.backoff.startMilliseconds)
        guard soon < until else { return .none }
        phase = .waiting(until: soon)
        return due(now: now)
    }

    /// Somebody wants the server to be tried now.
    mutating func retryNow() -> Action {
        failures.intervalMilliseconds = 0
        guard isWaiting else { return .none }
        return hasWork ? becomeReady() : settle()
    }

    // MARK: A transaction

    /// It is this destination's turn.
    mutating func begin() -> Action {
        guard phase == .ready else { return .none }
        phase = .loading
        var limits = configuration.limits
        limits.items = width
        defer {
            // What is of the moment is sent now or never.
            hasDeviceMessages = false
            typing = []
            presence = []
        }
        let isKnown = !items.isEmpty || knownThrough == queuedThrough
        return .load(
            Order(
                after: sentThrough, through: isKnown ? knownThrough : queuedThrough, items: isKnown ? items : nil,
                takesDeviceMessages: hasDeviceMessages, typing: typing, presence: presence.sorted(), limits: limits
            ))
    }

    /// The next transaction has been put together.
    ///
    /// - Parameters:
    ///   - delivery: What its acknowledgement will mean.
    ///   - isEmpty: Whether there is nothing to send after all.
    ///   - page: What was read for it, if it had to be.
    mutating func loaded(_ delivery: Delivery, isEmpty: Bool, page: Page? = nil, now: Int64) -> Action {
        guard phase == .loading else { return .none }
        if let page {
            items = page.items
            knownThrough = page.through
        }
        if !isEmpty {
            phase = .sending(delivery)
            return .send
        }
        if delivery.sentThrough > sentThrough {
            phase = .storing(delivery)
            return .store(delivery)
        }
        hasDeviceMessages = hasDeviceMessages || delivery.hasMoreDeviceMessages
        // Something waits, and none of it is to be sent: that must not be tried over and over at once.
        return owesEvents && delivery.sentThrough < queuedThrough ? pause(now: now) : settle()
    }

    /// The next transaction could not be put together: the database does not answer.
    mutating func loadFailed(tookDeviceMessages: Bool, now: Int64) -> Action {
        guard phase == .loading else { return .none }
        hasDeviceMessages = hasDeviceMessages || tookDeviceMessages
        return pause(now: now)
    }

    /// The server has acknowledged the transaction.
    mutating func delivered(now: Int64) -> Action {
        guard case .sending(let delivery) = phase else { return .none }
        lastAttempt = now
        lastSuccess = now
        failures = Failures()
        if let narrow = width { width = narrow * 4 >= Self.fullWidth ? nil : narrow * 4 }
        phase = .storing(delivery)
        return .store(delivery)
    }

    /// What was delivered has been written down.
    ///
    /// - Parameter queued: The `queuedThrough` that was written with it.
    mutating func stored(queued: StreamPosition) -> Action {
        guard case .storing(let delivery) = phase else { return .none }
        sentThrough = max(sentThrough, delivery.sentThrough)
        durableQueue = max(durableQueue, queued)
        hasDeviceMessages = hasDeviceMessages || delivery.hasMoreDeviceMessages
        knownThrough = max(knownThrough, sentThrough)
        items.removeAll { $0.position <= sentThrough }
        return settle()
    }

    /// What was delivered could not be written down: it will be sent again.
    mutating func storeFailed(now: Int64) -> Action {
        guard case .storing(let delivery) = phase else { return .none }
        restoreDeviceMessages(delivery)
        return pause(now: now)
    }

    /// The transaction has failed.
    ///
    /// - Parameter chance: Between 0 and 1, by chance.
    mutating func failed(_ failure: Failure, now: Int64, chance: Double) -> Action {
        guard case .sending(let delivery) = phase else { return .none }
        let policy = configuration.backoff
        lastAttempt = now
        restoreDeviceMessages(delivery)
        var atLeast: Int64 = 0
        switch failure {
        case .unreachable(let message, let retryAfter):
            failures.lastError = message
            atLeast = min(retryAfter ?? 0, policy.capMilliseconds)
        case .refused(let message):
            failures.lastError = message
            guard width == 1 else {
                width = width.map { max(1, $0 / 8) } ?? 8
                return becomeReady()
            }
            failures.refusals += 1
            let since = failures.firstRefusal ?? now
            failures.firstRefusal = since
            if failures.refusals >= policy.refusalsUntilSkip, now - since >= policy.refusingUntilSkipMilliseconds {
                failures.refusals = 0
                failures.firstRefusal = nil
                phase = .storing(delivery)
                return .skip(delivery)
            }
        }
        let first = failures.first ?? now
        failures.first = first
        failures.count += 1
        failures.intervalMilliseconds = policy.interval(
            after: failures.intervalMilliseconds, failingForMilliseconds: now - first)
        // What waits is read again when its turn comes; until then it takes no memory.
        items = []
        knownThrough = sentThrough
        typing = []
        presence = []
        let until = now + max(atLeast, policy.jittered(failures.intervalMilliseconds, chance: chance))
        phase = .waiting(until: until)
        return .retry(at: until)
    }

    private mutating func restoreDeviceMessages(_ delivery: Delivery) {
        if !delivery.deviceMessages.isEmpty || delivery.hasMoreDeviceMessages { hasDeviceMessages = true }
    }

    /// Waits for this server's own database.
    private mutating func pause(now: Int64) -> Action {
        let until = now + configuration.databaseRetryMilliseconds
        phase = .waiting(until: until)
        return .wake(at: until)
    }

    private mutating func settle() -> Action {
        guard hasWork else {
            phase = .idle
            return .none
        }
        return becomeReady()
    }

    // MARK: What the database must know

    /// What has to be written before it is forgotten where in the journal it came from: through where something may
    /// wait, unless the database knows already that something does.
    var owed: (sentThrough: StreamPosition, queuedThrough: StreamPosition)? {
        guard owesEvents else { return nil }
        // Whether or not what is under way arrives, something must be seen to wait.
        let settled =
            switch phase {
            case .sending(let delivery), .storing(let delivery): max(sentThrough, delivery.sentThrough)
            default: sentThrough
            }
        return durableQueue > settled ? nil : (sentThrough, queuedThrough)
    }

    /// What ``owed`` said has been written.
    mutating func wrote(queued: StreamPosition) { durableQueue = max(durableQueue, queued) }
}
