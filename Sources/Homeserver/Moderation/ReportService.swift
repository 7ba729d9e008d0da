import Matrix
import Store

/// Takes what users report for those who moderate.
///
/// [Reporting content](https://spec.matrix.org/v1.19/client-server-api/#reporting-content)
public struct ReportService: Sendable {
    private let rooms: RoomService
    private let clock: any Clock

    private var store: Store { rooms.store }

    private static let maximumReasonBytes = 16_384
    /// Reports of one user that are kept in a day: more than anybody needs, and fewer than would drown those of others.
    private static let maximumADay = 200
    private static let dayMilliseconds: Int64 = 86_400_000

    /// A service.
    public init(rooms: RoomService, clock: any Clock) {
        self.rooms = rooms
        self.clock = clock
    }

    /// Reports a room, which the user need not be in.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if this server does not know it.
    public func report(_ room: RoomID, reason: String, by user: Requester) async throws {
        _ = try await rooms.number(of: room)
        try await add(.room(room), reason: reason, score: nil, by: user)
    }

    /// Reports an event of a room that the user is in.
    ///
    /// - Parameter score: How bad it is, as older clients say: from -100 to 0.
    /// - Throws: 404 `M_NOT_FOUND` if the user is not in the room, or may not see the event.
    public func report(
        _ event: EventID, in room: RoomID, reason: String, score: Int64?, by user: Requester
    ) async throws {
        let number = try await rooms.number(of: room)
        let record = try await store.read { try $0.memberships.membership(of: user.number, in: number) }
        guard record?.membership == .join else {
            throw MatrixError.notFound("There is no such event, or you are not in the room")
        }
        let found = try await rooms.event(event, in: room, by: user)
        try await add(.event(event, room, sender: found.event.sender), reason: reason, score: score, by: user)
    }

    /// Reports a user. Whether there is one of that name at all is not told.
    public func report(_ reported: UserID, reason: String, by user: Requester) async throws {
        guard try await store.number(of: reported) != nil else { return }
        try await add(.user(reported), reason: reason, score: nil, by: user)
    }

    private func add(_ subject: Report.Subject, reason: String, score: Int64?, by user: Requester) async throws {
        guard reason.utf8.count <= Self.maximumReasonBytes else {
            throw MatrixError.invalidParameter("reason may have \(Self.maximumReasonBytes) bytes at most")
        }
        let now = clock.now
        try await store.write { writer in
            let today = try writer.read.reports.count(by: user.number, since: now - Self.dayMilliseconds)
            guard today < Self.maximumADay else {
                throw MatrixError.limitExceeded(retryAfterMilliseconds: Self.dayMilliseconds)
            }
            try writer.reports.add(subject, by: user.number, reason: reason, score: score, received: now)
        }
    }
}
