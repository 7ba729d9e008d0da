import Matrix
import Store
import Synchronization

/// What users have not read: notifications and highlights by room and thread, as their push rules have it.
///
/// Nothing is written when an event is sent. Counts are worked out when a client asks, from where they were worked out last:
/// the events since are judged by the user's rules as they are now. Where that was is remembered in memory, and in the database
/// every few hundred events, so that what is forgotten is little work to do again.
///
/// Sending an event marks what came before it in the same thread as read, as
/// [the specification asks](https://spec.matrix.org/v1.19/client-server-api/#receiving-notifications).
public final class UnreadCounts: Sendable {
    struct Key: Hashable {
        let user: UserNumber
        let room: RoomNumber
    }

    /// How many events are looked at in one read, which bounds memory.
    static let batchEvents = 200
    /// Rooms that are looked up at once.
    static let roomsAtOnce = 100
    /// After how many events the place is stored.
    static let checkpointEvents = 500

    private let store: Store
    private let judges: any NotificationJudges
    private let cache: GenerationalCache<Key, UnreadLedger>

    /// A service.
    ///
    /// - Parameters:
    ///   - store: Where events, receipts and counts are.
    ///   - judges: Knows everyone's push rules.
    ///   - cachedEntries: For how many users and rooms counts are kept in memory, roughly.
    public init(store: Store, judges: any NotificationJudges, cachedEntries: Int = 200_000) {
        self.store = store
        self.judges = judges
        cache = GenerationalCache(budget: cachedEntries)
    }

    /// What a user has not read in a room, counting events up to a position.
    ///
    /// Costs one look into memory and one short read when nothing has happened. A user who is not in the room has nothing unread.
    ///
    /// - Parameters:
    ///   - through: How far the timeline is looked at: the position of the sync's snapshot. If more was looked at for another
    ///     device already, the later count is answered.
    public func counts(
        _ user: UserNumber, _ room: RoomNumber, through: StreamPosition
    ) async throws -> RoomCounts {
        try await counts(user, [room], through: through)[room] ?? RoomCounts()
    }

    /// What a user has not read in some rooms, looked up at once; see ``counts(_:_:through:)-(UserNumber,RoomNumber,_)``.
    public func counts(
        _ user: UserNumber, _ rooms: [RoomNumber], through: StreamPosition
    ) async throws -> [RoomNumber: RoomCounts] {
        var counts: [RoomNumber: RoomCounts] = [:]
        for begin in stride(from: 0, to: rooms.count, by: Self.roomsAtOnce) {
            let some = rooms[begin..<min(begin + Self.roomsAtOnce, rooms.count)].map { room in
                let key = Key(user: user, room: room)
                return (key: key, kept: cache[key])
            }
            let starts = try await store.read { reader in
                try some.map { try Self.start($0.key, known: $0.kept?.record, through: through, reader) }
            }
            for ((key, kept), start) in zip(some, starts) {
                counts[key.room] = try await count(key, kept, start, through: through)
            }
        }
        return counts
    }

    private func count(
        _ key: Key, _ kept: UnreadLedger?, _ start: Start?, through: StreamPosition
    ) async throws -> RoomCounts {
        guard let start else {
            cache.remove(key)
            return RoomCounts()
        }
        var ledger = kept ?? UnreadLedger(start.record, beginning: start.beginning, receipts: start.receipts)
        let recounts = ledger.read(start.receipts)
        if start.end <= ledger.record.position, recounts.isEmpty {
            // The journal has gone on, but not in this room.
            ledger.reach(through)
        } else if ledger.record.position < through || !recounts.isEmpty {
            try await advance(&ledger, key, recounts: recounts, through: through)
        }
        cache.insert(key, ledger, cost: 1 + ledger.record.threads.count)
        return ledger.counts
    }

    /// Forgets what was worked out in memory for a user: their push rules have changed.
    ///
    /// What was counted stays counted; what comes is judged by the new rules.
    public func forget(_ user: UserNumber, _ room: RoomNumber) { cache.remove(Key(user: user, room: room)) }

    // MARK: -

    private struct Start: Sendable {
        let record: UnreadRecord?
        let beginning: StreamPosition
        let receipts: [StoredReceipt]
        /// The last place of the room's timeline.
        let end: StreamPosition
    }

    private static func start(
        _ key: Key, known: UnreadRecord?, through: StreamPosition, _ reader: StoreReader
    ) throws -> Start? {
        guard let membership = try reader.memberships.membership(of: key.user, in: key.room),
            membership.membership == .join
        else { return nil }
        let receipts = try reader.receipts.receipts(of: key.user, in: key.room)
        let end = try reader.rooms.position(of: key.room) ?? through
        if let record = try known ?? reader.unread.record(of: key.user, in: key.room) {
            return Start(record: record, beginning: record.position, receipts: receipts, end: end)
        }
        return Start(record: nil, beginning: try joined(membership, reader), receipts: receipts, end: end)
    }

