import Matrix
import Store
import Synchronization

/// A room's call, as somebody in the room is told of it.
public struct CurrentCall: Sendable {
    /// What Matrix calls it.
    public let callID: String
    /// At which service.
    public let service: String
    /// Where people go.
    public let url: String
    /// What the service calls the meeting.
    public let meetingID: String
    /// Whom the service lets in.
    public let accessLevel: String
    /// Who started it.
    public let startedBy: UserID
    /// When, in milliseconds since 1970.
    public let startedTS: Int64
    /// How many are there, as far as the service tells it.
    public let participants: Int
    /// The events that announced it, by what they are.
    public let events: JSON
    /// What lets this user in, where that is needed.
    public let token: String?
}

extension CallService {
    /// A room's call at a service.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if there is none; 403 for who is not in the room.
    public func call(of room: RoomID, service: String?, for user: Requester) async throws -> CurrentCall {
        let conference = try conference(service)
        let number = try await rooms.number(of: room)
        guard try await rooms.view(number).membership(of: user.id) == .join else {
            throw MatrixError.forbidden("You are not in this room")
        }
        guard let meeting = try await underWay(number, conference) else {
            throw MatrixError.notFound("There is no call in this room")
        }
        return try await current(meeting, conference, for: user)
    }

    /// A room's call, for an administrator; `nil` if there is none.
    public func call(of room: RoomID, service: String?) async throws -> CurrentCall? {
        let conference = try conference(service)
        guard let meeting = try await underWay(try await rooms.number(of: room), conference) else { return nil }
        return try await current(meeting, conference, for: nil)
    }

    func current(_ meeting: Meeting, _ conference: Conference, for user: Requester?) async throws -> CurrentCall {
        guard let name = meeting.meetingID, let url = meeting.url, let starter = meeting.startedBy,
            let since = meeting.startedTS
        else { throw MatrixError.internalError }
        let count = try await store.read { reader in
            try reader.meetings.participants(of: meeting.room, at: conference.name).count
        }
        var token: String?
        if let user, case .jitsi(let access?) = conference.kind {
            token = try await jitsiToken(access, meeting: name, room: meeting.room, for: user)
        }
        return CurrentCall(
            callID: meeting.callID, service: conference.name, url: url, meetingID: name,
            accessLevel: meeting.accessLevel, startedBy: try await store.user(starter), startedTS: since,
            participants: count, events: (try? JSON(parsing: meeting.events ?? "{}")) ?? JSON.emptyObject,
            token: token)
    }

    /// What lets a user into a protected Jitsi.
    ///
    /// [Jitsi's tokens](https://github.com/jitsi/lib-jitsi-meet/blob/master/doc/tokens.md)
    private func jitsiToken(
        _ access: Conference.JitsiAccess, meeting: String, room: RoomNumber, for user: Requester
    ) async throws -> String {
        let now = clock.now / 1_000
        let levels = try await rooms.view(room).powerLevels
        let moderates = levels.map { $0.level(of: user.id) >= .level(50) } ?? false
        let name = try await rooms.profiles.memberProfile(of: user.id).displayName ?? user.id.string
        return try await tokens.sign(
            [
                "iss": .string(access.appID), "aud": .string(access.audience), "sub": .string(access.subject),
                "room": .string(meeting), "nbf": .integer(now - 5), "iat": .integer(now),
                "exp": .integer(now + access.lifetimeSeconds),
                "context": [
                    "user": [
                        "id": .string(user.id.string), "name": .string(name),
                        "affiliation": moderates ? "owner" : "member",
                        "moderator": .bool(moderates),
                    ]
                ],
            ], secret: access.secret)
    }
}

/// Something that happens once.
final class Flag: Sendable {
    private let state = Mutex(false)
    var isSet: Bool { state.withLock { $0 } }
    func set() { state.withLock { $0 = true } }
}

/// Ends calls that take too long. Made before the service that ends them.
final class LateCalls: Sendable {
    private struct Holder { weak var service: CallService? }
    private let holder = Mutex(Holder())

    var service: CallService? {
        get { holder.withLock { $0.service } }
        set { holder.withLock { $0.service = newValue } }
    }

    func end() async throws { try await service?.endLate() }
}
