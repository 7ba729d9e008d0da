import Matrix
import Store

/// What is known of one user's presence. Each input says whether others have to be told.
struct PresenceTracker {
    private(set) var record: PresenceRecord
    /// Until when the user's syncs make them count as there, in milliseconds since 1970.
    private var presentUntil: Int64 = 0
    /// What the user's last sync wanted them to be seen as.
    private var lastSynced: PresenceState?
    /// Whether others have not been told of the record yet.
    var isUnwritten = false

    init(user: UserNumber, stored: PresenceRecord?) {
        record =
            stored
            ?? PresenceRecord(user: user, state: .offline, statusMessage: nil, lastActive: 0, isCurrentlyActive: false)
    }

    /// A client syncs.
    mutating func sync(as state: PresenceState, now: Int64, until: Int64) -> Bool {
        presentUntil = max(presentUntil, until)
        defer { lastSynced = state }
        guard record.state != state else { return false }
        // Syncing on in the same way does not make a user active again whom the server has found idle.
        if record.state == .unavailable, lastSynced == state { return false }
        // Whoever comes for the first time has just done that.
        if state == .online || record.lastActive == 0 { record.lastActive = max(now, record.lastActive) }
        record.state = state
        record.isCurrentlyActive = state == .online
        return true
    }

    /// The user does something.
    mutating func act(now: Int64) -> Bool {
        let before = record
        record.lastActive = max(now, record.lastActive)
        if record.state == .unavailable { record.state = .online }
        if record.state == .online { record.isCurrentlyActive = true }
        // While someone is active, when exactly is nobody's news.
        return before.state != record.state || before.isCurrentlyActive != record.isCurrentlyActive
    }

    /// The user sets their presence.
    mutating func set(_ state: PresenceState, statusMessage: String?, now: Int64, until: Int64) -> Bool {
        let before = record
        presentUntil = state == .offline ? 0 : max(presentUntil, until)
        record.state = state
        record.statusMessage = statusMessage
        if state == .online { record.lastActive = max(now, record.lastActive) }
        record.isCurrentlyActive = state == .online
        return before.state != record.state || before.statusMessage != record.statusMessage
            || before.isCurrentlyActive != record.isCurrentlyActive
    }

    /// Time passes.
    mutating func pass(now: Int64, _ times: PresenceService.Times) -> Bool {
        let before = record
        if record.state != .offline, presentUntil <= now {
            record.state = .offline
            record.isCurrentlyActive = false
        } else if record.state == .online, record.lastActive + times.idleMilliseconds <= now {
            record.state = .unavailable
            record.isCurrentlyActive = false
        } else if record.isCurrentlyActive, record.lastActive + times.activeMilliseconds <= now {
            record.isCurrentlyActive = false
        }
        defer { isUnwritten = false }
        return isUnwritten || before != record
    }
}
