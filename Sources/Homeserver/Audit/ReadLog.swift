import Logging
import Matrix
import Store
import Synchronization

/// Notes what users read: rooms entered, pages of messages, files. Only where the configuration wants it.
///
/// Nobody who reads waits for it: what is noted is gathered in memory and written every few seconds, and at a clean stop. A crash loses the
/// last seconds; what does not fit into memory until it is written is lost too, and counted in the log.
public final class ReadLog: Sendable {
    /// How much is kept, and for how long.
    public struct Policy: Sendable {
        /// In days.
        public var retentionDays: Int
        /// The most of one user in a day; how much more there was is counted.
        public var maximumADay: Int64

        /// A policy.
        public init(retentionDays: Int, maximumADay: Int64) {
            self.retentionDays = retentionDays
            self.maximumADay = maximumADay
        }
    }

    private struct State {
        var records: [ReadRecord] = []
        var lost = 0
    }

    private static let maximumPending = 20_000
    private static let batch = 500
    private static let dayMilliseconds: Int64 = 86_400_000
    private static let roundsToForget = 1_800

    /// How much is kept.
    public let policy: Policy
    private let store: Store
    private let clock: any Clock
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - policy: How much is kept.
    ///   - store: Where it is kept.
    ///   - clock: Tells the time.
    ///   - logger: Told of what is lost.
    public init(policy: Policy, store: Store, clock: any Clock, logger: Logger) {
        self.policy = policy
        self.store = store
        self.clock = clock
        self.logger = logger
    }

    /// Notes that somebody has read something.
    ///
    /// - Parameters:
    ///   - kind: What kind of thing.
    ///   - subject: The room, or the file's URI.
    ///   - first: Where a page began.
    ///   - last: Where it ended.
    ///   - user: Who.
    ///   - device: With which device.
    ///   - address: From where.
    public func note(
        _ kind: ReadRecord.Kind, _ subject: String, from first: String? = nil, to last: String? = nil,
        by user: UserNumber, device: DeviceID?, address: String
    ) {
        // URIs of files can be as long as a client likes; nothing that is there has a longer name.
        guard subject.utf8.count <= 512 else { return }
        let record = ReadRecord(
            user: user, time: clock.now, kind: kind, subject: subject, first: first, last: last, device: device,
            address: address)
        state.withLock { state in
            if state.records.count < Self.maximumPending { state.records.append(record) } else { state.lost += 1 }
        }
    }

    /// What a user has read, the oldest first. What was noted until now is written before.
    ///
    /// - Parameters:
    ///   - user: Who.
    ///   - times: When, in milliseconds since 1970.
    ///   - number: The number of the last one of the page before; 0 for the first page.
    ///   - limit: The most to return.
    ///   - alongside: What else is done in a transaction before.
    public func reads(
        of user: UserNumber, in times: ClosedRange<Int64>, after number: Int64, limit: Int,
        alongside: @escaping @Sendable (StoreWriter) throws -> Void
    ) async throws -> (page: [(number: Int64, record: ReadRecord)], omitted: Int64) {
        try await flush()
        try await store.write(alongside)
        return try await store.read { reader in
            (
                try reader.reads.reads(of: user, in: times, after: number, limit: limit),
                try reader.reads.omitted(of: user, in: times)
            )
        }
    }

    /// Writes what was noted. What cannot be written waits for the next time.
    public func flush() async throws {
        let (records, lost) = state.withLock { state in
            defer { state = State() }
            return (state.records, state.lost)
        }
        if lost > 0 { logger.warning("what users have read was not all noted", metadata: ["lost": "\(lost)"]) }
        var rest = records[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Self.batch))
            do {
                try await store.write { [maximum = policy.maximumADay] in
                    try $0.reads.add(batch, maximumADay: maximum)
                }
            } catch {
                let unwritten = rest
                state.withLock { state in
                    let room = max(0, Self.maximumPending - state.records.count)
                    state.records = Array(unwritten.prefix(room)) + state.records
                    state.lost += max(0, unwritten.count - room)
                }
                throw error
            }
            rest = rest.dropFirst(Self.batch)
        }
    }

    /// Writes what was noted again and again, and forgets what is old, until the task is cancelled.
    ///
    /// - Parameter interval: How long to wait between two batches.
    public func run(every interval: Duration = .seconds(2)) async {
        var round = 0
        while !Task.isCancelled {
            // What was not written is tried again with the next batch.
            let isDue = round % Self.roundsToForget == 0
            await Task.detached {
                do {
                    try await self.flush()
                    if isDue { try await self.forget() }
                } catch {
                    self.logger.error("what users have read was not written", metadata: ["error": "\(error)"])
                }
            }.value
            round += 1
            try? await Task.sleep(for: interval)
        }
    }

    /// Forgets what is older than it is to be kept.
    public func forget() async throws {
        let before = clock.now - Int64(policy.retentionDays) * Self.dayMilliseconds
        while try await store.write({ try $0.reads.forget(before: before) }) {}
    }
}
