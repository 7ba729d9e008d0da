import Logging
import Matrix
import Store
import Synchronization

/// Does one kind of long work.
public protocol JobWorker: Sendable {
    /// The kind.
    var kind: JobKind { get }

    /// Does it, or what is left of it: it may have been begun before, and broken off by a stop of the server.
    ///
    /// - Parameters:
    ///   - job: What is to be done, and what has come of it so far.
    ///   - progress: To be told what has come of it, now and then.
    /// - Returns: What has come of it.
    /// - Throws: `MatrixError` if it cannot be done; `CancellationError` when the server stops; other errors are taken for passing ones.
    func work(on job: JobRecord, _ progress: JobProgress) async throws -> JSONValue
}

/// Where a worker says how far it is.
public struct JobProgress: Sendable {
    fileprivate let id: String
    fileprivate let store: Store
    fileprivate let clock: any Clock

    /// Keeps what has come of the work so far.
    public func report(_ result: JSONValue) async throws {
        let (id, now) = (id, clock.now)
        try await store.write { try $0.jobs.update(id, .active, result: result, now: now) }
    }
}

/// Does the long work that administrators ask for, some at a time, while nobody waits. All of it is in the database: after a stop of the server
/// it goes on, and what has come of it is known for a month.
public final class JobService: Sendable {
    private struct State {
        var running: [String: Task<Void, Never>] = [:]
        var isStarted = false
        var isStopped = false
    }

    private static let atOnce = 3
    private static let maximumUnfinished = 1_000
    private static let keptFinished = 10_000
    private static let keptMilliseconds: Int64 = 30 * 86_400_000
    private static let listed = 1_000
    private static let maximumAttempts = 20
    private static let retry = Duration.seconds(5)
    private static let patience = Duration.milliseconds(50)

    private let store: Store
    private let clock: any Clock
    private let randomness: any Randomness
    private let workers: [JobKind: any JobWorker]
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - store: Where it is kept.
    ///   - clock: Tells the time.
    ///   - randomness: What names are made of.
    ///   - workers: Do it, one for each kind.
    public init(
        store: Store, clock: any Clock, randomness: any Randomness, workers: [any JobWorker], logger: Logger
    ) {
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.workers = Dictionary(workers.map { ($0.kind, $0) }) { first, _ in first }
        self.logger = logger
    }

    /// Takes up what was left when the server stopped, and does from now on what is asked for.
    public func start() async {
        state.withLock { $0.isStarted = true }
        await lookUntilFound()
    }

    /// Breaks off what is being done: it goes on with the next start.
    public func stop() async {
        let running = state.withLock { state in
            state.isStopped = true
            return Array(state.running.values)
        }
        for task in running { task.cancel() }
        for task in running { await task.value }
    }

    /// Asks for work.
    ///
    /// - Parameters:
    ///   - kind: Its kind.
    ///   - subject: What it is about.
    ///   - input: What is to be done, as its worker reads it.
    ///   - result: What is told of it until it has begun.
    ///   - alongside: What else is done in the transaction that stores it.
    /// - Returns: Its name.
    /// - Throws: 400 `M_UNKNOWN` if it is being done already; 429 if too much waits.
    public func ask(
        _ kind: JobKind, about subject: String, input: JSONValue, result: JSONValue,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void
    ) async throws -> String {
        let id = randomness.text(24)
        let now = clock.now
        try await store.write { writer in
            guard try writer.read.jobs.unfinishedCount() < Self.maximumUnfinished else {
                throw MatrixError.limitExceeded(retryAfterMilliseconds: 60_000)
            }
            try writer.jobs.forget(before: now - Self.keptMilliseconds, keeping: Self.keptFinished)
            guard try writer.jobs.add(id, kind, about: subject, input: input, result: result, now: now) else {
                throw MatrixError(400, .unknown, "This is being done already for \(subject)")
            }
            try alongside(writer)
        }
        try await look()
        return id
    }

    /// Waits until work is done, has broken off, or the server stops.
    ///
    /// - Returns: The work, as it is then.
    /// - Throws: 404 `M_NOT_FOUND` if there is none of that name.
    public func end(of id: String) async throws -> JobRecord {
        while true {
            guard let job = try await job(id) else { throw Self.unknown }
            if job.status == .complete || job.status == .failed { return job }
            if let task = state.withLock({ $0.running[id] }) {
                await task.value
            } else {
                // It waits for its turn.
                try await Task.sleep(for: Self.patience)
            }
            if state.withLock({ $0.isStopped }) { throw MatrixError.unavailable("The server is being stopped") }
        }
    }

    /// The work of that name, or `nil`.
    public func job(_ id: String) async throws -> JobRecord? { try await store.read { try $0.jobs.job(id) } }

    /// Work of a kind about something, the oldest first.
    public func jobs(_ kind: JobKind, about subject: String) async throws -> [JobRecord] {
        try await store.read { try $0.jobs.jobs(kind, about: subject, limit: Self.listed) }
    }

    private static let unknown = MatrixError.notFound("Nothing is known of such work")

    // MARK: Doing it

    private func look() async throws {
        guard state.withLock({ $0.isStarted && !$0.isStopped && $0.running.count < Self.atOnce }) else { return }
        let jobs = try await store.read { try $0.jobs.unfinished(limit: Self.maximumUnfinished) }
        for job in jobs {
            state.withLock { state in
                guard !state.isStopped, state.running.count < Self.atOnce, state.running[job.id] == nil else { return }
                state.running[job.id] = Task { await self.run(job) }
            }
        }
    }

    private func run(_ job: JobRecord) async {
        await attempt(job)
        state.withLock { $0.running[job.id] = nil }
        await lookUntilFound()
    }

    private func lookUntilFound() async {
        while !state.withLock({ $0.isStopped }) {
            do { return try await look() } catch {
                logger.error("work not looked up", metadata: ["error": "\(error)"])
            }
            do { try await Task.sleep(for: Self.retry) } catch { return }
        }
    }

    private func attempt(_ job: JobRecord) async {
        for attempt in 1...Self.maximumAttempts {
            do {
                // Since it was looked up it may have been done.
                guard let current = try await self.job(job.id), current.status.rawValue < JobStatus.complete.rawValue
                else { return }
                return try await finish(current)
            } catch is CancellationError {
                return
            } catch {
                logger.error(
                    "work broke off", metadata: ["job": "\(job.id)", "attempt": "\(attempt)", "error": "\(error)"])
                do { try await Task.sleep(for: Self.retry) } catch { return }
            }
        }
        do {
            try await end(job.id, .failed, nil, "the work broke off: the server's log says why")
        } catch {
            logger.error("the end of work not noted", metadata: ["job": "\(job.id)", "error": "\(error)"])
        }
    }

    private func finish(_ job: JobRecord) async throws {
        guard let worker = workers[job.kind] else {
            return try await end(job.id, .failed, nil, "nobody does such work here")
        }
        let progress = JobProgress(id: job.id, store: store, clock: clock)
        try await progress.report(job.result.value)
        do {
            try await end(job.id, .complete, try await worker.work(on: job, progress), nil)
        } catch let error as MatrixError where error.status < 500 {
            try await end(job.id, .failed, nil, error.message)
        }
    }

    private func end(_ id: String, _ status: JobStatus, _ result: JSONValue?, _ error: String?) async throws {
        let now = clock.now
        try await store.write { try $0.jobs.update(id, status, result: result, error: error, now: now) }
    }
}
