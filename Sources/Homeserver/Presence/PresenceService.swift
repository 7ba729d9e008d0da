import Matrix
import Store
import Synchronization

/// Whether users are there.
///
/// What clients say by syncing, setting their status and doing things is kept in memory; what others are told is written, and
/// announced, only when it changes: a client that does nothing but sync causes no write.
///
/// [Presence](https://spec.matrix.org/v1.19/client-server-api/#presence).
public final class PresenceService: Sendable {
    /// Times after which things change by themselves.
    public struct Times: Sendable {
        /// How long after a sync has ended a user counts as gone, in milliseconds.
        public var syncGraceMilliseconds: Int64 = 30_000
        /// How long after doing something a user counts as currently active, in milliseconds.
        public var activeMilliseconds: Int64 = 60_000
        /// How long after doing something a user who is online counts as unavailable, in milliseconds.
        public var idleMilliseconds: Int64 = 300_000
        /// How much later somebody who is not there must have been active again for others to be told, in milliseconds.
        public var toldActivityMilliseconds: Int64 = 300_000
        /// How often it is looked for what has changed by itself, in milliseconds.
        public var sweepMilliseconds: Int64 = 5_000

        /// The usual times.
        public init() {}
    }

    let store: Store
    let clock: any Clock
    let isEnabled: Bool
    let times: Times
    private let scheduler: any Scheduler
    private let state = Mutex(State())

    private struct State {
        var users: [UserNumber: PresenceTracker] = [:]
        var isSweeping = false
    }

    /// A service.
    ///
    /// - Parameters:
    ///   - isEnabled: Whether presence is kept at all; if not, everyone is offline and nothing is written.
    public init(
        store: Store, clock: any Clock, scheduler: any Scheduler, isEnabled: Bool = true, times: Times = Times()
    ) {
        self.store = store
        self.clock = clock
        self.scheduler = scheduler
        self.isEnabled = isEnabled
        self.times = times
    }

    /// Says that those who were there when the server stopped are gone. Called once, before clients are served.
    public func start() async throws {
        guard isEnabled else { return }
        var last = UserNumber(.min)
        while true {
            let from = last
            let page = try await store.read { try $0.presence.notOffline(after: from, limit: 500) }
            guard let end = page.last else { return }
            last = end.user
            try await store.write { writer in
                for var presence in page {
                    presence.state = .offline
                    presence.isCurrentlyActive = false
                    try writer.presence.set(presence)
                }
            }
        }
    }

    /// Has what users of this server send count as doing something. Called once, before clients are served.
    ///
    /// [Last active ago](https://spec.matrix.org/v1.19/client-server-api/#last-active-ago): a message is a proactive event.
    public func follow(sendersOf serverName: ServerName) {
        guard isEnabled else { return }
        store.journal.listen { [weak self] entries in
            for entry in entries {
                guard case .event(let event, _) = entry.change, event.event.sender.isLocal(to: serverName) else {
                    continue
                }
                self?.hasSent(event.sender)
            }
        }
    }

    /// A user has sent something. Quick, since nearly always it is nobody's news.
    private func hasSent(_ user: UserNumber) {
        let now = clock.now
        let isNews = state.withLock { state in
            guard state.users[user]?.isNews(toActAt: now, times) == false else { return true }
            _ = state.users[user]?.act(now: now, times)
            return false
        }
        guard isNews else { return }
        Task { do { try await act(user) } catch { markUnwritten(user) } }
    }

    // MARK: What clients do

    /// A client syncs, and wants its user to be seen as `state`.
    ///
    /// - Parameters:
    ///   - state: The `set_presence` of the sync.
    ///   - timeoutMilliseconds: How long the sync may wait: the user counts as there until then, and a grace time more.
    public func active(_ user: UserNumber, _ state: PresenceState, timeoutMilliseconds: Int64 = 0) async throws {
        guard isEnabled, state != .offline else { return }
        let now = clock.now
        let until = now + max(0, min(timeoutMilliseconds, 600_000)) + times.syncGraceMilliseconds
        try await change(user) { tracker in tracker.sync(as: state, now: now, until: until) }
    }

    /// A user does something: sends, reads, types.
    public func act(_ user: UserNumber) async throws {
        guard isEnabled else { return }
        let now = clock.now
        let times = times
        try await change(user) { tracker in tracker.act(now: now, times) }
    }

