import Homeserver
import Logging
import Matrix
import Store
import Synchronization

/// Takes in what other servers push: each transaction once, one at a time of each server, durable before it is answered.
public final class TransactionReceiver: Sendable {
    private struct Key: Hashable {
        let origin: ServerName
        let id: ExactString
    }

    private let store: Store
    private let clock: any Clock
    private let inbox: RoomInbox
    private let events: EventIntake
    private let ephemera: EphemeralIntake
    private let logger: Logger
    /// An honest server waits for the answer before it sends the next transaction.
    private let gates = ServerGates(permits: 1, maximumWaiting: 4)
    /// Answers of the last transactions, by the bytes that they take.
    private let answers = GenerationalCache<Key, [UInt8]>(budget: 8 << 20)
    /// When old transactions were last cleared away.
    private let cleaned = Mutex<Int64>(0)
    private let received = Mutex((events: 0, edus: 0))

    /// Events and ephemeral messages that came in since the start.
    public var receivedCounts: (events: Int, edus: Int) { received.withLock { $0 } }

    /// What is older is not sent again: a server that hears no answer repeats a transaction within the hour.
    private static let memoryMilliseconds: Int64 = 7 * 86_400_000
    private static let cleaningIntervalMilliseconds: Int64 = 600_000

    /// - Parameters:
    ///   - rooms: The rooms.
    ///   - inbox: Takes events.
    ///   - checker: Checks events.
    ///   - ephemera: Takes ephemeral messages.
    public init(
        store: Store, clock: any Clock, rooms: RoomService, inbox: RoomInbox, checker: EventChecker,
        ephemera: EphemeralIntake, logger: Logger
    ) {
        self.store = store
        self.clock = clock
        self.inbox = inbox
        self.ephemera = ephemera
        self.logger = logger
        events = EventIntake(rooms: rooms, store: store, checker: checker, logger: logger)
    }

    /// Takes a transaction in.
    ///
    /// - Returns: The body of the answer. That of a transaction which is repeated is the same as before, and nothing is done.
    /// - Throws: 429 `M_LIMIT_EXCEEDED` if too many of that server are under way.
    package func receive(
        _ transaction: ReceivedTransaction, id: String, from origin: ServerName
    ) async throws -> [UInt8] {
        try await gates.pass(origin) { [self] in
            let key = Key(origin: origin, id: ExactString(id))
            if let known = answers[key] { return known }
            if let known = try await store.read({ try $0.receivedTransactions.response(to: id, from: origin) }) {
                return known
            }
            received.withLock { counts in
                counts.events += transaction.pdus.count
                counts.edus += transaction.edus.count
            }
            let sorted = try await events.sort(transaction.pdus, from: origin)
            let messages = try await ephemera.prepare(transaction.edus, from: origin)
            let answer = try await take(sorted, messages, id: id, from: origin)
            answers.insert(key, answer, cost: answer.count + 256)
            await ephemera.announce(messages, from: origin)
            return answer
        }
    }

    /// Rows written in one transaction for ephemeral messages, so that no other writer waits long.
    private static let rowsPerWrite = 500

    /// Stores what has been prepared: ephemeral messages first, since what comes after them in the transaction may be encrypted with
    /// keys that they bring.
    private func take(
        _ sorted: EventIntake.Sorted, _ messages: PreparedMessages, id: String, from origin: ServerName
    ) async throws -> [UInt8] {
        var batches: [[EphemeralWrite]] = [[]]
        var rows = 0
        for write in messages.writes {
            if rows + write.rows > Self.rowsPerWrite, rows > 0 {
                batches.append([])
                rows = 0
            }
            batches[batches.count - 1].append(write)
            rows += write.rows
        }
        for batch in batches.dropLast() { try await store(batch, origin) }
        let last = batches.last ?? []
        if sorted.accepted.isEmpty, messages.writes.isEmpty { return Self.answer(sorted, full: []) }
        do {
            return try await take(sorted, last, id, origin)
        } catch  where StoreError.isAboutContent(error) && !last.isEmpty {
            try await store(last, origin)
            return try await take(sorted, [], id, origin)
        }
    }

    private func take(
        _ sorted: EventIntake.Sorted, _ writes: [EphemeralWrite], _ id: String, _ origin: ServerName
    ) async throws -> [UInt8] {
        let now = clock.now
        let cleans = cleaned.withLock { last in
            guard now - last >= Self.cleaningIntervalMilliseconds else { return false }
            last = now
            return true
        }
        let full = try await inbox.take(sorted.accepted, from: origin) { writer, full in
            if cleans { try writer.receivedTransactions.forget(before: now - Self.memoryMilliseconds) }
            for write in writes { try write.perform(writer) }
            try writer.receivedTransactions.remember(
                id, from: origin, response: Self.answer(sorted, full: full), at: now)
        }
        return Self.answer(sorted, full: full)
    }

    /// Stores ephemeral messages. One that cannot be stored, whatever it is, holds up no other.
    private func store(_ writes: [EphemeralWrite], _ origin: ServerName) async throws {
        do {
            try await store.write { writer in for write in writes { try write.perform(writer) } }
        } catch  where StoreError.isAboutContent(error) {
            for write in writes {
                do {
                    try await store.write { try write.perform($0) }
                } catch  where StoreError.isAboutContent(error) {
                    logger.warning(
                        "an ephemeral message cannot be stored",
                        metadata: ["type": "\(write.type)", "origin": "\(origin)", "error": "\(error)"])
                }
            }
        }
    }

    private static func answer(_ sorted: EventIntake.Sorted, full: Set<RoomNumber>) -> [UInt8] {
        var refused: Set<EventID> = []
        if !full.isEmpty {
            for (event, room) in sorted.accepted where full.contains(room) { refused.insert(event.eventID) }
        }
        var writer = JSONWriter(capacity: 64 + 96 * sorted.results.count)
        writer.beginObject()
        writer.key("pdus")
        writer.beginObject()
        // Of one event there may have been several copies, good ones and bad ones.
        var seen: Set<EventID> = []
        for (id, error) in sorted.results.sorted(by: { $0.error == nil && $1.error != nil })
        where seen.insert(id).inserted {
            writer.key(id.string)
            writer.beginObject()
            writer.member("error", refused.contains(id) ? "Too many events wait for this room" : error)
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }
}
