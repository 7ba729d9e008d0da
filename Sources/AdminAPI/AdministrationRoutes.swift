import Homeserver
import Store
import Web

/// What administration endpoints work with.
public struct AdministrationServices: Sendable {
    let accounts: AccountService
    let sessions: SessionService
    let devices: DeviceService
    let profiles: ProfileService
    let addresses: AddressService
    let rooms: RoomService
    let store: Store
    let audit: AuditTrail
    let clock: any Clock
    let randomness: any Randomness
    let keys: any VerifyKeySource
    let accountData: AccountDataService
    /// Ends accounts; `nil` if none end.
    let validity: AccountValidity?
    /// What users read; `nil` where that is not noted.
    let reads: ReadLog?

    /// - Parameters:
    ///   - accounts: Accounts.
    ///   - sessions: Their sessions.
    ///   - devices: Their devices.
    ///   - profiles: What others see of them.
    ///   - addresses: Their addresses.
    ///   - rooms: Rooms.
    ///   - store: Where all is.
    ///   - audit: Hears of what is done.
    ///   - clock: Tells the time.
    ///   - randomness: What tokens are made of.
    ///   - keys: What the audit trail is signed with.
    ///   - accountData: What clients keep here.
    ///   - validity: Ends accounts; `nil` if none end.
    ///   - reads: What users read; `nil` where that is not noted.
    public init(
        accounts: AccountService, sessions: SessionService, devices: DeviceService, profiles: ProfileService,
        addresses: AddressService, rooms: RoomService, store: Store, audit: AuditTrail, clock: any Clock,
        randomness: any Randomness, keys: any VerifyKeySource, accountData: AccountDataService,
        validity: AccountValidity? = nil, reads: ReadLog? = nil
    ) {
        self.accounts = accounts
        self.sessions = sessions
        self.devices = devices
        self.profiles = profiles
        self.addresses = addresses
        self.rooms = rooms
        self.store = store
        self.audit = audit
        self.clock = clock
        self.randomness = randomness
        self.keys = keys
        self.accountData = accountData
        self.validity = validity
        self.reads = reads
    }
}

extension Router {
    /// Adds our own administration endpoints: on the socket for whoever can open it, on other listeners for administrators.
    ///
    /// - Parameters:
    ///   - services: What they work with.
    ///   - environment: What endpoints have in common; it says whether everybody is an administrator.
    public func addAdministrationRoutes(_ services: AdministrationServices, in environment: EndpointEnvironment) {
        add(CreateUser(services: services), in: environment)
        add(ImportUsers(services: services), in: environment)
        add(ListUsers(store: services.store), in: environment)
        add(GetUser(accounts: services.accounts, addresses: services.addresses, store: services.store), in: environment)
        add(UpdateUser(services: services), in: environment)
        add(AddUserEmail(services: services), in: environment)
        add(RemoveUserEmail(services: services), in: environment)
        add(EndUserSessions(services: services), in: environment)
        add(EndUserSession(services: services), in: environment)
        add(GetUserValidity(services: services), in: environment)
        add(SetUserValidity(services: services), in: environment)
        add(SetSynapseValidity(services: services), in: environment)
        add(GetUserRateLimit(services: services), in: environment)
        add(SetUserRateLimit(services: services), in: environment)
        add(ExportUser(services: services), in: environment)
        add(ListUserReads(services: services), in: environment)
        add(ListRooms(rooms: services.rooms, store: services.store), in: environment)
        add(GetRoom(rooms: services.rooms, store: services.store), in: environment)
        add(CreateRoomForUser(services: services), in: environment)
        add(ListReports(store: services.store), in: environment)
        add(GetReport(services: services), in: environment)
        add(CloseReport(services: services), in: environment)
        add(CountRemoteMedia(services: services), in: environment)
        add(ListTokens(store: services.store, clock: services.clock), in: environment)
        add(CreateToken(services: services), in: environment)
        add(RevokeToken(services: services), in: environment)
        add(ListAudit(audit: services.audit), in: environment)
        add(ExportAudit(audit: services.audit), in: environment)
        add(VerifyAudit(audit: services.audit, keys: services.keys), in: environment)
    }
}

extension Operator {
    /// As the audit trail names them.
    var actor: AuditActor {
        AuditActor(name: caller?.userID.string ?? AuditActor.socket, address: address, reason: reason)
    }
}
