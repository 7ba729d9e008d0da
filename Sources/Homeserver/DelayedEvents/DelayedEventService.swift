import Logging
import Matrix
import Store

/// Sends events later than they were asked for: so that what a client has said of itself ends when the client vanishes.
///
/// [MSC4140](https://github.com/matrix-org/matrix-spec-proposals/pull/4140). What is due is in the database: a stop of the server delays
/// it only. An event is dropped if by its time its sender may not send it any more, or somebody else has set the same state since.
public final class DelayedEventService: DueWorker {
    /// The longest delay, in milliseconds: a day.
    public static let maximumDelayMilliseconds: Int64 = 86_400_000
    /// How many a user may have.
    public static let maximumEvents = 100

    private static let maximumContentBytes = 65_535
    private static let page = 50
    private static let longestWaitMilliseconds: Int64 = 3_600_000
    private static let retryMilliseconds: Int64 = 5_000

    private let store: Store
    private let rooms: RoomService
    private let clock: any Clock
    private let randomness: any Randomness
    private let timer: DueTimer
    private let logger: Logger

    /// - Parameters:
    ///   - rooms: Sends the events.
    ///   - randomness: Makes their names.
    ///   - logger: Told of those that are dropped.
    public init(
        rooms: RoomService, clock: any Clock, randomness: any Randomness, scheduler: any Scheduler, logger: Logger
    ) {
        store = rooms.store
        self.rooms = rooms
        self.clock = clock
        self.randomness = randomness
        timer = DueTimer(
            clock: clock, scheduler: scheduler, longestWaitMilliseconds: Self.longestWaitMilliseconds,
            retryMilliseconds: Self.retryMilliseconds)
        self.logger = logger
    }

    /// Takes up what was left when the server stopped.
    public func resume() async throws { try await timer.resume(self) }

    /// Sends nothing more.
    public func stop() { timer.stop() }

    // MARK: What clients ask

    /// Has an event sent after a delay.
    ///
    /// - Parameters:
    ///   - stateKey: `nil` for a message.
    ///   - transaction: The client's name for it; asking again under that name answers the same event.
    ///   - stickyMilliseconds: For how long it sticks once it is sent.
    ///   - delay: In milliseconds.
    /// - Returns: The name of the delayed event.
    /// - Throws: 403 if the user is not in the room; 400 for a delay that is too long, or too many events; 413.
    public func add(
        _ type: EventType, stateKey: String?, content: JSON, transaction: String?, stickyMilliseconds: Int64? = nil,
        to room: RoomID, by user: Requester, delay: Int64
    ) async throws -> String {
        guard delay > 0 else { throw MatrixError.invalidParameter("A delay is a number of milliseconds above 0") }
        guard delay <= Self.maximumDelayMilliseconds else {
            var error = MatrixError(400, .unknown, "The delay is too long")
            error.extra["org.matrix.msc4140.errcode"] = "M_MAX_DELAY_EXCEEDED"
            error.extra["org.matrix.msc4140.max_delay"] = .integer(Self.maximumDelayMilliseconds)
            throw error
        }
        // No event can be larger: it would be refused in the end, and take up room until then.
        guard content.bytes.count <= Self.maximumContentBytes else {
            throw MatrixError.tooLarge("The event is too large")
        }
        let number = try await rooms.number(of: room)
        let now = clock.now
        let event = DelayedEvent(
            id: "cd_\(randomness.text(32))", user: user.number, device: user.device, room: number, type: type,
            stateKey: stateKey, transaction: transaction, content: Array(content.bytes), delay: delay,
            stickyMilliseconds: stickyMilliseconds, runningSince: now,
            position: store.journal.end)
        let id = try await store.write { writer in
            guard try writer.read.memberships.membership(of: user.number, in: number)?.membership == .join else {
                throw MatrixError.forbidden("You are not in this room")
            }
            let known = try writer.read.delayedEvents.events(of: user.number, limit: Self.maximumEvents + 1)
            if let transaction,
                let same = known.first(where: { Self.isSame($0, transaction, type, number, user.device) })
            {
                return same.id
            }
            guard known.count < Self.maximumEvents else {
                var error = MatrixError(400, .unknown, "You have too many delayed events")
                error.extra["org.matrix.msc4140.errcode"] = "M_MAX_DELAYED_EVENTS_EXCEEDED"
                throw error
            }
            try writer.delayedEvents.insert(event)
            return event.id
        }
        timer.schedule(self, at: now + delay)
        return id
    }

