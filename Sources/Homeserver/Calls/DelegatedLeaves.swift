import Logging
import Matrix
import Store

/// Keeps delayed events waiting for as long as those whom they are about are in a call, and sends them when they have gone.
///
/// [MSC4195](https://github.com/matrix-org/matrix-spec-proposals/pull/4195): a client says how it leaves, as an event that is to be sent unless
/// it says otherwise in time, and leaves that to the server, which hears from LiveKit who is there. What LiveKit tells by itself may
/// be lost; so it is asked too, at half of the delay. As long as it does not answer nothing is kept waiting: an event
/// that nobody holds back is sent in the end, and there is no ghost.
public final class DelegatedLeaves: Sendable {
    private static let page = 50
    /// How often LiveKit is asked at the most, in milliseconds.
    private static let shortestLookMilliseconds: Int64 = 500

    private let store: Store
    private let delayed: DelayedEventService
    private let forwarder: any MediaForwarder
    private let clock: any Clock
    private let logger: Logger
    private let due: DueWork

    /// - Parameters:
    ///   - delayed: Has the events.
    ///   - forwarder: The LiveKit that knows who is there.
    public init(
        store: Store, delayed: DelayedEventService, forwarder: any MediaForwarder, clock: any Clock,
        scheduler: any Scheduler, logger: Logger
    ) {
        self.store = store
        self.delayed = delayed
        self.forwarder = forwarder
        self.clock = clock
        self.logger = logger
        let looks = Looks(store: store, delayed: delayed, forwarder: forwarder, clock: clock, logger: logger)
        due = DueWork(
            clock: clock, scheduler: scheduler, logger: logger,
            next: { try await store.read { try $0.delegatedLeaves.next() } }, work: { try await looks.lookAtAll() })
    }

    /// Before the first delayed event is sent after a start: those of people who were in a call wait again, until LiveKit has said whether they
    /// still are.
    public func prepare() async throws {
        let now = clock.now
        var last = ""
        while true {
            let page = try await store.write { [last] writer in
                let page = try writer.read.delegatedLeaves.connected(after: last, limit: Self.page)
                for leave in page {
                    _ = try writer.delayedEvents.restart(leave.delay, at: now)
                    try writer.delegatedLeaves.update(leave.delay, isConnected: true, lookAt: now)
                }
                return page
            }
            guard let end = page.last, page.count == Self.page else { break }
            last = end.delay
        }
        try await due.resume()
    }

    /// Nothing is asked or sent any more.
    public func stop() { due.stop() }

    /// A delayed event that a user may leave to the server.
    ///
    /// - Parameters:
    ///   - delay: Its name.
    ///   - user: Whose it must be.
    ///   - room: Of which room.
    /// - Throws: 404 `M_NOT_FOUND` if there is none.
    public func event(_ delay: String, of user: UserID, in room: RoomID) async throws -> DelayedEvent {
        let event = try await store.read { reader -> DelayedEvent? in
            guard let event = try reader.delayedEvents.event(delay),
                try reader.identifiers.user(event.user) == user, try reader.identifiers.room(event.room) == room
            else { return nil }
            return event
        }
        guard let event else { throw MatrixError.notFound("There is no such delayed event") }
        return event
    }

    /// Takes over a delayed event, in place of any other of the same person in the same room of LiveKit.
    public func take(_ event: DelayedEvent, of identity: String, in room: String) async throws {
        let look = clock.now + Self.pause(event)
        try await store.write { writer in
            // It may have been sent meanwhile.
            guard try writer.read.delayedEvents.event(event.id) != nil else {
                throw MatrixError.notFound("There is no such delayed event")
            }
            try writer.delegatedLeaves.set(
                DelegatedLeave(room: room, identity: identity, delay: event.id, isConnected: false), lookAt: look)
        }
        due.schedule(at: look)
    }

    /// LiveKit says that somebody has come.
    public func came(_ identity: String, to room: String) async throws {
        let now = clock.now
        let look = try await store.write { writer -> Int64? in
            guard let leave = try writer.read.delegatedLeaves.leave(of: identity, in: room),
                let event = try writer.read.delayedEvents.event(leave.delay)
            else { return nil }
            _ = try writer.delayedEvents.restart(leave.delay, at: now)
            try writer.delegatedLeaves.update(leave.delay, isConnected: true, lookAt: now + Self.pause(event))
            return now + Self.pause(event)
        }
        if let look { due.schedule(at: look) }
    }

    /// LiveKit says that somebody has gone.
    public func left(_ identity: String, _ room: String) async throws {
        guard let leave = try await store.read({ try $0.delegatedLeaves.leave(of: identity, in: room) }) else { return }
        try await Looks.send(leave, delayed, store, logger)
    }

    fileprivate static func pause(_ event: DelayedEvent) -> Int64 { max(event.delay / 2, shortestLookMilliseconds) }
}

/// Looks after those whose time has come.
private struct Looks: Sendable {
    let store: Store
    let delayed: DelayedEventService
    let forwarder: any MediaForwarder
    let clock: any Clock
    let logger: Logger

    private static let page = 50

    func lookAtAll() async throws {
        while true {
            let now = clock.now
            let leaves = try await store.read { try $0.delegatedLeaves.due(at: now, limit: Self.page) }
            // At once: one who cannot be asked about must not use up the time of others.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for leave in leaves { group.addTask { try await look(at: leave) } }
                try await group.waitForAll()
            }
            if leaves.count < Self.page { return }
        }
    }

    private func look(at leave: DelegatedLeave) async throws {
        guard let event = try await store.read({ try $0.delayedEvents.event(leave.delay) }) else { return }
        let isPresent: Bool?
        do { isPresent = try await forwarder.isPresent(leave.identity, in: leave.room) } catch {
            logger.warning("not known who is in a call", metadata: ["error": "\(error)"])
            isPresent = nil
        }
        let now = clock.now
        switch isPresent {
        case true?:
            try await store.write { writer in
                _ = try writer.delayedEvents.restart(leave.delay, at: now)
                try writer.delegatedLeaves.update(
                    leave.delay, isConnected: true, lookAt: now + DelegatedLeaves.pause(event))
            }
        case false? where leave.isConnected:
            try await Self.send(leave, delayed, store, logger)
        case false?, nil:
            // Not there yet, or not known: its time runs.
            try await store.write { writer in
                try writer.delegatedLeaves.update(
                    leave.delay, isConnected: leave.isConnected, lookAt: now + DelegatedLeaves.pause(event) / 2 + 100)
            }
        }
    }

    static func send(
        _ leave: DelegatedLeave, _ delayed: DelayedEventService, _ store: Store, _ logger: Logger
    ) async throws {
        do {
            try await delayed.update(leave.delay, .send)
        } catch let error as MatrixError where error.status < 500 {
            // Sent or dropped before, or not allowed any more: then it never will be.
            logger.info("delegated leave not sent", metadata: ["reason": "\(error.message)"])
            try await store.write { writer in
                try writer.delegatedLeaves.delete(leave.delay)
                _ = try writer.delayedEvents.delete(leave.delay)
            }
        }
    }
}
