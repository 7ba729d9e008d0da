import Logging
import Matrix
import Store
import Synchronization

/// What somebody who follows the journal makes of it.
public protocol JournalFollower: Sendable {
    /// Looks at a stretch of the journal.
    ///
    /// - Returns: What is to be stored of it, in the transaction that notes that it has been looked at; `nil` if nothing is. It may be
    ///   looked at again after a crash.
    func follow(_ rows: [JournalRow]) async throws -> (@Sendable (StoreWriter) throws -> Void)?
    /// Does what is to be done beside the journal, at the start and whenever somebody says that there is something to do.
    ///
    /// - Returns: Whether there may be more.
    func followUp() async throws -> Bool
    /// Whether what was looked at has left something to do beside the journal.
    var wantsFollowUp: Bool { get }
}

extension JournalFollower {
    /// False.
    public var wantsFollowUp: Bool { false }
}

/// Goes through the journal in the background, for somebody who follows it and may come a little later, and remembers in the database how
/// far it has come.
public final class JournalCursor: Sendable {
    private struct State {
        /// Everything up to here has been looked at; `nil` before the start.
        var position: StreamPosition?
        /// What the database knows of it.
        var stored = StreamPosition(0)
        var isRunning = false
        var isScheduled = false
        var isStopped = false
        var needsFollowUp = true
        /// Who waits for it.
        var waiting = 0
    }

    private let name: CursorName
    private let follower: any JournalFollower
    private let store: Store
    private let scheduler: any Scheduler
    private let logger: Logger
    private let pauseMilliseconds: Int64
    private let state = Mutex(State())

    /// Entries looked at together: few, so that those who write at the same time do not wait long for what is stored of them.
    private static let batchSize = 64
    /// Entries that may be looked at again after a crash, if nothing was to be stored of them.
    private static let maximumUnstored: Int64 = 5_000
    private static let retryMilliseconds: Int64 = 5_000
    /// What is left to others after something was stored, in milliseconds, unless somebody waits for it: in times of many messages it falls
    /// behind, and does not slow down those who send them.
    private static let breathMilliseconds: Int64 = 50
    /// How often somebody who waits looks, in milliseconds.
    private static let patienceMilliseconds: Int64 = 20

    /// A cursor; it does nothing before ``start()``.
    ///
    /// - Parameter pauseMilliseconds: What comes within that time after another is looked at with it.
    public init(
        _ name: CursorName, follower: any JournalFollower, store: Store, scheduler: any Scheduler, logger: Logger,
        pauseMilliseconds: Int64 = 300
    ) {
        self.name = name
        self.follower = follower
        self.store = store
        self.scheduler = scheduler
        self.logger = logger
        self.pauseMilliseconds = pauseMilliseconds
    }

    /// Goes on where it was.
    public func start() async throws {
        let name = name
        let position = try await store.read { try $0.journal.position(of: name) }
        state.withLock { state in
            state.position = position
            state.stored = position
        }
        store.journal.listen { [weak self, pauseMilliseconds] _ in self?.schedule(after: pauseMilliseconds) }
        schedule(after: 0)
    }

    /// Does no more, once it has finished what it is doing.
    public func stop() async {
        while state.withLock({ state in
            state.isStopped = true
            return state.isRunning
        }) { await pause(Self.patienceMilliseconds) }
    }

    /// Says that there is something to do beside the journal.
    public func requestFollowUp() {
        state.withLock { $0.needsFollowUp = true }
        schedule(after: pauseMilliseconds)
    }

    /// Waits until what is in the journal now has been looked at, but not longer than `milliseconds`.
    public func catchUp(withinMilliseconds milliseconds: Int64) async {
        let end = store.journal.end
        guard hasReached(end) == false else { return }
        state.withLock { $0.waiting += 1 }
        defer { state.withLock { $0.waiting -= 1 } }
        Task { await run() }
        for _ in 0..<max(1, milliseconds / Self.patienceMilliseconds) {
            await pause(Self.patienceMilliseconds)
            if hasReached(end) != false { return }
        }
    }

    private func pause(_ milliseconds: Int64) async {
        await withCheckedContinuation { continuation in
            scheduler.after(milliseconds: milliseconds) { continuation.resume() }
        }
    }

    /// `nil` if it is not on the way at all.
    private func hasReached(_ end: StreamPosition) -> Bool? {
        state.withLock { state in
            state.isStopped ? nil : state.position.map { $0 >= end && !state.needsFollowUp }
        }
    }

    private func schedule(after milliseconds: Int64) {
        let isFirst = state.withLock { state in
            guard !state.isScheduled, !state.isStopped else { return false }
            state.isScheduled = true
            return true
        }
        guard isFirst else { return }
        scheduler.after(milliseconds: milliseconds) { [weak self] in
            guard let self else { return }
            self.state.withLock { $0.isScheduled = false }
            Task { await self.run() }
        }
    }

    private func run() async {
        let isFirst = state.withLock { state in
            guard !state.isRunning, state.position != nil, !state.isStopped else { return false }
            state.isRunning = true
            return true
        }
        guard isFirst else { return }
        var failed = false
        do {
            while let stored = try await step() {
                if stored, state.withLock({ $0.waiting == 0 }) { await pause(Self.breathMilliseconds) }
            }
        } catch {
            failed = true
            logger.error("the journal cannot be followed", metadata: ["cursor": "\(name)", "error": "\(error)"])
        }
        state.withLock { $0.isRunning = false }
        if failed {
            schedule(after: Self.retryMilliseconds)
        } else if hasReached(store.journal.end) == false {
            // Something came at the last moment.
            schedule(after: 0)
        }
    }

    /// - Returns: Whether something was stored; `nil` if there was nothing to do.
    private func step() async throws -> Bool? {
        let (begin, stored, isStopped, needsFollowUp) = state.withLock {
            ($0.position ?? StreamPosition(0), $0.stored, $0.isStopped, $0.needsFollowUp)
        }
        guard !isStopped else { return nil }
        if needsFollowUp {
            state.withLock { $0.needsFollowUp = false }
            do {
                if try await follower.followUp() { state.withLock { $0.needsFollowUp = true } }
            } catch {
                state.withLock { $0.needsFollowUp = true }
                throw error
            }
        }
        let rows = try await rows(after: begin)
        guard let last = rows.last else { return state.withLock { $0.needsFollowUp } ? true : nil }
        let change = try await follower.follow(rows)
        if change != nil || last.position.rawValue - stored.rawValue >= Self.maximumUnstored {
            let name = name
            try await store.write { writer in
                try change?(writer)
                try writer.move(name, to: last.position)
            }
            state.withLock { $0.stored = last.position }
        }
        let wantsFollowUp = follower.wantsFollowUp
        state.withLock { state in
            state.position = last.position
            if wantsFollowUp { state.needsFollowUp = true }
        }
        return change != nil
    }

    private func rows(after position: StreamPosition) async throws -> [JournalRow] {
        let end = store.journal.end
        guard position < end else { return [] }
        let through = min(end, StreamPosition(position.rawValue + Int64(Self.batchSize)))
        if let entries = store.journal.entries(after: position, through: through) {
            return entries.map { JournalRow($0) }
        }
        return try await store.read { try $0.journal.rows(after: position, limit: Self.batchSize) }
    }
}
