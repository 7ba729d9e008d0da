import Matrix
import RoomEngine
import Store

/// Redacts what a user has said, as administrators ask.
public struct UserRedactions: JobWorker {
    /// What is to be redacted.
    public struct Wish: Sendable {
        /// In which rooms; where there are none, in all that the user is in or banned from.
        public var rooms: [RoomID]
        /// Who redacts; `nil`: the user, who must be one of this server.
        public var redactor: UserID?
        /// Why, for everybody to read.
        public var reason: String?
        /// How many of the user's last events are looked at in each room.
        public var limit: Int
        /// Only what is not older, in milliseconds since 1970.
        public var after: Int64?
        /// Only what is not newer, in milliseconds since 1970.
        public var before: Int64?

        /// A wish.
        public init(
            rooms: [RoomID], redactor: UserID?, reason: String?, limit: Int, after: Int64?, before: Int64?
        ) {
            self.rooms = rooms
            self.redactor = redactor
            self.reason = reason
            self.limit = limit
            self.after = after
            self.before = before
        }
    }

    private let rooms: RoomService
    private var store: Store { rooms.store }

    private static let pageSize = 500
    private static let reportsEvery = 20
    private static let maximumFailures = 1_000
    private static let types: Set<EventType> = [.message, .encrypted, .member]

    /// - Parameter rooms: Rooms.
    public init(rooms: RoomService) { self.rooms = rooms }

    /// The kind.
    public var kind: JobKind { .userRedaction }

    /// Nothing so far, as Synapse's tools read it.
    public static let nothing: JSONValue = ["failed_redactions": [:], "redacted": 0]

    /// What is to be kept for the worker of what an administrator asks.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if this server does not know one of the rooms, or the user.
    public func input(_ wish: Wish, of user: UserID) async throws -> JSONValue {
        guard let number = try await store.number(of: user) else {
            throw MatrixError.notFound("This server does not know that user")
        }
        var named = wish.rooms
        for room in named { _ = try await rooms.number(of: room) }
        if named.isEmpty {
            named = try await store.read { reader in
                try reader.memberships.rooms(of: number).filter { $0.membership == .join || $0.membership == .ban }
                    .map { try reader.identifiers.room($0.room) }
            }
        }
        var json: JSONValue = [
            "rooms": .array(named.map { .string($0.string) }), "limit": .integer(Int64(wish.limit)),
        ]
        if let redactor = wish.redactor { json["redactor"] = .string(redactor.string) }
        if let reason = wish.reason { json["reason"] = .string(reason) }
        if let after = wish.after { json["after_ts"] = .integer(after) }
        if let before = wish.before { json["before_ts"] = .integer(before) }
        return json
    }

    /// Redacts it. What has been redacted before is passed over.
    public func work(on job: JobRecord, _ progress: JobProgress) async throws -> JSONValue {
        guard let user = UserID(job.subject), let number = try await store.number(of: user) else {
            throw MatrixError(400, .unknown, "There is no such user")
        }
        let redactor = job.input["redactor"]?.string.flatMap { UserID($0) } ?? user
        let requester = Requester(id: redactor, number: try await store.intern(redactor))
        let reason = job.input["reason"]?.string
        let content: JSONValue = reason.map { ["reason": .string($0)] } ?? [:]
        var done = job.result["redacted"]?.int ?? 0
        var failed = JSONValue.object([:])
        var failures = 0
        func result() -> JSONValue { ["failed_redactions": failed, "redacted": .integer(done)] }
        for name in job.input["rooms"]?.elements.map({ $0.string ?? "" }) ?? [] {
            guard let room = RoomID(name), let roomNumber = try await store.number(of: room) else { continue }
            for event in try await events(of: number, in: roomNumber, job.input) {
                try Task.checkCancellation()
                do {
                    _ = try await rooms.redact(
                        event.event.eventID, content: content.json, transactionID: nil, in: room, by: requester)
                    done += 1
                } catch let error as MatrixError where error.status < 500 {
                    failures += 1
                    if failures <= Self.maximumFailures {
                        failed[event.event.eventID.string] = .string(error.message)
                    }
                }
                if (done + Int64(failures)) % Int64(Self.reportsEvery) == 0 { try await progress.report(result()) }
            }
        }
        return result()
    }

    /// What a user has said last in a room, that has not been redacted.
    private func events(
        of user: UserNumber, in room: RoomNumber, _ input: JSON
    ) async throws -> [StoredEvent] {
        let limit = input["limit"]?.int ?? 0
        let (earliest, latest) = (input["after_ts"]?.int ?? .min, input["before_ts"]?.int ?? .max)
        var found: [StoredEvent] = []
        var looked: Int64 = 0
        var place = StreamPosition(.max)
        while true {
            try Task.checkCancellation()
            let before = place
            let page = try await store.read { reader in
                try reader.history.senders(in: room, before: before, limit: Self.pageSize)
            }
            let theirs = page.filter { $0.sender == user }.map(\.event)
            let events = try await store.events(theirs)
            for event in theirs.compactMap({ events[$0] }) where isWanted(event, earliest...max(earliest, latest)) {
                looked += 1
                if event.redactedBy == nil { found.append(event) }
                if looked >= limit { return found }
            }
            guard page.count == Self.pageSize, let last = page.last else { return found }
            place = last.position
        }
    }

    private func isWanted(_ event: StoredEvent, _ times: ClosedRange<Int64>) -> Bool {
        guard Self.types.contains(event.event.type), times.contains(event.event.originServerTS) else { return false }
        // Of memberships those that show a name and a picture.
        return event.event.type != .member || Membership(of: event.event) == .join
    }
}
