import Logging
import Matrix
import Store

/// Removes messages that have outlived their time, now and then.
///
/// [MSC1763](https://github.com/matrix-org/matrix-spec-proposals/pull/1763). It only makes room: what has outlived its time is not told from that
/// moment on (``EventLifetimes``), and so a run that is interrupted, or late, changes nothing for anybody; the next begins anew.
public final class RetentionPurge: Sendable {
    /// Events removed in one transaction: few, so that those who write at the same time do not wait long.
    private static let eventsAtOnce = 50
    /// Rooms looked up at once.
    private static let roomsAtOnce = 200
    /// What is left to others after each transaction, in milliseconds.
    private static let breathMilliseconds: Int64 = 50
    private static let retryMilliseconds: Int64 = 60_000

    private let store: Store
    private let intervalMilliseconds: Int64
    private let logger: Logger

    /// - Parameter intervalMilliseconds: The time from the end of one run to the next.
    public init(store: Store, intervalMilliseconds: Int64, logger: Logger) {
        self.store = store
        self.intervalMilliseconds = intervalMilliseconds
        self.logger = logger
    }

    /// Removes, until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            var pause = intervalMilliseconds
            do {
                let removed = try await purge()
                if removed > 0 { logger.info("old messages removed", metadata: ["events": "\(removed)"]) }
            } catch is CancellationError {
                return
            } catch {
                logger.error("old messages not removed", metadata: ["error": "\(error)"])
                pause = min(pause, Self.retryMilliseconds)
            }
            do { try await Task.sleep(for: .milliseconds(pause)) } catch { return }
        }
    }

    /// Goes through all rooms once.
    ///
    /// - Returns: How many messages were removed.
    public func purge() async throws -> Int {
        var removed = 0
        var last = RoomNumber(.min)
        while true {
            let rooms = try await rooms(after: last)
            for room in rooms {
                while true {
                    try Task.checkCancellation()
                    let count = try await purgePage(room)
                    removed += count
                    guard count == Self.eventsAtOnce else { break }
                    try await Task.sleep(for: .milliseconds(Self.breathMilliseconds))
                }
            }
            guard rooms.count == Self.roomsAtOnce, let end = rooms.last else { return removed }
            last = end
        }
    }

    private func rooms(after room: RoomNumber) async throws -> [RoomNumber] {
        let all = store.lifetimes.coversEveryRoom
        return try await store.read { reader in
            if all { return try reader.retention.rooms(after: room, limit: Self.roomsAtOnce) }
            return try reader.retention.wishes(after: room, limit: Self.roomsAtOnce).map(\.room)
        }
    }

    private func purgePage(_ room: RoomNumber) async throws -> Int {
        guard let horizon = store.lifetimes.horizon(of: room) else { return 0 }
        let numbers = try await store.read {
            try $0.retention.outlived(in: room, before: horizon, limit: Self.eventsAtOnce)
        }
        guard !numbers.isEmpty else { return 0 }
        return try await store.write { writer in
            // What has changed since it was looked up is looked up again.
            let still = Set(
                try writer.read.retention.outlived(in: room, before: horizon, limit: Self.eventsAtOnce))
            for number in numbers where still.contains(number) {
                guard let event = try writer.read.events.event(number) else { continue }
                try writer.retention.purge(event, to: try event.event.redacted())
            }
            return numbers.count
        }
    }
}
