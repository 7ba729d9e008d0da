import Collections
import Matrix
import Synchronization

/// The journal's recent tail in memory, within a budget of bytes, and who wants to hear of new entries.
///
/// Readers that are caught up (a client's sync, a sender) are served from here without touching the database; who is further
/// behind than the tail reaches reads the topics' tables by position.
public final class Journal: Sendable {
    private struct Tail {
        var entries: Deque<JournalEntry> = []
        var cost = 0
        /// Everything up to here has been published.
        var end: StreamPosition
        /// Everything after this is in `entries`.
        var start: StreamPosition
        /// Entries of this node that wait for those of other nodes before them.
        var early: [StreamPosition: JournalEntry] = [:]
    }

    private let tail: Mutex<Tail>
    private let listeners = Mutex<[@Sendable (ArraySlice<JournalEntry>) -> Void]>([])
    private let gapHandler = Mutex<(@Sendable (StreamPosition) -> Void)?>(nil)
    private let byteBudget: Int

    init(end: StreamPosition, byteBudget: Int) {
        tail = Mutex(Tail(end: end, start: end))
        self.byteBudget = byteBudget
    }

    /// The last position published: what a new sync token says.
    public var end: StreamPosition { tail.withLock { $0.end } }

    /// What changed after `position` up to `end`, or `nil` if the tail does not reach back that far.
    public func entries(after position: StreamPosition, through end: StreamPosition) -> [JournalEntry]? {
        tail.withLock { tail in
            guard position >= tail.start else { return nil }
            guard position < tail.end, end > position else { return [] }
            // Positions have no gaps, so the first entry's position says where each one stands.
            let first = Int(position.rawValue - tail.start.rawValue)
            let last = Int(min(end, tail.end).rawValue - tail.start.rawValue)
            return Array(tail.entries[first..<last])
        }
    }

    /// Calls `listener` with every run of entries from now on, in order, on the thread that committed them: it must be quick.
    public func listen(_ listener: @escaping @Sendable (ArraySlice<JournalEntry>) -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    /// Calls `handler` when entries were written by another node; it loads them and calls ``publish(_:)``.
    public func onGap(_ handler: @escaping @Sendable (StreamPosition) -> Void) { gapHandler.withLock { $0 = handler } }

    /// Takes in entries that are durable. Those that come before others still missing wait for them.
    public func publish(_ new: [JournalEntry]) {
        let (ready, gapAfter) = tail.withLock { tail -> ([JournalEntry], StreamPosition?) in
            var ready: [JournalEntry] = []
            for entry in new where entry.position > tail.end {
                if entry.position.rawValue == tail.end.rawValue + 1 {
                    take(entry, &tail, &ready)
                } else {
                    tail.early[entry.position] = entry
                }
                while let next = tail.early.removeValue(forKey: StreamPosition(tail.end.rawValue + 1)) {
                    take(next, &tail, &ready)
                }
            }
            while tail.cost > byteBudget, let first = tail.entries.popFirst() {
                tail.cost -= first.change.cost
                tail.start = first.position
            }
            // Positions are visible in order: what is missing below a durable entry is durable itself and can be loaded.
            return (ready, tail.early.isEmpty ? nil : tail.end)
        }
        if !ready.isEmpty {
            for listener in listeners.withLock({ $0 }) { listener(ready[...]) }
        }
        if let gapAfter { gapHandler.withLock { $0 }?(gapAfter) }
    }

    /// Puts an event whose text was redacted in the place of the one that was announced: nobody is told the old text any more.
    func replace(_ event: StoredEvent) {
        replace(at: event.position) { subject in .event(event, subject: subject) }
    }

    /// Takes back that an event was announced, but for whose membership changed with it.
    func withdraw(_ event: StoredEvent) {
        replace(at: event.position) { subject in .memberships(event.room, of: subject.map { [$0] } ?? []) }
    }

    /// Takes back everything that was said of a room, but for who is in it.
    func forget(_ room: RoomNumber) {
        tail.withLock { tail in
            for index in tail.entries.indices where tail.entries[index].change.room == room {
                if case .memberships = tail.entries[index].change { continue }
                tail.entries[index] = JournalEntry(
                    position: tail.entries[index].position, change: .memberships(room, of: []))
            }
        }
    }

    private func replace(at position: StreamPosition?, by change: (_ subject: UserNumber?) -> JournalChange) {
        tail.withLock { tail in
            guard let position, position > tail.start, position <= tail.end else { return }
            let index = Int(position.rawValue - tail.start.rawValue) - 1
            guard case .event(_, let subject) = tail.entries[index].change else { return }
            tail.entries[index] = JournalEntry(position: position, change: change(subject))
        }
    }

    private func take(_ entry: JournalEntry, _ tail: inout Tail, _ ready: inout [JournalEntry]) {
        tail.entries.append(entry)
        tail.cost += entry.change.cost
        tail.end = entry.position
        ready.append(entry)
    }
}
