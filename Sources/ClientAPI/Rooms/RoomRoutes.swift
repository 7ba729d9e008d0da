import Homeserver
import Store
import Web

/// What the endpoints of rooms need.
public struct RoomEndpoints: Sendable {
    let rooms: RoomService
    let rendering: EventWriting
    let delayed: DelayedEventService
    let appServices: AppServices
    let invitations: AddressInvitations
    let guests: GuestAccess
    let reads: ReadLog?

    /// - Parameters:
    ///   - rooms: The rooms.
    ///   - delayed: Events that are sent later.
    ///   - store: The store.
    ///   - clock: Tells the time.
    ///   - invitations: Invites by address.
    ///   - guests: Knows which rooms they may enter.
    ///   - appServices: Services that may have aliases for themselves.
    ///   - reads: Notes what is read; `nil` where that is not noted.
    public init(
        rooms: RoomService, delayed: DelayedEventService, store: Store, clock: any Clock,
        invitations: AddressInvitations, guests: GuestAccess, appServices: AppServices = .none,
        reads: ReadLog? = nil
    ) {
        self.rooms = rooms
        self.delayed = delayed
        self.appServices = appServices
        self.invitations = invitations
        self.guests = guests
        self.reads = reads
        rendering = EventWriting(store: store, clock: clock)
    }

    /// Adds the endpoints that create, enter, leave, change and read rooms.
    public func register(on router: Router, in environment: EndpointEnvironment) {
        let limiter = environment.rateLimiter
        router.add(
            CreateRoom(rooms: rooms, appServices: appServices, invitations: invitations, limiter: limiter),
            in: environment)
        router.add(UpgradeRoom(rooms: rooms), in: environment)
        router.add(GetJoinedRooms(rooms: rooms), in: environment)
        router.add(GetMutualRooms(rooms: rooms), in: environment)

        router.add(JoinRoom(rooms: rooms, guests: guests, limiter: limiter, reads: reads), in: environment)
        router.add(KnockOnRoom(rooms: rooms), in: environment)
        router.add(InviteUser(rooms: rooms, invitations: invitations, limiter: limiter), in: environment)
        router.add(LeaveRoom(rooms: rooms), in: environment)
        router.add(ForgetRoom(rooms: rooms), in: environment)
        router.add(KickUser(rooms: rooms), in: environment)
        router.add(BanUser(rooms: rooms), in: environment)
        router.add(UnbanUser(rooms: rooms), in: environment)

        router.add(SendEvent(rooms: rooms, delayed: delayed), in: environment)
        router.add(RedactEvent(rooms: rooms), in: environment)
        router.add(
            SetState(rooms: rooms, guests: guests, delayed: delayed, limiter: limiter, reads: reads), in: environment)
        router.add(GetStateEvent(rooms: rooms, rendering: rendering), in: environment)
        router.add(GetState(rooms: rooms, rendering: rendering), in: environment)
        router.add(GetMembers(rooms: rooms, rendering: rendering), in: environment)
        router.add(GetJoinedMembers(rooms: rooms), in: environment)
        router.add(GetEvent(rooms: rooms, rendering: rendering, reads: reads), in: environment)
        router.add(GetMessages(rooms: rooms, rendering: rendering, reads: reads), in: environment)
        router.add(GetContext(rooms: rooms, rendering: rendering, reads: reads), in: environment)
        router.add(GetRelations(rooms: rooms, rendering: rendering, reads: reads), in: environment)
        router.add(GetThreads(rooms: rooms, rendering: rendering, reads: reads), in: environment)
        router.add(GetThreadSubscription(rooms: rooms), in: environment)
        router.add(SetThreadSubscription(rooms: rooms), in: environment)
        router.add(DeleteThreadSubscription(rooms: rooms), in: environment)
        router.add(GetThreadSubscriptions(rooms: rooms), in: environment)
        router.add(GetEventAlone(rooms: rooms, rendering: rendering, reads: reads), in: environment)
    }
}
