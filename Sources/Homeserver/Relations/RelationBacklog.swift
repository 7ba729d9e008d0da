import Logging
import Store

/// Notes the relations of events that are from before this server noted relations, the latest first.
public struct RelationBacklog: Sendable {
    private let store: Store
    private let logger: Logger

    /// Few at once: whoever wants to write something meanwhile waits no longer than for these.
    private static let eventsAtOnce = 200

    /// A backlog.
    public init(store: Store, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Works through what is left, until it is done or the task is cancelled; what is done stays done.
    public func run() async {
        var rounds = 0
        do {
            while !Task.isCancelled, try await store.write({ try $0.relations.noteBacklog(limit: Self.eventsAtOnce) }) {
                rounds += 1
            }
        } catch {
            logger.error("relations of older events not noted", metadata: ["error": "\(error)"])
        }
        if rounds > 0 { logger.info("relations of older events noted", metadata: ["rounds": "\(rounds)"]) }
    }
}
