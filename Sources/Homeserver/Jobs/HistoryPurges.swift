import Matrix
import RoomEngine
import Store

/// Removes what was said in rooms before a moment, as administrators ask: as retention does, which leaves of each message what the graph needs.
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
    /// - Throws: 404 `M_NOT_FOUND` if there is no such room or event, or nothing came since the moment; 400 `M_UNKNOWN` if the event is of
    ///   another room, or in no timeline.
    public func input(_ room: RoomID, upTo moment: Moment, includesLocal: Bool) async throws -> JSONValue {
        let number = try await rooms.number(of: room)
        let place: StreamPosition
        switch moment {
        case .event(let id):
            guard let event = try await store.event(id) else { throw MatrixError.notFound("There is no such event") }
            guard event.room == number else { throw MatrixError(400, .unknown, "The event is of another room") }
            guard let position = event.position else {
                throw MatrixError(400, .unknown, "The event is not part of what was said in the room")
            }
            place = position
        case .time(let time):
            let found = try await store.read { reader in
                try reader.history.place(of: number, after: time) ?? reader.rooms.position(of: number)
            }
            guard let found else { throw MatrixError.notFound("There is nothing to be removed") }
            place = found
        }
        return ["before": .integer(place.rawValue), "delete_local_events": .bool(includesLocal)]
    }

    /// Removes it.
    public func work(on job: JobRecord, _ progress: JobProgress) async throws -> JSONValue {
        guard let room = RoomID(job.subject), let before = job.input["before"]?.int else {
            throw MatrixError(400, .unknown, "This is no room")
        }
        let number = try await rooms.number(of: room)
        let exception = job.input["delete_local_events"]?.bool == true ? nil : rooms.serverName
        var removed = job.result["removed_events"]?.int ?? 0
        var place = StreamPosition(.min)
        while true {
            try Task.checkCancellation()
            let after = place
            let found = try await store.read { reader in
                try reader.history.removable(
                    in: number, after: after, before: StreamPosition(before), exceptOf: exception,
                    limit: Self.eventsAtOnce)
            }
            guard let last = found.last else { return ["removed_events": .integer(removed)] }
            removed += try await store.write { writer in
                // What has changed since it was looked up is looked up again.
                let still = try writer.read.history.removable(
                    in: number, after: after, before: StreamPosition(before), exceptOf: exception,
                    limit: Self.eventsAtOnce)
                for (event, _) in still {
                    guard let event = try writer.read.events.event(event) else { continue }
                    try writer.retention.purge(event, to: try event.event.redacted())
                }
                return Int64(still.count)
            }
            place = last.position
            try await progress.report(["removed_events": .integer(removed)])
            try await Task.sleep(for: .milliseconds(breathMilliseconds))
        }
    }
}
