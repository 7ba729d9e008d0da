import Logging
import Matrix
import Store

/// Tells the application services what they are interested in.
///
/// A cursor on the journal decides what waits for which service (``AppServiceDispatcher``), in the database; each service is told by a
/// connection of its own (``AppServiceConnection``), so that one that is down delays nothing else.
public final class AppServiceSender: Sendable {
    /// What they are told of.
    public struct Sources: Sendable {
        let typing: TypingService
        let presence: PresenceService?
        let counts: KeyCounts

        /// Sources.
        ///
        /// - Parameter presence: `nil` where nobody is told of presence.
        public init(typing: TypingService, presence: PresenceService?, counts: KeyCounts) {
            self.typing = typing
            self.presence = presence
            self.counts = counts
        }
    }

    private let services: AppServices
    private let sources: Sources
    private let store: Store
    private let transport: any AppServiceTransport
    private let clock: any Clock
    private let scheduler: any Scheduler
    private let logger: Logger
    private let running = Once<Running>()

    private struct Running: Sendable {
        let cursor: JournalCursor
        let connections: [AppServiceConnection]
        let told: [AppService]
        let typing: Task<Void, Never>?
    }

    /// Changes of typing that wait to be looked at: more are lost, as typing may be.
    private static let waitingRooms = 1_000

    /// A sender; it does nothing before ``start()``.
    public init(
        services: AppServices, sources: Sources, store: Store, transport: any AppServiceTransport, clock: any Clock,
        scheduler: any Scheduler, logger: Logger
    ) {
        self.services = services
        self.sources = sources
        self.store = store
        self.transport = transport
        self.clock = clock
        self.scheduler = scheduler
        self.logger = logger
    }

    /// Goes on where it was. A service that was not there before is told what happens from now on.
    public func start() async throws {
        let told = services.all.filter { $0.url != nil }
        let since = try await introduce(told)
        guard !told.isEmpty else { return }
        let interest = AppServiceInterest(services: told, store: store)
        let connections = told.map { service in
            AppServiceConnection(
                service: service, url: service.url ?? "", store: store,
                builder: AppServiceTransactionBuilder(
                    service: service, store: store, clock: clock,
                    typing: sources.typing, presence: sources.presence, counts: sources.counts),
                transport: transport, scheduler: scheduler, logger: logger)
        }
        let dispatcher = AppServiceDispatcher(
            store: store, interest: interest, since: since, tellsPresence: sources.presence != nil,
            wake: { for index in $0 { connections[index].wake() } })
        let cursor = JournalCursor(
            .appServices, follower: dispatcher, store: store, scheduler: scheduler, logger: logger,
            pauseMilliseconds: 0)
        try await cursor.start()
        let typing = followTyping(interest, connections)
        running.set(Running(cursor: cursor, connections: connections, told: told, typing: typing))
        for connection in connections { connection.wake() }
    }

    /// Does no more, once it has finished what it is doing.
    public func stop() async {
        guard let running = running.value else { return }
        running.typing?.cancel()
        await running.cursor.stop()
        for connection in running.connections { await connection.stop() }
    }

    /// Says that a service has been heard of: there is no need to wait any longer before it is told what waits for it.
    public func isThere(_ service: String) {
        guard let running = running.value, let index = running.told.firstIndex(where: { $0.id == service }) else {
            return
        }
        running.connections[index].isThere()
    }

    /// Notes which services there are.
    ///
    /// - Returns: Since when each is told.
    private func introduce(_ told: [AppService]) async throws -> [StreamPosition] {
        let now = clock.now
        let end = store.journal.end
        return try await store.write { writer in
            var known = Dictionary(
                try writer.read.appServices.services().map { (ExactString($0.id), $0.since) }
            ) { $1 }
            let names = Set(told.map { ExactString($0.id) })
            for name in known.keys where !names.contains(name) {
                try writer.appServices.remove(name.string)
                known[name] = nil
            }
            // Nobody has needed the cursor until now.
            if known.isEmpty, !told.isEmpty { try writer.move(.appServices, to: end) }
            return try told.map { service in
                if let since = known[ExactString(service.id)] { return since }
                // Numbers that begin with the time are not used again when the database is lost.
                try writer.appServices.insert(service.id, since: end, number: now)
                return end
            }
        }
    }

    private func followTyping(
        _ interest: AppServiceInterest, _ connections: [AppServiceConnection]
    ) -> Task<Void, Never>? {
        let wanting = Set(interest.services.indices.filter { interest.services[$0].extras.contains(.ephemeral) })
        guard !wanting.isEmpty else { return nil }
        let (rooms, hear) = AsyncStream.makeStream(
            of: RoomNumber.self, bufferingPolicy: .bufferingNewest(Self.waitingRooms))
        sources.typing.listen { hear.yield($0) }
        return Task { [logger] in
            for await room in rooms {
                do {
                    for index in try await interest.services(in: room).intersection(wanting) {
                        let connection = connections[index]
                        // Whoever is slow keeps nobody else waiting.
                        Task { await connection.typingChanged(in: room) }
                    }
                } catch {
                    logger.debug("typing could not be told", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
