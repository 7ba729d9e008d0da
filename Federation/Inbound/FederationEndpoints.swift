import Homeserver
import Logging
import Matrix
import Store
import Web

/// Everything that other servers may ask and push to this server, but for what has to do with memberships and with its keys, as
/// endpoints.
public struct FederationEndpoints: Sendable {
    /// What answers.
    public struct Services: Sendable {
        let rooms: RoomService
        let queries: RoomQueries
        let finder: EventFinder
        let spaces: SpaceHierarchy
        let directory: DirectoryService
        let publicRooms: PublicRooms
        let profiles: ProfileService
        let keys: KeyService
        let openID: OpenIDService
        let media: MediaService

        /// - Parameters:
        ///   - listsPublicRooms: Whether other servers may see the room directory.
        public init(
            rooms: RoomService, queries: RoomQueries, finder: EventFinder, spaces: SpaceHierarchy,
            directory: DirectoryService, publicRooms: PublicRoomsService, listsPublicRooms: Bool,
            profiles: ProfileService, keys: KeyService, openID: OpenIDService, media: MediaService
        ) {
            self.rooms = rooms
            self.queries = queries
            self.finder = finder
            self.spaces = spaces
            self.directory = directory
            self.publicRooms = PublicRooms(service: publicRooms, isPublic: listsPublicRooms)
            self.profiles = profiles
            self.keys = keys
            self.openID = openID
            self.media = media
        }
    }

    private let receiver: TransactionReceiver
    private let services: Services
    private let clock: any Clock
    private let randomness: any Randomness
    private let logger: Logger
    /// For what takes long.
    private let gates = ServerGates(permits: 3, maximumWaiting: 30)

    /// - Parameters:
    ///   - receiver: Takes transactions in.
    ///   - services: What answers.
    ///   - clock: Tells the time.
    ///   - randomness: Makes texts that nobody can guess.
    public init(
        receiver: TransactionReceiver, services: Services, clock: any Clock, randomness: any Randomness, logger: Logger
    ) {
        self.receiver = receiver
        self.services = services
        self.clock = clock
        self.randomness = randomness
        self.logger = logger
    }

    /// Serves it.
    public func register(on router: Router, in environment: EndpointEnvironment) {
        router.add(SendTransaction(receiver: receiver), in: environment)
        addEvents(to: router, in: environment)
        addQueries(to: router, in: environment)
    }

    private func addEvents(to router: Router, in environment: EndpointEnvironment) {
        let queries = services.queries
        let serverName = services.rooms.serverName
        router.add(GetEvent(queries: queries, serverName: serverName, clock: clock), in: environment)
        router.add(GetState(queries: queries, gates: gates), in: environment)
        router.add(GetStateIDs(queries: queries, gates: gates), in: environment)
        router.add(GetEventAuth(queries: queries, gates: gates), in: environment)
        router.add(
            GetBackfill(queries: queries, gates: gates, serverName: serverName, clock: clock), in: environment)
        router.add(GetMissingEvents(queries: queries, gates: gates), in: environment)
        router.add(GetEventByTime(finder: services.finder), in: environment)
        router.add(GetHierarchy(spaces: services.spaces, gates: gates), in: environment)
    }

    private func addQueries(to router: Router, in environment: EndpointEnvironment) {
        let serverName = services.rooms.serverName
        router.add(QueryDirectory(directory: services.directory, serverName: serverName), in: environment)
        router.add(QueryProfile(profiles: services.profiles, serverName: serverName), in: environment)
        router.add(GetPublicRooms(publicRooms: services.publicRooms), in: environment)
        router.add(SearchPublicRooms(publicRooms: services.publicRooms), in: environment)
        router.add(GetUserDevices(keys: services.keys), in: environment)
        router.add(QueryUserKeys(keys: services.keys, serverName: serverName), in: environment)
        router.add(ClaimUserKeys(keys: services.keys, serverName: serverName), in: environment)
        router.add(GetOpenIDUser(openID: services.openID), in: environment)
        router.add(
            DownloadMedia(media: services.media, serverName: serverName, randomness: randomness), in: environment)
        router.add(
            GetThumbnail(media: services.media, serverName: serverName, randomness: randomness), in: environment)
        router.add(ExchangeThirdPartyInvite(rooms: services.rooms), in: environment)
        router.add(BindThirdPartyIdentifier(rooms: services.rooms, logger: logger), in: environment)
    }
}
