import Logging
import Matrix
import RoomEngine
import Store
import Synchronization

/// Everything that changes one room passes here, one after the other: what waits is taken as a batch, each request is decided on
/// top of the one before, and the batch is stored in one transaction. Whoever asked hears of it once it is durable.
final class RoomLane: Sendable {
    /// What somebody wants of the room.
    struct Request: Sendable {
        /// Does it, on top of what those before have done: all of it or, when it throws, nothing. May be called again where another
        /// node was faster.
        let decide: @Sendable (inout RoomWork) async throws -> Void
        /// Stores what goes with it, in the same transaction.
        var alongside: (@Sendable (StoreWriter, RoomNumber) throws -> Void)?
        /// Whether it is a batch of its own: what has been decided before it must be stored by then.
        var isAlone = false
    }

    private struct Waiting {
        let request: Request
        /// Hears what becomes of it: the identifier of the event that the request's transaction had become before, if it turns out to
        /// be known.
        let answer: @Sendable (Result<EventID?, any Error>) -> Void
    }

    private struct State {
        var waiting: [Waiting] = []
        var isRunning = false
        var head: RoomHead?
    }

    /// Requests taken at once, so that a batch's transaction stays short.
    private static let batchSize = 64
    /// Requests that may wait: beyond, the room is overloaded and says so.
    private static let queueLimit = 10_000

    let number: RoomNumber
    private let services: RoomWriterServices
    private let state: Mutex<State>

    init(number: RoomNumber, services: RoomWriterServices, head: RoomHead? = nil) {
        self.number = number
        self.services = services
        state = Mutex(State(head: head))
    }

    /// Whether nothing happens here.
    var isIdle: Bool { state.withLock { !$0.isRunning && $0.waiting.isEmpty } }

    /// Forgets where the room stands, because another node has moved it past `position`.
    func invalidate(unlessAt position: StreamPosition) {
        state.withLock { state in
            if let head = state.head, head.position < position { state.head = nil }
        }
    }

    /// Forgets where the room stands, because something else than an event has moved it.
    func invalidate() { state.withLock { $0.head = nil } }

    /// Lets the room begin here, if this server has not known it until now.
    func prepare(_ head: RoomHead) { state.withLock { if $0.head == nil { $0.head = head } } }

    /// Where the room stands, or `nil` if there is no such room.
    func head() async throws -> RoomHead? {
        if let head = state.withLock({ $0.head }) { return head }
        let number = number
        let server = services.serverName
        let loaded = try await services.store.read { try RoomHead(number, of: server, from: $0) }
        guard let loaded, loaded.count > 0 else { return nil }
        return state.withLock { state in
            // A batch may have been stored meanwhile.
            if let head = state.head, head.count >= loaded.count { return head }
            state.head = loaded
            return loaded
        }
    }

    /// Sends the drafts that `make` makes of the room as it is when their turn comes, all or none of them.
    func send(
        _ make: @escaping @Sendable (RoomView) async throws -> [EventDraft],
        alongside: (@Sendable (StoreWriter, RoomNumber) throws -> Void)? = nil
    ) async throws -> [SentEvent] {
        let results = Mutex<[SentEvent]>([])
        let isHeard = Mutex(true)
        var besides: (@Sendable (StoreWriter, RoomNumber) throws -> Void)?
        if let alongside {
            besides = { writer, room in if isHeard.withLock({ $0 }) { try alongside(writer, room) } }
        }
        let known = try await submit(
            Request(
                decide: { work in
                    let drafts = try await make(work.view)
                    if work.view.head.isBlocked, !drafts.allSatisfy(\.isDeparture) { throw MatrixError.roomIsClosed }
                    let sent: [SentEvent]
                    if work.isUnheard(drafts) {
                        // They are judged as everybody is, and what they say goes with the copy.
                        var rehearsal = work
                        sent = try await rehearsal.send(drafts)
                        isHeard.withLock { $0 = false }
                    } else {
                        sent = try await work.send(drafts)
                    }
                    results.withLock { $0 = sent }
                }, alongside: besides
            ))
        if let known { return [SentEvent(id: known, event: nil)] }
        return results.withLock { $0 }
    }

    /// Does something with the room, and waits until it is durable or refused.
    func perform<T: Sendable>(
        isAlone: Bool = false, _ body: @escaping @Sendable (inout RoomWork) async throws -> T,
        alongside: (@Sendable (StoreWriter, RoomNumber) throws -> Void)? = nil
    ) async throws -> T {
        let result = Mutex<T?>(nil)
        _ = try await submit(
            Request(
                decide: { work in
                    let outcome = try await body(&work)
                    result.withLock { $0 = outcome }
                }, alongside: alongside, isAlone: isAlone
            ))
        guard let outcome = result.withLock({ $0 }) else { throw MatrixError.internalError }
        return outcome
    }