    private static func isSame(
        _ event: DelayedEvent, _ transaction: String, _ type: EventType, _ room: RoomNumber, _ device: DeviceID?
    ) -> Bool {
        event.transaction.map { $0.utf8.elementsEqual(transaction.utf8) } ?? false
            && event.type == type && event.room == room && event.device == device
    }

    /// A user's events that wait, with their rooms.
    public func events(of user: UserNumber) async throws -> [(event: DelayedEvent, room: RoomID)] {
        let events = try await store.read { try $0.delayedEvents.events(of: user, limit: Self.maximumEvents) }
        var found: [(DelayedEvent, RoomID)] = []
        for event in events { found.append((event, try await store.room(event.room))) }
        return found
    }

    /// What may be done with an event that waits.
    public enum Action: String, Sendable {
        /// It is sent now.
        case send
        /// It is dropped.
        case cancel
        /// It waits from the beginning again.
        case restart
    }

    /// Does something with an event that waits. Whoever knows its name may.
    ///
    /// - Throws: 404 if there is no such event (any more); what sending an event throws.
    public func update(_ id: String, _ action: Action) async throws {
        switch action {
        case .cancel:
            guard try await store.write({ try $0.delayedEvents.delete(id) }) else { throw Self.unknown }
        case .restart:
            let now = clock.now
            guard try await store.write({ try $0.delayedEvents.restart(id, at: now) }) else { throw Self.unknown }
        case .send:
            guard let event = try await store.read({ try $0.delayedEvents.event(id) }) else { throw Self.unknown }
            try await send(event)
            _ = try await store.write { try $0.delayedEvents.delete(id) }
        }
    }

    private static let unknown = MatrixError.notFound("There is no such delayed event")

    // MARK: When it is time

    func nextDue() async throws -> Int64? { try await store.read { try $0.delayedEvents.next() } }

    func doWhatIsDue() async throws { while try await sendPage() {} }

    func couldNotDo(_ error: any Error) {
        logger.error("delayed events not sent", metadata: ["error": "\(error)"])
    }

    /// - Returns: Whether there may be more.
    private func sendPage() async throws -> Bool {
        let now = clock.now
        let due = try await store.read { try $0.delayedEvents.due(at: now, limit: Self.page) }
        for event in due {
            do {
                if try await !isOvertaken(event) { try await send(event) }
            } catch let error as MatrixError where error.status < 500 {
                logger.info(
                    "delayed event dropped", metadata: ["type": "\(event.type)", "reason": "\(error.message)"])
            }
            // Sent twice if the server stops here: a message has its own name as its transaction, and state is what it is already.
            _ = try await store.write { try $0.delayedEvents.delete(event.id) }
        }
        return due.count == Self.page
    }

    /// Whether somebody else has set the state since.
    private func isOvertaken(_ event: DelayedEvent) async throws -> Bool {
        guard let stateKey = event.stateKey else { return false }
        let current = try await rooms.view(event.room).event(StateKey(event.type, stateKey))
        guard let current, let position = current.position, position > event.position else { return false }
        return current.sender != event.user
    }

    private func send(_ event: DelayedEvent) async throws {
        let sender = Requester(id: try await store.user(event.user), number: event.user, device: event.device)
        let room = try await store.room(event.room)
        let content = try JSON(parsing: event.content)
        if let stateKey = event.stateKey {
            _ = try await rooms.setState(
                event.type, key: stateKey, content: content, stickyMilliseconds: event.stickyMilliseconds, in: room,
                by: sender)
        } else {
            _ = try await rooms.send(
                event.type, content: content, transactionID: event.id, stickyMilliseconds: event.stickyMilliseconds,
                to: room, by: sender)
        }
    }
}
