import Matrix
import Store
import Synchronization

/// Takes all users of this server out of rooms, as administrators ask, and tells how far that is. What is under way is in memory: after a
/// stop of the server it is to be asked for again, which goes on where it ended.
public final class RoomShutdowns: Sendable {
    /// What became of a room's users.
    public struct Outcome: Sendable {
        /// Who was taken out.
        public var left: [UserID] = []
        /// Who could not be.
        public var remaining: [UserID] = []

        /// Nobody so far.
        public init() {}
    }

    /// How far it is.
    public enum Status: String, Sendable {
        /// It goes on.
        case active
        /// It is done.
        case complete
        /// It broke off.
        case failed
    }

    /// A room that is or was emptied.
    public struct Job: Sendable {
        /// Its name.
        public let id: String
        /// The room.
        public let room: RoomID
        /// How far it is.
        public fileprivate(set) var status = Status.active
        /// What has become of the users so far.
        public fileprivate(set) var outcome = Outcome()
    }

    private let rooms: RoomService
    private let randomness: any Randomness
    /// Oldest first.
    private let jobs = Mutex<[Job]>([])

    /// The most jobs that are remembered.
    private static let remembered = 1_000

    /// - Parameters:
    ///   - rooms: Rooms.
    ///   - randomness: What names are made of.
    public init(rooms: RoomService, randomness: any Randomness) {
        self.rooms = rooms
        self.randomness = randomness
    }

    /// Takes all users of this server out of a room, who forget it; invitations are declined.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - progress: Told what has become of the users so far.
    /// - Throws: 404 `M_NOT_FOUND`.
    public func empty(
        _ room: RoomID, progress: @Sendable (Outcome) -> Void = { _ in }
    ) async throws -> Outcome {
        let number = try await rooms.number(of: room)
        let server = rooms.serverName
        let users = try await rooms.store.read { reader -> [Requester] in
            try [Membership.join, .invite, .knock].flatMap { try reader.memberships.users(in: number, $0) }
                .map { Requester(id: try reader.identifiers.user($0), number: $0) }
                .filter { $0.id.isLocal(to: server) }
        }
        var outcome = Outcome()
        for user in users {
            do {
                try await rooms.leave(room, by: user)
                try await rooms.forget(room, by: user)
                outcome.left.append(user.id)
            } catch is MatrixError {
                outcome.remaining.append(user.id)
            }
            progress(outcome)
        }
        return outcome
    }

    /// Begins to do that, and goes on while nobody waits.
    ///
    /// - Returns: Its name.
    /// - Throws: 404 `M_NOT_FOUND`; 400 if it is being done already; 429 if too much is.
    public func start(_ room: RoomID) async throws -> String {
        _ = try await rooms.number(of: room)
        let id = randomness.text(24)
        try jobs.withLock { jobs in
            if jobs.contains(where: { $0.room == room && $0.status == .active }) {
                throw MatrixError(400, .unknown, "This room is being emptied already")
            }
            if jobs.count >= Self.remembered {
                guard let oldest = jobs.firstIndex(where: { $0.status != .active }) else {
                    throw MatrixError.limitExceeded(retryAfterMilliseconds: 60_000)
                }
                jobs.remove(at: oldest)
            }
            jobs.append(Job(id: id, room: room))
        }
        Task.detached { [self] in
            do {
                let outcome = try await empty(room) { outcome in self.update(id) { $0.outcome = outcome } }
                update(id) {
                    $0.outcome = outcome
                    $0.status = .complete
                }
            } catch {
                update(id) { $0.status = .failed }
            }
        }
        return id
    }

    /// The job of that name, or `nil`.
    public func job(_ id: String) -> Job? {
        jobs.withLock { $0.first { ExactString($0.id) == ExactString(id) } }
    }

    /// The jobs of a room, oldest first.
    public func jobs(of room: RoomID) -> [Job] { jobs.withLock { $0.filter { $0.room == room } } }

    private func update(_ id: String, _ change: (inout Job) -> Void) {
        jobs.withLock { jobs in
            guard let place = jobs.firstIndex(where: { ExactString($0.id) == ExactString(id) }) else { return }
            change(&jobs[place])
        }
    }
}
