import Matrix
import Store
import Testing

@testable import FederationOutbound

/// The machine that decides what is sent to a server and when, without a network, a database or a clock.
@Suite struct DestinationMachineTests {
    private static let server = ServerName(trusted: "there.example")

    private static func position(_ value: Int64) -> StreamPosition { StreamPosition(value) }

    private static func devices(_ positions: Int64...) -> [OutgoingItem] {
        positions.map { OutgoingItem(position: position($0), content: .devices) }
    }

    private static func receipt(_ value: Int64) throws -> OutgoingItem {
        let record = ReceiptRecord(
            room: RoomNumber(1), user: UserNumber(1), userID: try #require(UserID("@a:here.example")), type: "m.read",
            eventID: try #require(EventID("$x")), eventPosition: nil, thread: nil, timestamp: 1)
        return OutgoingItem(position: position(value), content: .receipt(record))
    }

    private static func delivery(_ through: Int64, messages: [Int64] = [], more: Bool = false)
        -> DestinationMachine.Delivery
    {
        .init(sentThrough: position(through), deviceMessages: messages, hasMoreDeviceMessages: more)
    }

    private var machine = DestinationMachine(sentThrough: position(10), SenderConfiguration())

    // MARK: The way of a transaction

    @Test mutating func anEventIsLoadedSentAndWrittenDown() throws {
        try #require(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        let order = try #require(machine.begin().order)
        #expect(order.after == Self.position(10) && order.through == Self.position(11))
        #expect(order.items?.map(\.position) == [Self.position(11)])
        #expect(!order.takesDeviceMessages && order.limits.items == nil)
        #expect(machine.loaded(Self.delivery(11), isEmpty: false, now: 1).isSend)
        #expect(!machine.isDisposable)
        #expect(machine.delivered(now: 2).stored == Self.delivery(11))
        // The cursor moves when that is on disk, and not before.
        #expect(machine.sentThrough == Self.position(10))
        #expect(machine.record(of: Self.server).sentThrough == Self.position(11))
        #expect(machine.stored(queued: Self.position(11)).isNone)
        #expect(machine.sentThrough == Self.position(11) && machine.isDisposable)
        #expect(machine.lastSuccess == 2)
    }

    @Test mutating func oneTransactionIsUnderWayAtATime() throws {
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        #expect(machine.queue(Self.devices(12), through: Self.position(12), now: 0).isNone)
        #expect(machine.begin().order != nil)
        #expect(machine.begin().isNone)
        #expect(machine.queue(Self.devices(13), through: Self.position(13), now: 0).isNone)
        #expect(machine.loaded(Self.delivery(12), isEmpty: false, now: 0).isSend)
        #expect(machine.queueDeviceMessages(now: 0).isNone)
        #expect(machine.tell([Self.note("!a:x", true)], now: 0).isNone)
        #expect(machine.delivered(now: 0).stored != nil)
        // What came meanwhile is next.
        #expect(machine.stored(queued: Self.position(13)).isStart)
        let order = try #require(machine.begin().order)
        #expect(order.items?.map(\.position) == [Self.position(13)] && order.takesDeviceMessages)
        #expect(order.typing.count == 1)
    }

    @Test mutating func whatIsNotUrgentWaitsForCompany() throws {
        #expect(machine.queue([try Self.receipt(11)], through: Self.position(11), now: 1_000).wakeTime == 1_250)
        #expect(machine.queue([try Self.receipt(12)], through: Self.position(12), now: 1_100).isNone)
        #expect(machine.due(now: 1_200).wakeTime == 1_250)
        #expect(machine.due(now: 1_250).isStart)
        #expect(machine.begin().order?.items?.count == 2)
        var other = DestinationMachine(sentThrough: Self.position(10), SenderConfiguration())
        #expect(other.queue([try Self.receipt(11)], through: Self.position(11), now: 0).wakeTime == 250)
        #expect(other.queue(Self.devices(12), through: Self.position(12), now: 1).isStart)
        #expect(other.begin().order?.items?.count == 2)
    }

    @Test mutating func onlyWhatIsNewIsQueued() {
        #expect(machine.queue(Self.devices(9, 10), through: Self.position(10), now: 0).isNone)
        #expect(machine.queue([], through: Self.position(12), isComplete: false, now: 0).isStart)
        #expect(machine.begin().order?.items == nil)
    }

    @Test mutating func moreThanFitsInMemoryIsReadFromTheDatabase() throws {
        for position in Int64(11)...260 {
            _ = machine.queue(Self.devices(position), through: Self.position(position), now: 0)
        }
        #expect(machine.begin().order?.items?.count == 250)
        #expect(machine.loaded(Self.delivery(60), isEmpty: false, now: 0).isSend)
        #expect(machine.queue(Self.devices(261), through: Self.position(261), now: 0).isNone)
        #expect(machine.delivered(now: 0).stored != nil)
        #expect(machine.stored(queued: Self.position(261)).isStart)
        // What is in memory comes first, and says how far it goes.
        var order = try #require(machine.begin().order)
        #expect(order.items?.count == 200 && order.after == Self.position(60) && order.through == Self.position(260))
        #expect(machine.loaded(Self.delivery(260), isEmpty: false, now: 0).isSend)
        #expect(machine.delivered(now: 0).stored != nil)
        #expect(machine.stored(queued: Self.position(261)).isStart)
        order = try #require(machine.begin().order)
        #expect(order.items == nil && order.after == Self.position(260) && order.through == Self.position(261))
        // Once nothing is left to read, what comes is kept in memory again.
        #expect(machine.loaded(Self.delivery(261), isEmpty: false, now: 0).isSend)
        #expect(machine.delivered(now: 0).stored != nil)
        #expect(machine.stored(queued: Self.position(261)).isNone)
        #expect(machine.queue(Self.devices(262), through: Self.position(262), now: 0).isStart)
        #expect(machine.begin().order?.items?.count == 1)
    }

    @Test mutating func whatHasBeenReadIsNotReadAgain() throws {
        #expect(machine.queue([], through: Self.position(100), isComplete: false, now: 0).isStart)
        #expect(machine.begin().order?.items == nil)
        let page = DestinationMachine.Page(items: Self.devices(20, 30, 40), through: Self.position(50))
        #expect(machine.loaded(Self.delivery(25), isEmpty: false, page: page, now: 0).isSend)
        #expect(machine.queue(Self.devices(101), through: Self.position(101), now: 0).isNone)
        #expect(machine.delivered(now: 0).stored != nil)
        #expect(machine.stored(queued: Self.position(101)).isStart)
        let order = try #require(machine.begin().order)
        #expect(order.items?.map(\.position) == [Self.position(30), Self.position(40)])
        #expect(order.after == Self.position(25) && order.through == Self.position(50))
        #expect(machine.loaded(Self.delivery(50), isEmpty: false, now: 0).isSend)
        #expect(machine.delivered(now: 0).stored != nil)
        #expect(machine.stored(queued: Self.position(101)).isStart)
        let rest = try #require(machine.begin().order)
        #expect(rest.items == nil && rest.after == Self.position(50) && rest.through == Self.position(101))
    }

    @Test mutating func whenNothingIsToBeSentOnlyTheCursorMoves() {
        #expect(machine.queue([], through: Self.position(20), isComplete: false, now: 0).isStart)
        #expect(machine.begin().order != nil)
        #expect(machine.loaded(Self.delivery(20), isEmpty: true, now: 0).stored == Self.delivery(20))
        #expect(machine.lastAttempt == nil)
        #expect(machine.stored(queued: Self.position(20)).isNone)
        #expect(machine.isDisposable)
    }

    @Test mutating func aPageWithoutProgressIsNotTriedOverAndOver() {
        #expect(machine.queue([], through: Self.position(20), isComplete: false, now: 0).isStart)
        #expect(machine.begin().order != nil)
        #expect(machine.loaded(Self.delivery(10), isEmpty: true, now: 5).wakeTime == 1_005)
    }

    // MARK: Failure

    @Test mutating func failuresAreFollowedByLongerAndLongerWaits() {
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        var now: Int64 = 0
        var waits: [Int64] = []
        for _ in 0..<12 {
            let until = fail(at: now)
            waits.append(until - now)
            #expect(machine.due(now: until - 1).wakeTime == until)
            #expect(machine.due(now: until).isStart)
            now = until
        }
        let seconds: [Int64] = [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600, 3_600]
        #expect(waits == seconds.map { $0 * 1_000 })
        // After days a day is the limit.
        now = 3 * 86_400_000
        var last: Int64 = 0
        for _ in 0..<6 {
            let until = fail(at: now)
            last = until - now
            now = until
            #expect(machine.due(now: now).isStart)
        }
        #expect(last == 86_400_000)
        #expect(machine.failures.count == 18 && machine.failures.first == 0)
    }

    @Test func chanceSpreadsTheWaits() {
        let policy = BackoffPolicy()
        #expect(policy.jittered(10_000, chance: 0) == 8_000)
        #expect(policy.jittered(10_000, chance: 1) == 12_000)
        #expect(policy.interval(after: .max / 2 + 1, failingForMilliseconds: 0) == policy.startMilliseconds)
    }

    @Test mutating func afterAFailureEverythingIsReadAgainAndWhatWasOfTheMomentIsGone() throws {
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        #expect(machine.tell([Self.note("!a:x", true)], now: 0).isNone)
        #expect(machine.queueDeviceMessages(now: 0).isNone)
        #expect(machine.begin().order?.typing.count == 1)
        #expect(machine.loaded(Self.delivery(11, messages: [1]), isEmpty: false, now: 0).isSend)
        #expect(machine.tell([Self.note("!b:x", true)], now: 0).isNone)
        #expect(machine.failed(.unreachable("gone"), now: 0, chance: 0.5).retryTime == 10_000)
        #expect(machine.tell([Self.note("!c:x", true)], now: 1).isNone)
        #expect(machine.tell(presenceOf: [UserNumber(1)], now: 1).isNone)
        #expect(machine.queue(Self.devices(12), through: Self.position(12), now: 2).isNone)
        #expect(machine.due(now: 10_000).isStart)
        let order = try #require(machine.begin().order)
        #expect(order.items == nil && order.takesDeviceMessages)
        #expect(order.typing.isEmpty && order.presence.isEmpty)
        #expect(order.after == Self.position(10) && order.through == Self.position(12))
    }

    @Test mutating func aSuccessForgetsTheFailures() {
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        let until = fail(at: 0)
        #expect(machine.isFailing && machine.record(of: Self.server).retryAt == until)
        #expect(machine.record(of: Self.server).lastError == "gone")
        #expect(machine.due(now: until).isStart)
        #expect(machine.begin().order != nil)
        #expect(machine.loaded(Self.delivery(11), isEmpty: false, now: until).isSend)
        #expect(machine.delivered(now: until + 5).stored != nil)
        #expect(!machine.isFailing)
        let record = machine.record(of: Self.server)
        #expect(record.failures == 0 && record.firstFailure == nil && record.lastError == nil && record.retryAt == 0)
    }

    @Test mutating func whoeverIsHeardFromIsTriedSoonButNotAllTheTime() {
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        var now: Int64 = 0
        for _ in 0..<6 {
            now = fail(at: now)
            #expect(machine.due(now: now).isStart)
        }
        _ = fail(at: now)
        #expect(machine.reachable(now: now + 1).wakeTime == now + 10_000)
        #expect(machine.reachable(now: now + 2).isNone)
        #expect(machine.due(now: now + 10_000).isStart)
        // The next failure is like a first one.
        let until = fail(at: now + 10_000)
        #expect(until == now + 20_000)
        #expect(machine.reachable(now: now + 20_000).isNone)
        #expect(machine.due(now: now + 20_000).isStart)
        #expect(machine.reachable(now: now + 20_000).isNone)
    }

    @Test mutating func whoWantsToBeLeftAloneIs() {
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        for (asked, waits): (Int64, Int64) in [(30_000, 30_000), (5, 20_000), (.max, 3_600_000)] {
            #expect(machine.begin().order != nil)
            #expect(machine.loaded(Self.delivery(11), isEmpty: false, now: 0).isSend)
            let failure = DestinationMachine.Failure.unreachable("busy", retryAfterMilliseconds: asked)
            #expect(machine.failed(failure, now: 0, chance: 0.5).retryTime == waits)
            #expect(machine.due(now: waits).isStart)
        }
    }

    @Test mutating func anAdministratorNeedNotWait() {
        #expect(machine.retryNow().isNone)
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        _ = fail(at: 0)
        #expect(machine.retryNow().isStart)
    }

    // MARK: Refusal

    @Test mutating func whatIsRefusedIsSentInSmallerPortionsAndInTheEndPassedOver() throws {
        #expect(machine.queue(Self.devices(11, 12), through: Self.position(12), now: 0).isStart)
        var now: Int64 = 0
        for items in [nil, 8, 1] as [Int?] {
            let order = try #require(machine.begin().order)
            #expect(order.limits.items == items)
            #expect(machine.loaded(Self.delivery(items == 1 ? 11 : 12), isEmpty: false, now: now).isSend)
            let action = machine.failed(.refused("too large"), now: now, chance: 0.5)
            if items == 1 { now = try #require(action.retryTime) } else { #expect(action.isStart) }
        }
        var skipped: DestinationMachine.Delivery?
        var refusals = 1
        while skipped == nil, refusals < 30 {
            #expect(machine.due(now: now).isStart)
            #expect(machine.begin().order?.limits.items == 1)
            #expect(machine.loaded(Self.delivery(11), isEmpty: false, now: now).isSend)
            refusals += 1
            let action = machine.failed(.refused("too large"), now: now, chance: 0.5)
            if case .skip(let delivery) = action { skipped = delivery } else { now = try #require(action.retryTime) }
        }
        #expect(skipped == Self.delivery(11))
        #expect(refusals >= 10 && now >= 2 * 3_600_000)
        #expect(machine.stored(queued: Self.position(12)).isStart)
        #expect(machine.sentThrough == Self.position(11))
        // What follows goes through, and more and more of it.
        for items in [1, 4, 16, 64, nil] as [Int?] {
            #expect(machine.begin().order?.limits.items == items)
            _ = machine.queue([], through: Self.position(100), isComplete: false, now: now)
            #expect(machine.loaded(Self.delivery(12), isEmpty: false, now: now).isSend)
            #expect(machine.delivered(now: now).stored != nil)
            #expect(machine.stored(queued: Self.position(100)).isStart)
        }
    }

    // MARK: The database

    @Test mutating func whatCouldNotBeWrittenDownIsSentAgain() {
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        #expect(machine.queueDeviceMessages(now: 0).isNone)
        #expect(machine.begin().order != nil)
        #expect(machine.loaded(Self.delivery(11, messages: [4]), isEmpty: false, now: 0).isSend)
        #expect(machine.delivered(now: 1).stored != nil)
        #expect(machine.storeFailed(now: 1).wakeTime == 1_001)
        #expect(!machine.isFailing)
        #expect(machine.due(now: 1_001).isStart)
        let order = machine.begin().order
        #expect(order?.after == Self.position(10) && order?.takesDeviceMessages == true)
        #expect(machine.loadFailed(tookDeviceMessages: true, now: 2_000).wakeTime == 3_000)
        #expect(machine.due(now: 3_000).isStart)
        #expect(machine.begin().order?.takesDeviceMessages == true)
    }

    @Test mutating func whatIsOwedIsKnownBeforeTheJournalIsLeftBehind() {
        #expect(machine.owed == nil)
        #expect(machine.queue(Self.devices(11), through: Self.position(11), now: 0).isStart)
        #expect(machine.owed?.queuedThrough == Self.position(11) && machine.owed?.sentThrough == Self.position(10))
        machine.wrote(queued: Self.position(11))
        #expect(machine.owed == nil)
        // While a transaction is under way it can arrive or not: something must be seen to wait either way.
        #expect(machine.begin().order != nil)
        #expect(machine.loaded(Self.delivery(11), isEmpty: false, now: 0).isSend)
        _ = machine.queue(Self.devices(12), through: Self.position(12), now: 0)
        #expect(machine.owed?.queuedThrough == Self.position(12))
        machine.wrote(queued: Self.position(12))
        #expect(machine.owed == nil)
        #expect(machine.failed(.unreachable("gone"), now: 0, chance: 0.5).retryTime != nil)
        _ = machine.queue(Self.devices(13), through: Self.position(13), now: 0)
        // The database knows already that something waits.
        #expect(machine.owed == nil)
    }

    @Test func aMachineGoesOnWhereTheServerStopped() throws {
        var record = DestinationRecord(
            server: Self.server, sentThrough: Self.position(5), queuedThrough: Self.position(8))
        record.failures = 3
        record.intervalMilliseconds = 40_000
        record.retryAt = 100_000
        record.firstFailure = 1
        var machine = DestinationMachine(record, dispatched: Self.position(20), SenderConfiguration())
        #expect(machine.resume(at: 100_000).wakeTime == 100_000)
        #expect(machine.due(now: 100_000).isStart)
        let order = try #require(machine.begin().order)
        // What came after the 8th is not known: it is looked for up to where the journal has been looked through.
        #expect(order.items == nil && order.after == Self.position(5) && order.through == Self.position(20))
        #expect(machine.loaded(Self.delivery(20), isEmpty: false, now: 0).isSend)
        #expect(machine.failed(.unreachable("gone"), now: 100_000, chance: 0.5).retryTime == 180_000)

        record.sentThrough = Self.position(8)
        var idle = DestinationMachine(record, dispatched: Self.position(20), SenderConfiguration())
        #expect(!idle.hasWork && !idle.isDisposable)
        #expect(idle.resume(at: 1).wakeTime == 1)
        #expect(idle.due(now: 1).isNone && idle.phase == .idle)
        #expect(idle.queue(Self.devices(20, 21), through: Self.position(21), now: 2).isStart)
        #expect(idle.begin().order?.items?.map(\.position) == [Self.position(21)])
    }

    private static func note(_ room: String, _ isTyping: Bool) -> TypingNote {
        TypingNote(
            room: RoomID(room) ?? RoomID("!x:x").unsafelyKnown, user: UserID("@a:here.example").unsafelyKnown,
            isTyping: isTyping)
    }

    /// A transaction that fails; the machine must be ready. Returns when the next attempt is due.
    private mutating func fail(at now: Int64) -> Int64 {
        guard machine.begin().order != nil,
            machine.loaded(Self.delivery(machine.queuedThrough.rawValue), isEmpty: false, now: now).isSend,
            let until = machine.failed(.unreachable("gone"), now: now, chance: 0.5).retryTime
        else {
            Issue.record("the machine was not ready")
            return now
        }
        return until
    }
}

extension Optional {
    /// For identifiers that a test writes down.
    fileprivate var unsafelyKnown: Wrapped {
        guard let self else { preconditionFailure("a test's identifier is malformed") }
        return self
    }
}

extension DestinationMachine.Action {
    var isNone: Bool { if case .none = self { true } else { false } }
    var isStart: Bool { if case .start = self { true } else { false } }
    var isSend: Bool { if case .send = self { true } else { false } }
    var order: DestinationMachine.Order? { if case .load(let order) = self { order } else { nil } }
    var stored: DestinationMachine.Delivery? { if case .store(let delivery) = self { delivery } else { nil } }
    var wakeTime: Int64? { if case .wake(let time) = self { time } else { nil } }
    var retryTime: Int64? { if case .retry(let time) = self { time } else { nil } }
}
