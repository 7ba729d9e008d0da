import Homeserver
import Web

extension Router {
    /// Serves what other servers ask when their users enter and leave rooms, and when they invite users of this server.
    public func addFederatedMembershipRoutes(rooms: RoomService, in environment: EndpointEnvironment) {
        add(MakeJoin(rooms: rooms), in: environment)
        add(SendJoin(rooms: rooms), in: environment)
        add(SendJoinFirstVersion(rooms: rooms), in: environment)
        add(MakeLeave(rooms: rooms), in: environment)
        add(SendLeave(rooms: rooms), in: environment)
        add(SendLeaveFirstVersion(rooms: rooms), in: environment)
        add(MakeKnock(rooms: rooms), in: environment)
        add(SendKnock(rooms: rooms), in: environment)
        add(Invite(rooms: rooms, limiter: environment.rateLimiter), in: environment)
        add(InviteFirstVersion(rooms: rooms, limiter: environment.rateLimiter), in: environment)
    }
}
