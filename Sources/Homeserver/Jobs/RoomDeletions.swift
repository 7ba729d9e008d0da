import Matrix
import RoomEngine
import Store

/// Takes all users of this server out of rooms, as administrators ask, and removes the rooms if they want that.
///
/// A room is removed in three steps. Its users leave, as if they had asked for it themselves, so that their clients and other servers hear of
/// it. Then, in one transaction, this server knows the room no more: whoever asks for it is told so. What there still is of it goes in
/// small transactions, so that nobody waits long for them. A stop of the server breaks off any of this, and the next start goes on.
public struct RoomDeletions: JobWorker {
    /// What is to be done with a room.
    public struct Options: Sendable, Hashable {
        /// Whether it is removed.
        public var isPurged: Bool
        /// Whether it is removed even if some users cannot be taken out.
        public var isForced: Bool
        /// Where its users come instead, if anywhere.
        public var successor: RoomSuccessor?

        /// Options.
        public init(isPurged: Bool, isForced: Bool = false, successor: RoomSuccessor? = nil) {
            self.isPurged = isPurged
            self.isForced = isForced
            self.successor = successor
        }

        init(_ json: JSON) {
            self.init(
                isPurged: json["purge"]?.bool ?? false, isForced: json["force_purge"]?.bool ?? false,
                successor: RoomSuccessor(json["successor"]))
        }

        /// As they are kept.
        public var json: JSONValue {
            var json: JSONValue = ["purge": .bool(isPurged), "force_purge": .bool(isForced)]
            json["successor"] = successor?.json
            return json
        }
    }

    private let rooms: RoomService
    private let randomness: any Randomness
    /// What is left to those who have left, so that their clients hear of it, and to others after each transaction.
    private let graceMilliseconds: Int64
    private let breathMilliseconds: Int64

    private static let reportsEvery = 20
    private static let maximumRounds = 5
    private static let maximumListed = 10_000

    /// - Parameters:
    ///   - rooms: Rooms.
    ///   - randomness: What a room is called while it goes.
    ///   - graceMilliseconds: How long those who have left have to hear of it before the room is removed.
    ///   - breathMilliseconds: What is left to others after each transaction.
    public init(
        rooms: RoomService, randomness: any Randomness, graceMilliseconds: Int64 = 1_000, breathMilliseconds: Int64 = 20
    ) {
        self.rooms = rooms
        self.randomness = randomness
        self.graceMilliseconds = graceMilliseconds
        self.breathMilliseconds = breathMilliseconds
    }

    /// The kind.
    public var kind: JobKind { .roomDeletion }

    /// Nothing so far, as Synapse's tools read it.
    public static let nothing: JSONValue = [
        "kicked_users": [], "failed_to_kick_users": [], "local_aliases": [], "new_room_id": .null,
    ]

    /// Empties the room, and removes it if that was asked for.
    public func work(on job: JobRecord, _ progress: JobProgress) async throws -> JSONValue {
        guard let room = RoomID(job.subject) else { throw MatrixError(400, .unknown, "This is no room") }
        let options = Options(job.input)
        var outcome = Outcome(job.result)
        if try await purge(of: room) == nil {
            guard try await rooms.store.number(of: room) != nil else { return outcome.json }
            if let successor = options.successor {
                if outcome.successor == nil { outcome.successor = try await successor.make(rooms) }
                try await progress.report(outcome.json)
            }
            try await empty(room, &outcome, progress)
            if let successor = outcome.successor {
                let aliases = try await RoomSuccessor.moveAliases(from: room, to: successor, rooms)
                outcome.aliases += aliases.map { .string($0.string) }
            }
            guard options.isPurged else { return outcome.json }
            try await begin(room, options, &outcome, progress)
        }
        try await remove(room, &outcome, progress)
        return outcome.json
    }

    // MARK: Its users

    private struct Outcome {
        var left: [JSONValue]
        var remaining: [JSONValue]
        var aliases: [JSONValue]
        var successor: RoomID?
        var events: Int64?
        var removed: Int64 = 0

        init(_ result: JSON) {
            left = result["kicked_users"]?.elements.map(\.value) ?? []
            remaining = result["failed_to_kick_users"]?.elements.map(\.value) ?? []
            aliases = result["local_aliases"]?.elements.map(\.value) ?? []
            successor = result["new_room_id"]?.string.flatMap { RoomID($0) }
        }