    /// Asks for something, and waits until it is durable or refused.
    ///
    /// - Returns: The event that the request's transaction had become before, if it had been carried out already.
    func submit(_ request: Request) async throws -> EventID? {
        let isFree = state.withLock { state in
            guard !state.isRunning else { return false }
            state.isRunning = true
            return true
        }
        guard !isFree else {
            // Who comes first into a quiet room sees to it at once, without waking up another thread.
            let result = Mutex<Result<EventID?, any Error>>(.success(nil))
            await process([Waiting(request: request) { outcome in result.withLock { $0 = outcome } }])
            leave()
            return try result.withLock { $0 }.get()
        }
        return try await withCheckedThrowingContinuation { continuation in
            let (accepted, start) = state.withLock { state in
                guard state.waiting.count < Self.queueLimit else { return (false, false) }
                state.waiting.append(Waiting(request: request) { continuation.resume(with: $0) })
                guard !state.isRunning else { return (true, false) }
                state.isRunning = true
                return (true, true)
            }
            if !accepted { continuation.resume(throwing: MatrixError.unavailable("This room is overloaded")) }
            if start { Task { await self.run() } }
        }
    }

    /// Leaves the room to those who have come meanwhile.
    private func leave() {
        let isAwaited = state.withLock { state in
            state.isRunning = !state.waiting.isEmpty
            return state.isRunning
        }
        if isAwaited { Task { await self.run() } }
    }

    private func run() async {
        while true {
            let batch = state.withLock { state -> [Waiting] in
                var batch = Array(state.waiting.prefix(Self.batchSize))
                if let alone = batch.firstIndex(where: \.request.isAlone) { batch = Array(batch.prefix(max(alone, 1))) }
                state.waiting.removeFirst(batch.count)
                if batch.isEmpty { state.isRunning = false }
                return batch
            }
            if batch.isEmpty { return }
            await process(batch)
        }
    }

    /// Decides and stores a batch, again from the start where another node has moved the head or a transaction ID turns out to be
    /// known.
    private func process(_ batch: [Waiting]) async {
        var remaining = batch
        var attempts = 0
        while !remaining.isEmpty {
            do {
                let (decided, refused) = try await decide(remaining)
                for (waiting, error) in refused { waiting.answer(.failure(error)) }
                remaining = decided.waiting
                if remaining.isEmpty { return }
                try await store(decided)
                for waiting in remaining { waiting.answer(.success(nil)) }
                return
            } catch let known as KnownTransaction {
                remaining[known.index].answer(.success(known.event))
                remaining.remove(at: known.index)
            } catch StoreError.headMoved where attempts < 10 {
                attempts += 1
                state.withLock { $0.head = nil }
            } catch {
                state.withLock { $0.head = nil }
                for waiting in remaining { waiting.answer(.failure(error)) }
                return
            }
        }
    }

    /// A batch that has been decided on.
    private struct Decided {
        let before: RoomHead
        var work: RoomWork
        var waiting: [Waiting] = []
        var plans: [RoomPlan] = []
    }

    private func decide(_ batch: [Waiting]) async throws -> (Decided, [(Waiting, any Error)]) {
        guard let head = try await head() else {
            throw MatrixError.notFound("There is no such room")
        }
        var decided = Decided(before: head, work: RoomWork(head: head, services: services))
        var refused: [(Waiting, any Error)] = []
        for waiting in batch {
            // A value: what a refused request has begun is dropped with the copy.
            var attempt = decided.work
            do {
                try await waiting.request.decide(&attempt)
                let first = decided.work.planned.count
                decided.work = attempt
                decided.waiting.append(waiting)
                decided.plans.append(RoomPlan(events: first..<attempt.planned.count))
            } catch {
                refused.append((waiting, error))
            }
        }
        return (decided, refused)
    }

    private func store(_ decided: Decided) async throws {
        let work = decided.work
        guard
            !work.planned.isEmpty || !work.restated.isEmpty
                || decided.waiting.contains(where: { $0.request.alongside != nil })
        else {
            return
        }
        let alongside = decided.waiting.compactMap(\.request.alongside)
        let number = number
        let commit = RoomCommit(plans: decided.plans, before: decided.before, work: decided.work)
        try await services.store.write { [self] writer in
            let stored = try commit.write(writer)
            for extra in alongside { try extra(writer, number) }
            // Readers that the journal wakes find the new head in place.
            writer.sql.onCommit { self.state.withLock { $0.head = stored } }
        }
    }
}

/// A request of the batch has been carried out before under the same transaction ID.
struct KnownTransaction: Error {
    /// Which plan of the batch.
    let index: Int
    /// The event it had become.
    let event: EventID
}

/// What deciding about rooms needs.
struct RoomWriterServices: Sendable {
    let store: Store
    let clock: any Clock
    let randomness: any Randomness
    let serverName: ServerName
    let signingKeys: any SigningKeySource
    let eventNumbers: NumberAllocator
    /// What the administrator has decided about calls; `nil`: nothing.
    let callRules: CallRules?
    let logger: Logger
    /// Told of events that stick and fail softly.
    let stickyFailures = StickyFailures()

    /// What events are signed with now.
    var signingKey: SigningKey { signingKeys.signingKey }
}