    /// A user sets their presence.
    ///
    /// - Parameter statusMessage: What they say about it; `nil` takes back what they said.
    /// - Throws: 400 `M_INVALID_PARAM` if the message is too long or holds a NUL, which no database column can.
    public func set(_ user: UserID, _ state: PresenceState, statusMessage: String?) async throws {
        if let statusMessage, statusMessage.utf8.count > 1_024 || statusMessage.utf8.contains(0) {
            throw MatrixError.invalidParameter("A status message may have 1024 bytes at most, and no NUL")
        }
        guard isEnabled, !store.shadowBannedUsers.contains(user) else { return }
        let now = clock.now
        let until = now + times.syncGraceMilliseconds
        try await change(try await store.intern(user)) { tracker in
            tracker.set(state, statusMessage: statusMessage, now: now, until: until)
        }
    }

    // MARK: What is told

    /// A user's presence, as another may see it.
    ///
    /// - Throws: 403 `M_FORBIDDEN` unless both are the same or share a room.
    public func presence(of user: UserID, seenBy viewer: UserID) async throws -> PresenceStatus {
        let (user, viewer) = (try await store.number(of: user), try await store.intern(viewer))
        guard let user else { throw Self.hidden }
        if user != viewer {
            let shared = try await store.read { try $0.memberships.sharing(with: viewer, among: [user]) }
            guard !shared.isEmpty else { throw Self.hidden }
        }
        guard isEnabled else { return PresenceStatus(state: .offline) }
        let stored = try await store.read { try $0.presence.presence(of: user) }
        let known = state.withLock { $0.users[user]?.record } ?? stored
        return known.map { PresenceStatus($0, now: clock.now) } ?? PresenceStatus(state: .offline)
    }

    private static let hidden = MatrixError.forbidden("You may not see this user's presence")

    /// Of `users`, those whose presence changed in a stretch of the journal.
    public func changed(
        among users: [UserNumber], after: StreamPosition, through: StreamPosition, in reader: StoreReader
    ) throws -> [PresenceRecord] {
        guard isEnabled else { return [] }
        return try reader.presence.changed(among: users, after: after, through: through)
    }

    /// Of `users`, those who are not offline: what a first sync tells.
    public func present(among users: [UserNumber], in reader: StoreReader) throws -> [PresenceRecord] {
        guard isEnabled else { return [] }
        return try reader.presence.presence(of: users).filter { $0.state != .offline }
    }

    // MARK: -

    /// Changes what is known of a user, and writes it if others are to be told.
    private func change(
        _ user: UserNumber, _ change: @Sendable (inout PresenceTracker) -> Bool
    ) async throws {
        if state.withLock({ $0.users[user] }) == nil {
            let stored = try await store.read { try $0.presence.presence(of: user) }
            state.withLock { state in
                if state.users[user] == nil { state.users[user] = PresenceTracker(user: user, stored: stored) }
            }
        }
        let (record, sweep) = state.withLock { state -> (PresenceRecord?, Bool) in
            guard var tracker = state.users[user] else { return (nil, false) }
            let isNews = change(&tracker)
            state.users[user] = tracker
            defer { state.isSweeping = true }
            return (isNews ? tracker.record : nil, !state.isSweeping)
        }
        if sweep { scheduleSweep() }
        if let record { try await write([record]) }
    }

    /// Writes what others are told. A newer change may have come between: the newest is what counts.
    private func write(_ records: [PresenceRecord]) async throws {
        try await store.write { writer in
            for record in records {
                let newest = self.state.withLock { $0.users[record.user]?.record } ?? record
                if try writer.read.presence.presence(of: record.user) != newest { try writer.presence.set(newest) }
            }
        }
    }

    /// Has a user's presence written at the next sweep, since it could not be written now.
    func markUnwritten(_ user: UserNumber) { state.withLock { $0.users[user]?.isUnwritten = true } }

    private func scheduleSweep() {
        scheduler.after(milliseconds: times.sweepMilliseconds) { [weak self] in
            guard let self else { return }
            Task { await self.sweep() }
        }
    }

    /// Finds who has become idle or gone. Users who are gone need no memory.
    func sweep() async {
        let now = clock.now
        let (changed, goes) = state.withLock { state -> ([PresenceRecord], Bool) in
            var changed: [PresenceRecord] = []
            for (user, var tracker) in state.users {
                let isNews = tracker.pass(now: now, times)
                if isNews { changed.append(tracker.record) }
                // What is news stays until it is written, which is before the next sweep that finds nothing new.
                state.users[user] = tracker.isForgettable(now: now, times) && !isNews ? nil : tracker
            }
            state.isSweeping = !state.users.isEmpty
            return (changed, state.isSweeping)
        }
        // One transaction for some hundreds of users, so that a wave of them does not hold up the writer.
        for start in stride(from: 0, to: changed.count, by: 500) {
            let page = Array(changed[start..<min(start + 500, changed.count)])
            do { try await write(page) } catch {
                // What could not be written is news again at the next sweep.
                for record in page { markUnwritten(record.user) }
            }
        }
        if goes { scheduleSweep() }
    }
}
