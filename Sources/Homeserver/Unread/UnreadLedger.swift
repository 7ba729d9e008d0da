import Matrix
import Store

/// Keeps count of what one user has not read in one room. Pure: given events and receipts in their order, it says what is unread,
/// or which events it has to be shown again.
struct UnreadLedger: Sendable {
    /// An event as far as counting is concerned.
    struct Entry {
        let position: StreamPosition
        let thread: ExactString
        /// Whether the user sent it: what one sends after something, one has read that.
        let isOwn: Bool
        /// Whether the user comes into the room by it: what happened before is none of their business.
        let isOwnJoin: Bool
        let notification: Notification
    }

    /// What has been counted.
    private(set) var record: UnreadRecord
    /// How many events have been looked at since the record was stored.
    var unstoredEvents = 0
    /// The latest receipt for the whole room, as a place in the timeline.
    private var readRoom: StreamPosition
    /// The latest receipts for threads, as places in the timeline.
    private var readThreads: [ExactString: StreamPosition]

    /// A ledger that goes on from a record, or begins.
    ///
    /// - Parameters:
    ///   - record: What was counted before; `nil` to begin.
    ///   - beginning: Where to begin: nothing before counts.
    ///   - receipts: The user's receipts in the room, of which those that the record knows have done their work.
    init(_ record: UnreadRecord?, beginning: StreamPosition, receipts: [StoredReceipt]) {
        readRoom = StreamPosition(.min)
        readThreads = [:]
        self.record = record ?? UnreadRecord(position: beginning, receipts: StreamPosition(0), threads: [:])
        for receipt in receipts { note(receipt.receipt) }
        if record == nil {
            self.record.position = max(beginning, readRoom)
            self.record.receipts = receipts.map(\.position).max() ?? StreamPosition(0)
        }
    }

    private mutating func note(_ receipt: ReceiptRecord) {
        guard let position = receipt.eventPosition else { return }
        if let thread = receipt.thread.map({ ExactString($0) }) {
            readThreads[thread] = max(readThreads[thread] ?? StreamPosition(.min), position)
        } else {
            readRoom = max(readRoom, position)
        }
    }

    /// What has to be counted again because a receipt points into the middle of it: the thread's events after `after`.
    struct Recount: Equatable {
        let thread: ExactString
        let after: StreamPosition
    }

    /// Takes in receipts that are newer than the record.
    ///
    /// - Returns: What has to be counted again.
    mutating func read(_ receipts: [StoredReceipt]) -> [Recount] {
        for receipt in receipts where receipt.position > record.receipts { note(receipt.receipt) }
        record.receipts = max(record.receipts, receipts.map(\.position).max() ?? record.receipts)
        var recounts: [Recount] = []
        for (thread, counts) in record.threads {
            let read = max(readRoom, readThreads[thread] ?? readRoom)
            if counts.last <= read {
                record.threads[thread] = nil
            } else if counts.first <= read {
                recounts.append(Recount(thread: thread, after: read))
            }
        }
        return recounts
    }

    /// Counts an event that comes after all that was counted before.
    mutating func count(_ entry: Entry) {
        record.position = max(record.position, entry.position)
        if entry.isOwnJoin { record.threads = [:] }
        if entry.isOwn {
            record.threads[entry.thread] = nil
            return
        }
        guard entry.notification.notifies, entry.position > readRoom,
            entry.position > readThreads[entry.thread] ?? StreamPosition(.min)
        else { return }
        var counts =
            record.threads[entry.thread]
            ?? UnreadThread(notification: 0, highlight: 0, first: entry.position, last: entry.position)
        counts.notification += 1
        if entry.notification.highlights { counts.highlight += 1 }
        counts.last = entry.position
        record.threads[entry.thread] = counts
    }

    /// Says that there is nothing more to count up to here.
    mutating func reach(_ position: StreamPosition) { record.position = max(record.position, position) }

    /// Begins to count a thread again.
    mutating func reset(_ thread: ExactString) { record.threads[thread] = nil }

    /// Counts an event of a thread that is counted again; what was counted of other threads stays.
    mutating func countAgain(_ entry: Entry) {
        let position = record.position
        count(entry)
        record.position = position
    }

    /// What there is to tell.
    var counts: RoomCounts {
        var counts = RoomCounts()
        for (thread, unread) in record.threads {
            let told = RoomCounts.Thread(notification: unread.notification, highlight: unread.highlight)
            if thread == Threads.main {
                counts.main = told
            } else if let root = EventID(thread.string) {
                counts.threads[root] = told
            }
        }
        return counts
    }
}
