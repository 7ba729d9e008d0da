import Database
import Matrix
import Schema
import Synchronization

/// The persistent memory of the homeserver: topics of records over one database, and the journal that announces their changes.
///
/// Each topic (accounts, events, media …) has its record types and queries in a file of its own, reached as `reader.topic` and
/// `writer.topic`, so that a signature shows whether it writes.
public final class Store: Sendable {
    /// The database under it.
    public let database: Database
    /// The journal's recent tail, and who waits for it.
    public let journal: Journal
    /// The numbers that stand for identifiers.
    public let identifiers: IdentifierCache
    /// Events by number and by identifier, as far as memory is granted.
    public let eventCache: EventCache
    /// States by number.
    public let stateCache: StateCache
    /// Rooms whose memberships are not all known yet.
    let partial = Mutex<[RoomNumber: PartialJoin]>([:])
    private let membershipListeners = Mutex<[@Sendable (MembershipChange) -> Void]>([])
    /// In which rooms events relate to others.
    let relatedRooms = RelatedRooms()
    /// Until when events stick.
    public let stickiness = Stickiness()
    /// Which events are still to be told.
    public let lifetimes = EventLifetimes()
    /// Who asked to be forgotten.
    public let erasedUsers: ErasedUsers
    /// Who speaks to nobody.
    public let shadowBannedUsers: ShadowBannedUsers

    /// Opens the store: brings the schema up to date and finds the journal's end.
    ///
    /// - Parameters:
    ///   - database: An open database.
    ///   - cacheBytes: Memory for what is kept beside the database, in bytes.
    /// - Throws: `DatabaseError`; `MigrationError` when the database is newer than the program.
    public static func open(_ database: Database, cacheBytes: Int = 256 << 20) async throws -> Store {
        _ = try await Migrator(Schema.migrations).run(on: database)
        let (end, erased, banned) = try await database.read { transaction in
            let end = try transaction.first("SELECT value FROM counters WHERE name = 'journal'") { try $0.int(0) }
            return (end ?? 0, try ErasedUsers.load(transaction), try ShadowBannedUsers.load(transaction))
        }
        let store = Store(
            database: database, journalEnd: StreamPosition(end), cacheBytes: cacheBytes, erasedUsers: erased,
            shadowBannedUsers: banned)
        for join in try await store.read({ try $0.graph.partialJoins() }) {
            store.partial.withLock { $0[join.room] = join }
        }
        var last = RoomNumber(.min)
        while true {
            let wishes = try await store.read { [last] in try $0.retention.wishes(after: last, limit: 1_000) }
            for wish in wishes { store.lifetimes.set(wish.retention, of: wish.room) }
            guard let end = wishes.last?.room, wishes.count == 1_000 else { break }
            last = end
        }
        if let end = try await store.read({ try $0.stickyEvents.lastExpiry() }) { store.stickiness.extend(to: end) }
        return store
    }

    private init(
        database: Database, journalEnd: StreamPosition, cacheBytes: Int, erasedUsers: ErasedUsers,
        shadowBannedUsers: ShadowBannedUsers
    ) {
        self.database = database
        self.erasedUsers = erasedUsers
        self.shadowBannedUsers = shadowBannedUsers
        journal = Journal(end: journalEnd, byteBudget: cacheBytes / 8)
        identifiers = IdentifierCache()
        eventCache = EventCache(byteBudget: cacheBytes / 2)
        stateCache = StateCache(byteBudget: cacheBytes / 4)
    }

    /// Calls `listener` with every change of who is in a room from now on, once it is durable and before the journal announces it,
    /// on the thread that committed it: it must be quick.
    ///
    /// Unlike the journal's entries this tells of changes that no event of their own makes, as when a room's state is resolved.
    public func onMembershipChange(_ listener: @escaping @Sendable (MembershipChange) -> Void) {
        membershipListeners.withLock { $0.append(listener) }
    }

    func tell(_ change: MembershipChange) { for listener in membershipListeners.withLock({ $0 }) { listener(change) } }

    var hasMembershipListeners: Bool { membershipListeners.withLock { !$0.isEmpty } }

    /// Whether a room has been removed since the start.
    public func isGone(_ room: RoomNumber) -> Bool { identifiers.isGone(room) }

    /// How many rooms have been removed since the start: whoever looks at rooms sees by it that one of them may have gone meanwhile.
    public var goneRooms: Int { identifiers.goneCount }

    /// Runs `body` on one consistent snapshot, on a reader's thread.
    public func read<T: Sendable>(_ body: @escaping @Sendable (StoreReader) throws -> T) async throws -> T {
        try await database.read { transaction in try body(StoreReader(sql: transaction, store: self)) }
    }

    /// Runs `body` as one transaction, and returns once it is durable and announced. A `body` that throws changes nothing.
    public func write<T: Sendable>(_ body: @escaping @Sendable (StoreWriter) throws -> T) async throws -> T {
        try await database.write { transaction in
            let writer = StoreWriter(sql: transaction, store: self)
            let result = try body(writer)
            try writer.journal.finish()
            return result
        }
    }
}

/// What can be read inside one snapshot. Only valid inside the closure it is given to.
public struct StoreReader {
    /// The snapshot.
    public let sql: ReadTransaction
    let store: Store
}

/// What can be written inside one transaction. Only valid inside the closure it is given to.
public struct StoreWriter {
    /// The transaction.
    public let sql: WriteTransaction
    /// Announces what the transaction changes.
    public let journal: JournalWriter
    let store: Store

    init(sql: WriteTransaction, store: Store) {
        self.sql = sql
        self.store = store
        journal = JournalWriter(sql: sql, journal: store.journal)
    }

    /// Reading, with what the transaction has written so far.
    public var read: StoreReader { StoreReader(sql: sql, store: store) }

    /// Tells those who want to hear of it of a change of who is in a room, once it is durable.
    func announce(_ change: MembershipChange) {
        guard store.hasMembershipListeners else { return }
        let store = store
        sql.onCommit { store.tell(change) }
    }

    /// The next `count` values of a counter, as the first of them.
    func next(_ counter: String, count: Int = 1) throws -> Int64 {
        let last = try sql.first(
            "UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value", count, counter
        ) { try $0.int(0) }
        guard let last else { throw StoreError.inconsistent("no counter \(counter)") }
        return last - Int64(count) + 1
    }
}

/// What the store finds wrong with its own records.
public enum StoreError: Error, Sendable {
    /// Records contradict each other; the text is for the log.
    case inconsistent(String)
    /// Another lane, here or on another node, has changed the room since its head was read: read it again and decide again.
    case headMoved
    /// A room of that name is being removed: it can be known again only once all of it is gone.
    case roomIsGoing

    /// Whether an error says that what was to be stored is there already: another node was a moment faster.
    public static func isDuplicate(_ error: any Error) -> Bool {
        (error as? DatabaseError)?.isConstraint(.unique) == true
    }

    /// Whether an error would come again however often the same is written: it is about what is written, not about how the database
    /// is at the moment.
    public static func isAboutContent(_ error: any Error) -> Bool {
        switch error as? DatabaseError {
        case .constraint, .sql, .typeMismatch: true
        case .unavailable, .outcomeUnknown, .serialization, .corrupt, nil: false
        }
    }
}
