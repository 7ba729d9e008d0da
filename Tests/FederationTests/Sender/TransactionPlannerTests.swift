import FederationWire
import Matrix
import Store
import Testing

@testable import FederationOutbound

/// What goes into a transaction, and what does not.
@Suite struct TransactionPlannerTests {
    private static func position(_ value: Int) -> StreamPosition { StreamPosition(Int64(value)) }

    private static func event(_ place: Int, bytes: Int = 100) -> Candidate {
        Candidate(position: position(place), content: .events([[UInt8](repeating: 0x20, count: bytes)]))
    }

    private static func offer(_ place: Int, count: Int) -> Candidate {
        Candidate(position: position(place), content: .events([[UInt8]](repeating: [0x20], count: count)))
    }

    private static func message(_ place: Int, count: Int = 1) -> Candidate {
        let messages = (0..<count).map { _ in EphemeralMessage(type: "m.device_list_update", content: [0x7B, 0x7D]) }
        return Candidate(position: position(place), content: .messages(messages))
    }

    private static func candidates(_ items: [Candidate], through: Int = 1_000) -> Candidates {
        Candidates(after: position(0), through: position(through), items: items)
    }

    private static func deviceMessages(_ count: Int, bytes: Int = 2) -> [OutgoingDeviceMessageRecord] {
        (0..<count).map {
            OutgoingDeviceMessageRecord(number: Int64($0 + 1), content: [UInt8](repeating: 0x20, count: bytes))
        }
    }

    private let planner = TransactionPlanner(limits: TransactionLimits())

    @Test func everythingThatFitsGoesAndTheCursorMovesToTheEnd() {
        let draft = planner.draft(Self.candidates((1...50).map { Self.event($0 * 2) }))
        #expect(draft.pdus.count == 50 && draft.sentThrough == Self.position(1_000))
        #expect(planner.draft(Self.candidates([], through: 7)).sentThrough == Self.position(7))
        #expect(planner.draft(Self.candidates([])).isEmpty)
    }

    @Test func aTransactionHoldsFiftyEvents() {
        let draft = planner.draft(Self.candidates((1...60).map { Self.event($0 * 2) }))
        #expect(draft.pdus.count == 50 && draft.sentThrough == Self.position(101))
    }

    @Test func eventsThatGoTogetherAreNotTornApart() {
        let draft = planner.draft(Self.candidates((1...45).map { Self.event($0) } + [Self.offer(46, count: 6)]))
        #expect(draft.pdus.count == 45 && draft.sentThrough == Self.position(45))
        var limits = TransactionLimits()
        limits.items = 1
        let offered = TransactionPlanner(limits: limits).draft(
            Self.candidates([Self.offer(46, count: 6), Self.event(47)]))
        #expect(offered.pdus.count == 6 && offered.sentThrough == Self.position(46))
    }

    @Test func aTransactionHoldsAHundredMessages() {
        let draft = planner.draft(Self.candidates((1...30).map { Self.message($0 * 2, count: 4) }))
        #expect(draft.edus.count == 100 && draft.sentThrough == Self.position(51))
        #expect(FederationTransaction.maximumEDUs == 100 && FederationTransaction.maximumPDUs == 50)
    }

    @Test func bytesAreBoundedButOneEventAlwaysFits() {
        var limits = TransactionLimits()
        limits.bytes = 1_000
        let planner = TransactionPlanner(limits: limits)
        let draft = planner.draft(Self.candidates([Self.event(1, bytes: 600), Self.event(2, bytes: 600)]))
        #expect(draft.pdus.count == 1 && draft.sentThrough == Self.position(1))
        let large = planner.draft(Self.candidates([Self.event(1, bytes: 60_000), Self.event(2)]))
        #expect(large.pdus.count == 1 && large.sentThrough == Self.position(1))
    }

