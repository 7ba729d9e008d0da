import Homeserver
import Logging
import Matrix
import Store
import Synchronization

/// Sends to other servers what concerns them, until they have it.
///
/// A dispatcher goes through the journal and says what concerns whom (``JournalDispatcher``); for each server a
/// machine (``DestinationMachine``) decides what is sent to it and when; this actor carries out what the machines
/// say. Of servers to which all has been delivered nothing is kept in memory.
public actor FederationSender {
    let store: Store
    let serverName: ServerName
    let routes: EventRoutes
    let clock: any Clock
    let configuration: SenderConfiguration
    let logger: Logger
    let loader: TransactionLoader
    private let announcer: DeviceAnnouncer
    let transport: any TransactionTransport
    let scheduler: any Scheduler
    let randomness: any Randomness
    private let queue: ToDeviceQueue
    let typing: TypingService?

    var machines: [ServerName: DestinationMachine] = [:]
    /// How far the journal has been looked through, and all that it holds handed to `machines`.
    var dispatched = StreamPosition(0)
    /// Where servers were when this one stopped that have been sent what comes after `dispatched` of then.
    private var ahead: [ServerName: StreamPosition] = [:]
    private var turns: Turns
    var deadlines: [ServerName: Int64] = [:]
    var nextWake: Int64?
    var checkpointIsDue = false
    var writtenThrough = StreamPosition(0)
    var isRunning = false
    private var tasks: [Task<Void, Never>] = []
    private var transactions: [Int: Task<Void, Never>] = [:]
    private var lastTransaction = 0
    var counts = SendingCounts()
    private var news: AsyncStream<Void>.Continuation?
    var typists = TypingAnnouncer()
    /// Servers that do not answer, for those who hear from them.
    private let failing = Mutex<Set<ServerName>>([])

    /// - Parameters:
    ///   - store: Where everything is.
    ///   - serverName: This server.
    ///   - servers: Knows who is in which room.
    ///   - keys: Knows the keys that others are told.
    ///   - presence: `nil` for a server that keeps no presence.
    ///   - typing: Knows who is typing.
    ///   - queue: The messages for devices.
    ///   - transport: Carries transactions.
    ///   - accepts: Whether this server federates with another; to others nothing is sent.
    public init(
        store: Store, serverName: ServerName, servers: RoomServers, keys: KeyService, presence: PresenceService?,
        typing: TypingService?, queue: ToDeviceQueue, transport: any TransactionTransport, clock: any Clock,
        scheduler: any Scheduler, randomness: any Randomness, logger: Logger,
        configuration: SenderConfiguration = SenderConfiguration(),
        accepts: @escaping @Sendable (ServerName) -> Bool = { _ in true }
    ) {
        self.store = store
        self.serverName = serverName
        self.clock = clock
        self.configuration = configuration
        self.logger = logger
        self.transport = transport
        self.scheduler = scheduler
        self.randomness = randomness
        self.queue = queue
        self.typing = typing
        routes = EventRoutes(
            servers: servers, serverName: serverName, accepts: { $0 != serverName && accepts($0) })
        announcer = DeviceAnnouncer(store: store, keys: keys)
        let offers = EndOffers(routes: routes, ends: RoomEnds(store: store, serverName: serverName))
        loader = TransactionLoader(
            store: store, serverName: serverName, routes: routes, offers: offers, announcer: announcer,
            presence: presence, clock: clock, configuration: configuration
        )
        turns = Turns(healthy: configuration.concurrentTransactions, failing: configuration.concurrentRetries)
    }

    // MARK: Starting and stopping

    /// Begins to send, with what was left when the server stopped. Called once.
    public func start() async throws {
        let (position, waiting, devices, ahead) = try await store.read { reader in
            let position = try reader.destinations.dispatchedThrough()
            return (
                position, try reader.destinations.waiting(), try reader.outgoingDeviceMessages.servers(),
                try reader.destinations.sent(beyond: position)
            )
        }
        isRunning = true
        dispatched = position
        writtenThrough = position
        self.ahead = ahead
        for record in waiting {
            machines[record.server] = DestinationMachine(record, dispatched: position, configuration)
        }
        for server in devices where routes.accepts(server) {
            with(server) { $0.queueDeviceMessages(now: 0) }
        }
        spreadFirstAttempts()
        follow()
    }

    /// Has those that wait begin one after the other instead of all at once.
    private func spreadFirstAttempts() {
        let now = clock.now
        // A few need not wait for each other.
        let spread = min(configuration.startUpSpreadMilliseconds, Int64(machines.count) * 50)
        for (server, machine) in machines {
            let retry = machine.record(of: server).retryAt
            let soon = now + Int64(Double(spread) * chance())
            with(server) { $0.resume(at: machine.isFailing ? max(soon, retry) : soon) }
        }
    }

    private func follow() {
        let dispatcher = JournalDispatcher(
            store: store, routes: routes, offers: loader.offers, announcer: announcer,
            sendsPresence: loader.presence != nil, position: dispatched, logger: logger
        )
        let (entries, news) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.news = news
        store.journal.listen { _ in news.yield() }
        news.yield()
        keep(Task { [weak self] in for await _ in entries { await self?.dispatch(from: dispatcher) } })
        queue.onEnqueue { [weak self] servers in Task { await self?.deviceMessagesCame(for: servers) } }
        followTyping()
        tidy()
    }

    func keep(_ task: Task<Void, Never>) { tasks.append(task) }

    /// Ends. What is under way is broken off and will be sent again.
    public func stop() async {
        let underWay = abandon()
        for transaction in underWay { await transaction.value }
        await checkpoint()
    }

    /// Ends without writing anything down, as a crash would.
    ///
    /// - Returns: What is under way.
    @discardableResult
    func abandon() -> [Task<Void, Never>] {
        isRunning = false
        for task in tasks { task.cancel() }
        tasks = []
        let underWay = Array(transactions.values)
        for transaction in underWay { transaction.cancel() }
        return underWay
    }

    // MARK: What comes to wait

    private func dispatch(from dispatcher: JournalDispatcher) async {
        while isRunning {
            do {
                guard let batch = try await dispatcher.next() else { return }
                take(batch)
            } catch {
                guard isRunning else { return }
                logger.warning("the journal could not be read", metadata: ["error": "\(error)"])
                after(milliseconds: configuration.databaseRetryMilliseconds) { $0.lookAgain() }
                return
            }
        }
    }

    private func lookAgain() { news?.yield() }

    private func take(_ batch: DispatchedBatch) {
        let now = clock.now
        for (server, places) in batch.unread {
            let first = min(places.lowerBound, batch.items[server]?.first?.position ?? places.lowerBound)
            with(server, from: first) { $0.queue([], through: places.upperBound, isComplete: false, now: now) }
        }
        for (server, items) in batch.items {
            guard let first = items.first, let last = items.last else { continue }
            with(server, from: first.position) { $0.queue(items, through: last.position, now: now) }
        }
        dispatched = batch.through
        for (server, users) in batch.presence {
            with(server) { $0.tell(presenceOf: users, now: now) }
        }
        if !ahead.isEmpty { ahead = ahead.filter { $0.value > batch.through } }
        scheduleCheckpoint()
    }

    private func deviceMessagesCame(for servers: Set<ServerName>) {
        let now = clock.now
        for server in servers where routes.accepts(server) { with(server) { $0.queueDeviceMessages(now: now) } }
    }

    /// Tells servers of typing.
    func tell(_ notes: [TypingNote], _ servers: Set<ServerName>) {
        let now = clock.now
        for server in servers { with(server) { $0.tell(notes, now: now) } }
    }

    /// A server has been heard from, or has answered: if it had failed, it is tried again soon. Cheap; call it freely.
    public nonisolated func reachable(_ server: ServerName) {
        guard failing.withLock({ $0.contains(server) }) else { return }
        Task { await wasReached(server) }
    }

    private func wasReached(_ server: ServerName) {
        guard machines[server] != nil else { return }
        let now = clock.now
        with(server) { $0.reachable(now: now) }
    }

    // MARK: Carrying out what the machines say

    /// Tells a destination's machine something and carries out what it answers.
    ///
    /// - Parameter first: The first place of the journal that concerns the destination and that it is not known to have; `nil`
    ///   if there is none.
    func with(
        _ server: ServerName, from first: StreamPosition? = nil,
        _ tell: (inout DestinationMachine) -> DestinationMachine.Action
    ) {
        // Who is not in memory has been sent all that the journal holds up to here.
        let known = max(dispatched, ahead[server] ?? dispatched)
        let position = max(known, StreamPosition((first?.rawValue ?? 0) - 1))
        let action = tell(&machines[server, default: DestinationMachine(sentThrough: position, configuration)])
        perform(action, for: server)
    }

    /// Carries out what does not belong to a transaction under way.
    func perform(_ action: DestinationMachine.Action, for server: ServerName) {
        switch action {
        case .start:
            deadlines[server] = nil
            turns.enqueue(server, isFailing: machines[server]?.isFailing ?? false)
            takeTurns()
        case .wake(let time), .retry(let time): wake(server, at: time)
        case .none, .load, .send, .store, .skip: break
        }
        note(server)
    }

    /// Keeps in mind who fails, and forgets who needs no memory.
    private func note(_ server: ServerName) {
        let isFailing = machines[server]?.isFailing ?? false
        failing.withLock { failing in
            if isFailing { failing.insert(server) } else { failing.remove(server) }
        }
        if machines[server]?.isDisposable == true {
            machines[server] = nil
            deadlines[server] = nil
        }
    }

    private func takeTurns() {
        while isRunning, let (server, lane) = turns.next() {
            lastTransaction += 1
            transactions[lastTransaction] = Task { [number = lastTransaction] in
                await self.transact(with: server)
                self.endTurn(number, lane)
            }
        }
    }

    private func endTurn(_ number: Int, _ lane: Turns.Lane) {
        transactions[number] = nil
        turns.end(lane)
        takeTurns()
    }
}
