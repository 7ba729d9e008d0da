/// How transactions are sent, and when it is tried again.
public struct SenderConfiguration: Sendable {
    /// When it is tried again.
    public var backoff = BackoffPolicy()
    /// What fits into a transaction.
    public var limits = TransactionLimits()
    /// The most transactions under way to servers that answer.
    public var concurrentTransactions = 64
    /// The most transactions under way to servers that did not answer last time, so that they hold up nobody else.
    public var concurrentRetries = 16
    /// How long something that is not urgent (a receipt, presence) waits for company, in milliseconds.
    public var lingerMilliseconds: Int64 = 250
    /// Over how long the first attempts after a start are spread at the most, in milliseconds.
    public var startUpSpreadMilliseconds: Int64 = 20_000
    /// How often it is written how far the journal has been looked through, in milliseconds.
    public var checkpointMilliseconds: Int64 = 5_000
    /// How often others are told again that someone is still typing, in milliseconds: they forget it after a while.
    public var typingRepeatMilliseconds: Int64 = 40_000
    /// How long it is waited after the database has failed, in milliseconds.
    public var databaseRetryMilliseconds: Int64 = 1_000
    /// How many things that wait for a destination are kept in memory; beyond, they are read from the database when
    /// their turn comes.
    public var itemsInMemory = 250
    /// How many events of a room a destination is sent that it has missed; beyond, it is sent the newest and asks for
    /// the others.
    public var missedEventsPerRoom = 200

    /// The usual values.
    public init() {}
}

/// What fits into a transaction.
///
/// [Transactions](https://spec.matrix.org/v1.19/server-server-api/#transactions): at most 50 events and 100 messages.
public struct TransactionLimits: Sendable, Hashable {
    /// The most events.
    public var pdus = 50
    /// The most ephemeral messages.
    public var edus = 100
    /// The most bytes of both together; a single event or message may be larger.
    public var bytes = 4 << 20
    /// The most things altogether; `nil` for no limit of its own. A destination that refuses a transaction is sent
    /// less at once.
    var items: Int?

    /// The most that the specification allows.
    public init() {}
}

/// How long it is waited before a server that did not answer is tried again: longer each time.
public struct BackoffPolicy: Sendable {
    /// How long after the first failure, in milliseconds.
    public var startMilliseconds: Int64 = 10_000
    /// How long at the most, in milliseconds.
    public var capMilliseconds: Int64 = 3_600_000
    /// How long a server must have been failing for the longer cap to hold, in milliseconds.
    public var longAfterMilliseconds: Int64 = 3 * 86_400_000
    /// How long at the most after that, in milliseconds.
    public var longCapMilliseconds: Int64 = 86_400_000
    /// By how much a time is made longer or shorter by chance, so that those who failed together do not come back
    /// together.
    public var jitter = 0.2
    /// How often a single event or message must have been refused as malformed or too large before it is passed over.
    public var refusalsUntilSkip = 10
    /// How long it must have been refused for that, in milliseconds.
    public var refusingUntilSkipMilliseconds: Int64 = 2 * 3_600_000

    /// The usual values.
    public init() {}

    /// The time to wait after one more failure, in milliseconds, without chance.
    ///
    /// - Parameters:
    ///   - interval: The time that was waited before; 0 if this is the first failure.
    ///   - failing: How long the server has been failing.
    func interval(after interval: Int64, failingForMilliseconds failing: Int64) -> Int64 {
        let cap = failing >= longAfterMilliseconds ? longCapMilliseconds : capMilliseconds
        return min(max(startMilliseconds, interval.multipliedReportingOverflow(by: 2).partialValue), cap)
    }

    /// An interval made longer or shorter by chance.
    ///
    /// - Parameter chance: Between 0 and 1.
    func jittered(_ interval: Int64, chance: Double) -> Int64 {
        max(1, Int64(Double(interval) * (1 + jitter * (2 * chance - 1))))
    }
}