        var json: JSONValue {
            var json = RoomDeletions.nothing
            json["kicked_users"] = .array(left)
            json["failed_to_kick_users"] = .array(remaining)
            json["local_aliases"] = .array(aliases)
            if let successor { json["new_room_id"] = .string(successor.string) }
            if let events {
                json["events"] = .integer(events)
                json["removed_events"] = .integer(removed)
            }
            return json
        }
    }

    private func empty(_ room: RoomID, _ outcome: inout Outcome, _ progress: JobProgress) async throws {
        let number = try await rooms.number(of: room)
        let server = rooms.serverName
        let users = try await rooms.store.read { reader in
            try [Membership.join, .invite, .knock].flatMap { membership in
                try reader.memberships.users(in: number, membership)
                    .map { (user: Requester(id: try reader.identifiers.user($0), number: $0), membership) }
                    .filter { $0.user.id.isLocal(to: server) }
            }
        }
        outcome.remaining = []
        // The list of those who have left is written anew each time.
        let reportsEvery = max(Self.reportsEvery, users.count / 20)
        for (index, (user, membership)) in users.enumerated() {
            try Task.checkCancellation()
            // First, since who has left is not looked for again after a stop of the server. Who cannot come there leaves all the same.
            if membership == .join, let successor = outcome.successor {
                do { try await rooms.join(successor, by: user) } catch is MatrixError {}
            }
            do {
                try await rooms.leave(room, by: user)
                try await rooms.forget(room, by: user)
                if outcome.left.count < Self.maximumListed { outcome.left.append(.string(user.id.string)) }
            } catch is MatrixError {
                if outcome.remaining.count < Self.maximumListed { outcome.remaining.append(.string(user.id.string)) }
            }
            if (index + 1) % reportsEvery == 0 { try await progress.report(outcome.json) }
        }
        try await progress.report(outcome.json)
    }

    // MARK: Removing it

    private func purge(of room: RoomID) async throws -> RoomPurge? {
        try await rooms.store.read { try $0.roomPurges.purge(of: room) }
    }

    private func begin(
        _ room: RoomID, _ options: Options, _ outcome: inout Outcome, _ progress: JobProgress
    ) async throws {
        let number = try await rooms.number(of: room)
        for _ in 1...Self.maximumRounds {
            if !outcome.remaining.isEmpty, !options.isForced {
                throw MatrixError(
                    400, .unknown,
                    "\(outcome.remaining.count) users could not be taken out: force_purge removes the room all the same"
                )
            }
            if !outcome.left.isEmpty { try await Task.sleep(for: .milliseconds(graceMilliseconds)) }
            if try await leaveBehind(number, options) { return rooms.forgetLane(number) }
            // Somebody has come in meanwhile.
            try await empty(room, &outcome, progress)
        }
        throw MatrixError(400, .unknown, "Users keep coming into the room: close it too, or use force_purge")
    }

    /// Makes the room one that this server does not know.
    ///
    /// - Returns: Whether it is: not, if users of this server are in it again.
    private func leaveBehind(_ number: RoomNumber, _ options: Options) async throws -> Bool {
        while rooms.isEntering(number) {
            // Somebody is coming in through another server, and could not be taken out yet.
            try await Task.sleep(for: .milliseconds(graceMilliseconds))
        }
        let (server, name) = (rooms.serverName, RoomID(trusted: "!\(randomness.text(32))"))
        let events = try await rooms.store.read { try $0.roomPurges.eventCount(of: number) }
        return try await rooms.store.write { writer in
            try writer.roomPurges.begin(number, as: name, of: server, events: events, evenIfJoined: options.isForced)
        }
    }

    private func remove(_ room: RoomID, _ outcome: inout Outcome, _ progress: JobProgress) async throws {
        guard var purge = try await purge(of: room) else { return }
        outcome.events = purge.events
        var reported = purge
        while true {
            try Task.checkCancellation()
            let current = purge
            let next = try await rooms.store.write { try $0.roomPurges.advance(current) }
            outcome.removed = next?.removed ?? outcome.removed
            guard let next else { break }
            purge = next
            if purge.step != reported.step || purge.removed - reported.removed >= 1_000 {
                reported = purge
                try await progress.report(outcome.json)
            }
            try await Task.sleep(for: .milliseconds(breathMilliseconds))
        }
        outcome.removed = purge.removed
        rooms.forgetLane(purge.number)
    }
}