    /// Where the user came into the room: behind changes of their profile, which are memberships too.
    static func joined(_ membership: MembershipRecord, _ reader: StoreReader) throws -> StreamPosition {
        var event = try reader.events.event(membership.event)
        for _ in 0..<100 {
            guard let number = event?.replaces, let before = try reader.events.event(number),
                before.event.membership == Membership.join.rawValue, before.position != nil
            else { break }
            event = before
        }
        return event?.position ?? membership.position
    }

    /// Shows the ledger the events that it has not seen, and again those that it asks for.
    private func advance(
        _ ledger: inout UnreadLedger, _ key: Key, recounts: [UnreadLedger.Recount], through: StreamPosition
    ) async throws {
        let judge = try await judges.judge(for: key.user, in: key.room)
        for recount in recounts {
            let end = ledger.record.position
            ledger.reset(recount.thread)
            try await scan(key, judge, after: recount.after, through: end) { batch in
                for entry in batch.entries where entry.thread == recount.thread { ledger.countAgain(entry) }
            }
        }
        let begin = ledger.record.position
        guard begin < through else { return }
        var redacted: StreamPosition?
        try await scan(key, judge, after: begin, through: through) { batch in
            for entry in batch.entries { ledger.count(entry) }
            if let first = batch.firstRedacted { redacted = min(redacted ?? first, first) }
            if let last = batch.last { ledger.reach(last) }
            ledger.unstoredEvents += batch.events
            if ledger.unstoredEvents >= Self.checkpointEvents { try await self.checkpoint(&ledger, key) }
        }
        ledger.reach(through)
        guard let redacted else { return }
        // What was redacted may have been counted. Which thread it belonged to went with its content, so that every thread
        // that was unread then is counted again.
        for (thread, counts) in ledger.record.threads where counts.last >= redacted {
            ledger.reset(thread)
            try await scan(key, judge, after: StreamPosition(counts.first.rawValue - 1), through: through) { batch in
                for entry in batch.entries where entry.thread == thread { ledger.countAgain(entry) }
            }
        }
        if ledger.unstoredEvents == 0 { try await checkpoint(&ledger, key) }
    }

    /// Some events of the timeline, judged.
    private struct Batch: Sendable {
        var entries: [UnreadLedger.Entry] = []
        /// How many events there were.
        var events = 0
        /// The first place whose event was redacted by one of these.
        var firstRedacted: StreamPosition?
        /// The last place looked at, if there may be more.
        var last: StreamPosition?
    }

    private func scan(
        _ key: Key, _ judge: any NotificationJudge, after: StreamPosition, through: StreamPosition,
        _ take: (Batch) async throws -> Void
    ) async throws {
        var after = after
        while after < through {
            let from = after
            let batch = try await store.read { reader in
                try Self.batch(key, judge, after: from, through: through, reader)
            }
            try await take(batch)
            guard let last = batch.last else { return }
            after = last
        }
    }

    private static func batch(
        _ key: Key, _ judge: any NotificationJudge, after: StreamPosition, through: StreamPosition,
        _ reader: StoreReader
    ) throws -> Batch {
        let events = try reader.events.timeline(
            key.room, after: after, through: through, limit: batchEvents, newestFirst: false)
        var batch = Batch(events: events.count)
        for stored in events {
            guard let position = stored.position else { continue }
            let event = stored.event
            let isOwn = stored.sender == key.user
            if event.type == .redaction, let target = event.redacts,
                let place = try reader.events.event(target)?.position
            {
                batch.firstRedacted = min(batch.firstRedacted ?? place, place)
            }
            let notification = isOwn || stored.redactedBy != nil ? Notification.none : judge.judge(event)
            // Most events neither notify nor are one's own: their thread is nobody's concern.
            guard isOwn || notification.notifies else { continue }
            batch.entries.append(
                UnreadLedger.Entry(
                    position: position, thread: try Threads.thread(of: event, in: reader), isOwn: isOwn,
                    isOwnJoin: isOwn ? try isJoin(stored, reader) : false,
                    notification: notification))
        }
        batch.last = events.count < batchEvents ? nil : events.last?.position
        return batch
    }

    /// Whether an event brings its sender into the room; changes of the profile, which are memberships too, do not.
    private static func isJoin(_ stored: StoredEvent, _ reader: StoreReader) throws -> Bool {
        let event = stored.event
        guard event.membership == Membership.join.rawValue, event.state == .member(event.sender) else { return false }
        guard let replaced = try stored.replaces.flatMap({ try reader.events.event($0) }) else { return true }
        return replaced.event.membership != Membership.join.rawValue
    }

    private func checkpoint(_ ledger: inout UnreadLedger, _ key: Key) async throws {
        let record = ledger.record
        try await store.write { writer in try writer.unread.store(record, of: key.user, in: key.room) }
        ledger.unstoredEvents = 0
    }
}
