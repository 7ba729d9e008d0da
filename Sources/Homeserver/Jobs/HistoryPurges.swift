import Matrix
import RoomEngine
import Store
import Synchronization

/// Removes the history of rooms before a moment, as administrators ask: from then on this server knows of it what one knows that came into the
/// room at that moment, and asks other servers for it as such a one does. Messages of its own users are kept outside of the timeline,
/// unless they are to go too: nobody else may have them.
public struct HistoryPurges: JobWorker {
    /// Up to where something is removed.
    public enum Moment: Sendable {
        /// What was said before an event.
        case event(EventID)
        /// What came before a time in milliseconds since 1970.
        case time(Int64)
    }

    private let rooms: RoomService
    private let breathMilliseconds: Int64

    private var store: Store { rooms.store }

    private static let eventsAtOnce = 50
    private static let maximumDepth: Int64 = 9_007_199_254_740_991

    /// - Parameters:
    ///   - rooms: Rooms.
    ///   - breathMilliseconds: What is left to others after each transaction.
    public init(rooms: RoomService, breathMilliseconds: Int64 = 50) {
        self.rooms = rooms
        self.breathMilliseconds = breathMilliseconds
    }

    /// The kind.
    public var kind: JobKind { .historyPurge }

    /// What is to be kept for the worker of what an administrator asks.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - moment: Up to where.
    ///   - includesLocal: Whether messages of users of this server go too.
    /// - Returns: The input: `before`, a place in the timeline, and `above`, the depth of the graph there.
    /// - Throws: 404 `M_NOT_FOUND` if there is no such room or event, or nothing came since the moment; 400 `M_UNKNOWN` if the event is of
    ///   another room, or in no timeline.
    public func input(_ room: RoomID, upTo moment: Moment, includesLocal: Bool) async throws -> JSONValue {
        let number = try await rooms.number(of: room)
        let place: (position: StreamPosition, depth: Int64)
        switch moment {
        case .event(let id):
            guard let event = try await store.event(id) else { throw MatrixError.notFound("There is no such event") }
            guard event.room == number else { throw MatrixError(400, .unknown, "The event is of another room") }
            guard let position = event.position else {
                throw MatrixError(400, .unknown, "The event is not part of what was said in the room")
            }
            place = (position, event.event.depth)
        case .time(let time):
            let found = try await store.read { reader in
                try reader.history.place(of: number, after: time)
                    ?? reader.rooms.position(of: number).map { ($0, Self.maximumDepth) }
            }
            guard let found else { throw MatrixError.notFound("There is nothing to be removed") }
            place = found
        }
        return [
            "before": .integer(place.position.rawValue), "above": .integer(place.depth),
            "delete_local_events": .bool(includesLocal),
        ]
    }

    /// Removes it.
    public func work(on job: JobRecord, _ progress: JobProgress) async throws -> JSONValue {
        guard let room = RoomID(job.subject), let before = job.input["before"]?.int else {
            throw MatrixError(400, .unknown, "This is no room")
        }
        let number = try await rooms.number(of: room)
        let isLocalToo = job.input["delete_local_events"]?.bool == true
        var removed = job.result["removed_events"]?.int ?? 0
        var place = StreamPosition(.min)
        while true {
            let after = place
            let kept = isLocalToo ? nil : rooms.serverName
            let last = try await removePage(of: number, keepingMessagesOf: kept, &removed, progress) { reader in
                let found = try reader.history.removable(
                    in: number, after: after, before: StreamPosition(before), limit: Self.eventsAtOnce)
                return (found.map(\.event), found.last?.position)
            }
            guard let last else { break }
            place = last
        }
        guard isLocalToo, let depth = job.input["above"]?.int else { return ["removed_events": .integer(removed)] }
        // What was kept when it was not asked for.
        var last = EventNumber(.min)
        while true {
            let after = last
            let end = try await removePage(of: number, keepingMessagesOf: nil, &removed, progress) { reader in
                let found = try reader.history.keptMessages(
                    in: number, above: depth, after: after, limit: Self.eventsAtOnce)
                return (found, found.last)
            }
            guard let end else { return ["removed_events": .integer(removed)] }
            last = end
        }
    }

    /// Removes a few events in one transaction, while nothing else happens in the room.
    ///
    /// - Parameter find: Which ones, the oldest first, and where the next ones begin.
    /// - Returns: Where the next ones begin; `nil` if there were none.
    private func removePage<Place: Sendable>(
        of room: RoomNumber, keepingMessagesOf server: ServerName?, _ removed: inout Int64, _ progress: JobProgress,
        _ find: @escaping @Sendable (StoreReader) throws -> ([EventNumber], Place?)
    ) async throws -> Place? {
        try Task.checkCancellation()
        let outcome = Mutex<(count: Int, last: Place?)>((0, nil))
        try await rooms.lane(room).perform(isAlone: true, { _ in }) { writer, _ in
            let (events, last) = try find(writer.read)
            try writer.history.remove(events, keepingMessagesOf: server)
            outcome.withLock { $0 = (events.count, last) }
        }
        let (count, last) = outcome.withLock { $0 }
        guard let last else { return nil }
        removed += Int64(count)
        try await progress.report(["removed_events": .integer(removed)])
        try await Task.sleep(for: .milliseconds(breathMilliseconds))
        return last
    }
}
