import Matrix

/// Which rooms guests may enter.
///
/// [Guest access](https://spec.matrix.org/v1.19/client-server-api/#guest-access)
public struct GuestAccess: Sendable {
    private static let patienceMilliseconds: Int64 = 10_000
    /// Servers that are asked about a room before giving up.
    private static let maximumServers = 3

    private let spaces: SpaceHierarchy

    /// - Parameter spaces: Knows what is told of rooms, here and elsewhere.
    public init(spaces: SpaceHierarchy) { self.spaces = spaces }

    /// Checks that guests may enter a room. Of one that this server is not in, others are asked: a guest whom the room does not admit would
    /// be in it by the time that its state is known here.
    ///
    /// - Parameters:
    ///   - via: Servers that may be in it.
    ///   - guest: Who wants to enter.
    /// - Throws: 403 `M_GUEST_ACCESS_FORBIDDEN`, also if nobody says what the room allows.
    public func check(_ room: RoomID, via: [ServerName], for guest: Requester) async throws {
        guard try await admitsGuests(room, via: via, guest) else {
            throw MatrixError(403, .guestAccessForbidden, "Guests may not enter this room")
        }
    }

    private func admitsGuests(_ room: RoomID, via: [ServerName], _ guest: Requester) async throws -> Bool {
        if try await !spaces.rooms.mustBeEnteredRemotely(room) {
            return try await spaces.localSummary(of: room)?.summary.guestCanJoin ?? false
        }
        guard let remote = spaces.remote else { return false }
        let servers = try await spaces.rooms.helpers(via, room: room, user: guest).prefix(Self.maximumServers)
        let answer = await spaces.scheduler.within(milliseconds: Self.patienceMilliseconds) {
            for server in servers {
                if let body = try? await remote.hierarchy(of: room, suggestedOnly: true, at: server),
                    let summary = body["room"].flatMap({ SpaceRoom($0) }), summary.room == room
                {
                    return summary.guestCanJoin
                }
            }
            return false
        }
        return answer ?? false
    }
}
