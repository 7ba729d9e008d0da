import Matrix
import Store
import Synchronization

/// Whether users of other servers are there, as their servers tell.
///
/// What is told is kept where the presence of our own users is, and goes to the same listeners. A user whose server does not say for long
/// that they are there counts as gone.
///
/// [Presence](https://spec.matrix.org/v1.19/server-server-api/#presence)
public final class RemotePresence: Sendable {
    /// What a server tells of a user.
    public struct Update: Sendable {
        /// The user.
        public let user: UserID
        /// Whether they are there.
        public let state: PresenceState
        /// What they say about it.
        public let statusMessage: String?
        /// How long ago they did something, in milliseconds.
        public let lastActiveAgoMilliseconds: Int64
        /// Whether they are doing something right now.
        public let isCurrentlyActive: Bool

        /// An update.
        public init(
            user: UserID, state: PresenceState, statusMessage: String?, lastActiveAgoMilliseconds: Int64,
            isCurrentlyActive: Bool
        ) {
            self.user = user
            self.state = state
            self.statusMessage = statusMessage
            self.lastActiveAgoMilliseconds = lastActiveAgoMilliseconds
            self.isCurrentlyActive = isCurrentlyActive
        }
    }

    private struct State {
        /// Until when users who are there count as such, in the clock's milliseconds.
        var present: [UserNumber: Int64] = [:]
        var isSweeping = false
    }

    private let store: Store
    private let clock: any Clock
    private let scheduler: any Scheduler
    private let participation: Participation
    private let isEnabled: Bool
    private let state = Mutex(State())

    /// For how long it holds what a server has said once: servers say it again every 25 minutes or so.
    static let lifetimeMilliseconds: Int64 = 32 * 60_000
    /// How often it is looked for who is gone.
    static let sweepMilliseconds: Int64 = 60_000
    /// Users of other servers who can be there at once; more are not shown.
    static let maximumPresent = 100_000
    /// Somebody's being active at another time is news only if it is so much later.
    private static let activityStepMilliseconds: Int64 = 300_000
    private static let usersPerWrite = 200

    /// - Parameters:
    ///   - participation: Knows with whom this server shares rooms.
    ///   - isEnabled: Whether presence is kept at all.
    public init(
        store: Store, clock: any Clock, scheduler: any Scheduler, participation: Participation, isEnabled: Bool = true
    ) {
        self.store = store
        self.clock = clock
        self.scheduler = scheduler
        self.participation = participation
        self.isEnabled = isEnabled
    }

    /// Takes in what a server tells of its users. Who shares no room with us, or is not that server's, is ignored.
    public func receive(_ updates: [Update], from origin: ServerName) async throws {
        guard isEnabled, !updates.isEmpty else { return }
        let own = updates.filter { $0.user.isLocal(to: origin) }
        let numbers = try await store.read { reader in
            try own.map { try reader.identifiers.number(of: $0.user) }
        }
        let sharing = try await participation.sharing(among: Set(numbers.compactMap { $0 }))
        let now = clock.now
        var records: [PresenceRecord] = []
        for (update, number) in zip(own, numbers) {
            guard let number, sharing.contains(number), keep(number, update.state, now) else { continue }
            let isActive = update.isCurrentlyActive && update.state == .online
            records.append(
                PresenceRecord(
                    user: number, state: update.state, statusMessage: Self.harmless(update.statusMessage),
                    lastActive: now - max(0, min(update.lastActiveAgoMilliseconds, now)), isCurrentlyActive: isActive))
        }
        scheduleSweep()
        try await write(records)
    }

    /// Notes until when a user counts as there.
    ///
    /// - Returns: Whether what is told of them is taken in at all.
    private func keep(_ user: UserNumber, _ presence: PresenceState, _ now: Int64) -> Bool {
        state.withLock { state in
            guard presence != .offline else {
                state.present[user] = nil
                return true
            }
            guard state.present[user] != nil || state.present.count < Self.maximumPresent else { return false }
            state.present[user] = now + Self.lifetimeMilliseconds
            return true
        }
    }

    private static func harmless(_ message: String?) -> String? {
        guard let message, !message.isEmpty, message.utf8.count <= 1_024, !message.utf8.contains(0) else { return nil }
        return message
    }

    /// Writes what is news.
    private func write(_ records: [PresenceRecord]) async throws {
        for start in stride(from: 0, to: records.count, by: Self.usersPerWrite) {
            let page = Array(records[start..<min(start + Self.usersPerWrite, records.count)])
            let known = try await store.read { try $0.presence.presence(of: page.map(\.user)) }
            let before = Dictionary(known.map { ($0.user, $0) }, uniquingKeysWith: { $1 })
            let news = page.filter { Self.isNews($0, after: before[$0.user]) }
            guard !news.isEmpty else { continue }
            try await store.write { writer in for record in news { try writer.presence.set(record) } }
        }
    }

    private static func isNews(_ record: PresenceRecord, after before: PresenceRecord?) -> Bool {
        guard let before else { return record.state != .offline || record.statusMessage != nil }
        return before.state != record.state || before.statusMessage != record.statusMessage
            || before.isCurrentlyActive != record.isCurrentlyActive
            || record.lastActive >= before.lastActive + activityStepMilliseconds
    }

    // MARK: Time

    private func scheduleSweep() {
        let starts = state.withLock { state -> Bool in
            guard !state.isSweeping, !state.present.isEmpty else { return false }
            state.isSweeping = true
            return true
        }
        if starts { sweepLater() }
    }

    private func sweepLater() {
        scheduler.after(milliseconds: Self.sweepMilliseconds) { [weak self] in
            guard let self else { return }
            Task { await self.sweep() }
        }
    }

    /// Finds who is gone because nobody says that they are there.
    func sweep() async {
        let now = clock.now
        let (gone, goesOn) = state.withLock { state -> ([UserNumber], Bool) in
            let gone = state.present.filter { $0.value <= now }.map(\.key)
            for user in gone { state.present[user] = nil }
            state.isSweeping = !state.present.isEmpty
            return (gone, state.isSweeping)
        }
        do {
            let records = try await store.read { try $0.presence.presence(of: gone) }
            try await write(
                records.map { record in
                    var record = record
                    record.state = .offline
                    record.isCurrentlyActive = false
                    return record
                })
        } catch {
            // The next sweep tries again.
            state.withLock { state in for user in gone where state.present[user] == nil { state.present[user] = now } }
            scheduleSweep()
        }
        if goesOn { sweepLater() }
    }
}
