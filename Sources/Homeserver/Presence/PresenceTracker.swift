import Matrix
import Store

/// What is known of one user's presence. Each input says whether others have to be told.
struct PresenceTracker {
    private(set) var record: PresenceRecord
    /// Until when the user's syncs make them count as there, in milliseconds since 1970.
    private var presentUntil: Int64 = 0
    /// What the user's last sync wanted them to be seen as.
    private var lastSynced: PresenceState?
    /// When the user was last active as far as others have been told, in milliseconds since 1970.
    private var toldActive: Int64
    /// Whether others have not been told of the record yet.
    var isUnwritten = false

    init(user: UserNumber, stored: PresenceRecord?) {
        record =
            stored
            ?? PresenceRecord(user: user, state: .offline, statusMessage: nil, lastActive: 0, isCurrentlyActive: false)
        toldActive = record.lastActive
    }

    private mutating func telling(_ isNews: Bool) -> Bool {
        if isNews { toldActive = record.lastActive }
        return isNews
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
        return telling(true)
    }

    /// Whether others have to be told if the user does something now.
    func isNews(toActAt now: Int64, _ times: PresenceService.Times) -> Bool {
        switch record.state {
        case .unavailable: true
        case .online: !record.isCurrentlyActive
        // Of who is not there, when they last did something is all that is told.
        case .offline: now >= toldActive + times.toldActivityMilliseconds
        }
    }

    /// The user does something.
    mutating func act(now: Int64, _ times: PresenceService.Times) -> Bool {
        let isNews = isNews(toActAt: now, times)
        record.lastActive = max(now, record.lastActive)
        if record.state == .unavailable { record.state = .online }
        if record.state == .online { record.isCurrentlyActive = true }
        // While someone is active, when exactly is nobody's news.
        return telling(isNews)
    }

    /// The user sets their presence.
    mutating func set(_ state: PresenceState, statusMessage: String?, now: Int64, until: Int64) -> Bool {
        let before = record
        presentUntil = state == .offline ? 0 : max(presentUntil, until)
        record.state = state
        record.statusMessage = statusMessage
        if state == .online { record.lastActive = max(now, record.lastActive) }
        record.isCurrentlyActive = state == .online
        return telling(
            before.state != record.state || before.statusMessage != record.statusMessage
                || before.isCurrentlyActive != record.isCurrentlyActive)
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
        return telling(isUnwritten || before != record)
    }

    /// Whether nothing more is known of the user than what has been written.
    func isForgettable(now: Int64, _ times: PresenceService.Times) -> Bool {
        record.state == .offline && record.lastActive + times.toldActivityMilliseconds <= now
    }
}
