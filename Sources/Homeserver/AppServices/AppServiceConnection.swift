import Logging
import Matrix
import Store

/// Tells one application service what waits for it, one transaction after another.
///
/// [Pushing events](https://spec.matrix.org/v1.19/application-service-api/#pushing-events)
actor AppServiceConnection {
    private let service: AppService
    private let url: String
    private let store: Store
    private let builder: AppServiceTransactionBuilder
    private let transport: any AppServiceTransport
    private let scheduler: any Scheduler
    private let logger: Logger

    private var isRunning = false
    private var isStopped = false
    private var hasMore = false
    /// The wait until the next attempt: which one, `nil` if nothing is waited for.
    private var wait: Int?
    private var waits = 0
    private var failures = 0
    private var typingRooms: Set<RoomNumber> = []
    /// Whether the service knows only paths of before they were specified.
    private var usesLegacyPaths = false

    /// Events and other things in one transaction at the most.
    private static let maximumItems = 100
    private static let maximumTypingRooms = 200
    private static let timeoutMilliseconds: Int64 = 60_000
    private static let firstWaitMilliseconds: Int64 = 1_000
    private static let longestWaitMilliseconds: Int64 = 3_600_000

    init(
        service: AppService, url: String, store: Store, builder: AppServiceTransactionBuilder,
        transport: any AppServiceTransport, scheduler: any Scheduler, logger: Logger
    ) {
        self.service = service
        self.url = url
        self.store = store
        self.builder = builder
        self.transport = transport
        self.scheduler = scheduler
        self.logger = logger
    }

    /// Says that something may wait.
    nonisolated func wake() { Task { await run() } }

    /// Says that the service is there, whatever happened before.
    nonisolated func isThere() { Task { await tryAgain() } }

    /// Says that somebody has begun or ceased to type in a room.
    func typingChanged(in room: RoomNumber) async {
        // To whom cannot be reached it would be no news any more.
        guard wait == nil, typingRooms.count < Self.maximumTypingRooms else { return }
        typingRooms.insert(room)
        await run()
    }

    /// Does no more. What was under way is sent again after the next start.
    func stop() { isStopped = true }

    private func tryAgain() async {
        guard wait != nil else { return }
        wait = nil
        failures = 0
        await run()
    }

    private func run() async {
        hasMore = true
        guard !isRunning, wait == nil else { return }
        isRunning = true
        defer { isRunning = false }
        while hasMore, !isStopped {
            hasMore = false
            do {
                guard let transaction = try await next() else { continue }
                guard await deliver(transaction) else { return pause() }
                try await store.write { [service] in
                    try $0.appServices.finish(transaction.number, of: service.id)
                }
                hasMore = true
            } catch {
                logger.error(
                    "an application service cannot be told",
                    metadata: ["service": "\(service.id)", "error": "\(error)"])
                return pause()
            }
        }
    }

    /// The transaction that is under way, or a new one; `nil` if there is nothing to tell.
    private func next() async throws -> AppServiceTransaction? {
        let (last, items) = try await store.read { [service] reader in
            (
                try reader.appServices.transaction(of: service.id),
                try reader.appServices.queue(of: service.id, limit: Self.maximumItems)
            )
        }
        guard let last else { return nil }
        if last.body != nil { return last }
        let rooms = typingRooms.sorted()
        typingRooms = []
        guard !items.isEmpty || !rooms.isEmpty else { return nil }
        let made = try await builder.make(items, typingIn: rooms)
        guard let body = made.body else {
            // What waited is gone: an event that was purged, a message that was fetched.
            guard let through = made.through else { return nil }
            try await store.write { [service] in try $0.appServices.drop(of: service.id, through: through) }
            hasMore = true
            return nil
        }
        let transaction = AppServiceTransaction(number: last.number + 1, body: body)
        try await store.write { [service] in
            try $0.appServices.begin(transaction, of: service.id, through: made.through)
        }
        return transaction
    }

    private func deliver(_ transaction: AppServiceTransaction) async -> Bool {
        let current = "\(url)/_matrix/app/v1/transactions/\(transaction.number)"
        let legacy = "\(url)/transactions/\(transaction.number)"
        var reply = await put(transaction, usesLegacyPaths ? legacy : current)
        if reply.isUnknownEndpoint {
            // It may be older than the path, or have become younger.
            usesLegacyPaths.toggle()
            reply = await put(transaction, usesLegacyPaths ? legacy : current)
            if !reply.isSuccess { usesLegacyPaths = false }
        }
        if reply.isSuccess {
            if failures > 0 {
                logger.info("an application service is there again", metadata: ["service": "\(service.id)"])
            }
            failures = 0
            return true
        }
        if failures == 0 {
            let reason: Logger.MetadataValue =
                switch reply {
                case .answer(let status, _): "status \(status)"
                case .failed(let why): "\(why)"
                case .timedOut: "no answer in time"
                }
            logger.warning(
                "an application service does not take what it is told",
                metadata: ["service": "\(service.id)", "reason": reason])
        }
        return false
    }

    private func put(_ transaction: AppServiceTransaction, _ url: String) async -> AppServiceReply {
        await transport.send(
            AppServiceRequest(
                .put, url, token: service.homeserverToken, body: transaction.body,
                timeoutMilliseconds: Self.timeoutMilliseconds))
    }

    /// Waits twice as long as the last time.
    private func pause() {
        guard !isStopped else { return }
        let shift = min(failures, 20)
        failures += 1
        waits += 1
        wait = waits
        let milliseconds = min(Self.firstWaitMilliseconds << shift, Self.longestWaitMilliseconds)
        scheduler.after(milliseconds: milliseconds) { [weak self, waits] in
            Task { [weak self] in await self?.endWait(waits) }
        }
    }

    private func endWait(_ number: Int) async {
        guard wait == number else { return }
        wait = nil
        await run()
    }
}