    @Test func messagesForDevicesComeFirstAndLeaveRoom() {
        var candidates = Self.candidates([Self.event(1)])
        candidates.deviceMessages = Self.deviceMessages(100)
        candidates.hasMoreDeviceMessages = true
        var draft = planner.draft(candidates)
        #expect(draft.deviceMessages.count == 100 && draft.pdus.count == 1 && draft.hasMoreDeviceMessages)
        candidates.items.append(Self.message(2, count: 20))
        draft = planner.draft(candidates)
        #expect(draft.deviceMessages == Array(1...80) && draft.edus.count == 100 && draft.hasMoreDeviceMessages)
        #expect(draft.edus.first?.type == "m.direct_to_device" && draft.sentThrough == Self.position(1_000))
        candidates.deviceMessages = Self.deviceMessages(3)
        candidates.hasMoreDeviceMessages = false
        #expect(!planner.draft(candidates).hasMoreDeviceMessages)
    }

    @Test func aRefusedTransactionIsSentPieceByPiece() {
        var limits = TransactionLimits()
        limits.items = 1
        let planner = TransactionPlanner(limits: limits)
        var candidates = Self.candidates([Self.event(3), Self.message(5)])
        candidates.deviceMessages = Self.deviceMessages(2)
        candidates.momentary = [EphemeralMessage(type: "m.typing", content: [])]
        var draft = planner.draft(candidates)
        #expect(draft.deviceMessages == [1] && draft.pdus.isEmpty && draft.edus.count == 1)
        #expect(draft.sentThrough == Self.position(2) && draft.hasMoreDeviceMessages)
        candidates.deviceMessages = []
        draft = planner.draft(candidates)
        #expect(draft.pdus.count == 1 && draft.edus.isEmpty && draft.sentThrough == Self.position(4))
    }

    @Test func whatIsOfTheMomentTakesWhatRoomIsLeft() {
        var candidates = Self.candidates([Self.message(1, count: 99)])
        candidates.momentary = ["m.typing", "m.presence"].map { EphemeralMessage(type: $0, content: []) }
        let draft = planner.draft(candidates)
        #expect(draft.edus.count == 100 && draft.edus.last?.type == "m.typing")
        #expect(draft.sentThrough == Self.position(1_000))
    }

    // MARK: Receipts

    private static func receipt(
        _ place: Int, user: String = "a", event: String = "$1", thread: String? = nil
    ) throws -> Candidate {
        Candidate(
            position: position(place),
            content: .receipt(
                OutgoingReceipt(
                    room: try #require(RoomID("!r:here.example")), user: try #require(UserID("@\(user):here.example")),
                    event: try #require(EventID(event)), thread: thread, timestamp: 5)))
    }

    @Test func receiptsShareMessagesAndOnlyTheLastCounts() throws {
        let draft = planner.draft(
            Self.candidates([
                try Self.receipt(1, event: "$1"), try Self.receipt(2, event: "$2"), try Self.receipt(3, user: "b"),
                try Self.receipt(4, event: "$3", thread: "main"), try Self.receipt(5, event: "$4", thread: "main"),
            ]))
        try #require(draft.edus.count == 2)
        let first = try JSON(parsing: draft.edus[0].content)["!r:here.example"]?["m.read"]
        #expect(first?["@a:here.example"]?["event_ids"]?.elements.compactMap(\.string) == ["$2"])
        #expect(first?["@a:here.example"]?["data"]?["ts"]?.int == 5)
        #expect(first?["@a:here.example"]?["data"]?["thread_id"] == nil)
        #expect(first?["@b:here.example"] != nil)
        let second = try JSON(parsing: draft.edus[1].content)["!r:here.example"]?["m.read"]
        #expect(second?["@a:here.example"]?["event_ids"]?.elements.compactMap(\.string) == ["$4"])
        #expect(second?["@a:here.example"]?["data"]?["thread_id"]?.string == "main")
        #expect(second?["@b:here.example"] == nil)
    }

    @Test func receiptsOfManyThreadsStayWithinTheLimit() throws {
        let items = try (1...120).map { try Self.receipt($0, thread: "$\($0)") }
        let draft = planner.draft(Self.candidates(items))
        #expect(draft.edus.count == 100 && draft.sentThrough == Self.position(100))
    }
}
