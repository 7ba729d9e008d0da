import Adapters
import Database
import FederationOutbound
import Homeserver
import Logging
import Matrix
import NameLookup
import Store
import Web

/// The services of a running server, each made of what it needs.
struct Services: Sendable {
    let clock: any Clock
    let randomness: any Randomness
    let store: Store
    let accounts: AccountServices
    let rooms: RoomServices
    let invitations: AddressInvitations
    let users: UserServices
    let keys: KeyServices
    let sync: SyncService
    let slidingSync: SlidingSyncService
    let media: MediaService
    /// `nil` if there are none.
    let previews: PreviewServices?
    let found: FindingServices
    /// What goes out to other servers and comes in from them; `nil` if federation is off.
    let traffic: FederationTraffic?
    /// The keys that this server signs with.
    let signingKeys: SigningKeyring
    /// What was done, and by whom.
    let audit: AuditTrail
    /// What users read; `nil` where that is not noted.
    let reads: ReadLog?
    let turn: TurnService?
    let calls: CallServices
    /// `nil` if federation is off.
    let federation: FederationServices?
    let outside: OutsideRequests
    let identityClient: IdentityClient
    let pushes: PushServices
    let appServices: AppServiceTraffic
    /// Removes old messages; `nil` where they are kept.
    let retentionPurge: RetentionPurge?
    let stickyRevival: StickyRevival
    let notices: ServerNotices?
    let backups: BackupService

    /// What application services are asked and told.
    struct AppServiceTraffic: Sendable {
        /// Requests of them: past the proxy, since most are on this machine.
        let requests: OutsideRequests
        let services: AppServices
        let queries: AppServiceQueries
        let networks: any ThirdPartyNetworks
        let sender: AppServiceSender
    }

    /// Accounts, their sessions and devices.
    struct AccountServices: Sendable {
        let activity: DeviceActivity
        let accounts: AccountService
        let sessions: SessionService
        let interactive: InteractiveAuthentication
        /// Ends accounts; `nil` if none end.
        let validity: AccountValidity?
        let addresses: AddressService
        let identity: IdentityService
        let registration: RegistrationService
        let singleSignOn: SingleSignOn?
        let guests: GuestDeparture
        let sharedSecret: SharedSecretRegistration?
        let appServices: AppServiceAccounts
        let devices: DeviceService
        let profiles: ProfileService
        let openID: OpenIDService
    }

    /// Rooms and the directory.
    struct RoomServices: Sendable {
        let rooms: RoomService
        let directory: DirectoryService
        let publicRooms: PublicRoomsService
        let delayed: DelayedEventService
        let spaces: SpaceHierarchy
        let jobs: JobService
        let finder: EventFinder
        /// Answers other servers; `nil` if federation is off.
        let queries: RoomQueries?
    }

    /// What can be found by its words, and those who go through the journal for it.
    struct FindingServices: Sendable {
        let users: UserDirectory
        let search: SearchService
        let cursors: [JournalCursor]
    }

    /// What belongs to users.
    struct UserServices: Sendable {
        let filters: FilterService
        let accountData: AccountDataService
        let tags: TagService
        let receipts: ReceiptService
        let typing: TypingService
        let presence: PresenceService
        let pushRules: PushRulesService
        let pushers: PusherService
        let notifications: NotificationHistory
        let selfDestruction: SelfDestruction?
    }

    /// End-to-end encryption.
    struct KeyServices: Sendable {
        let keys: KeyService
        let crossSigning: CrossSigningService
        let backup: KeyBackupService
        let deviceLists: DeviceListService
        let dehydrated: DehydratedDeviceService
        let toDevice: ToDeviceService
    }

    init(
        _ configuration: Configuration, database: Database, signingKeys: SigningKeyring, appServices: AppServices
    ) async throws {
        let clock = SystemClock()
        let randomness = SystemRandomness()
        let scheduler = TaskScheduler()
        let serverName = configuration.serverName
        let store = try await Store.open(database, cacheBytes: configuration.cacheBytes)
        self.clock = clock
        self.randomness = randomness
        self.store = store
        self.signingKeys = signingKeys
        audit = AuditTrail(store: store, clock: clock, keys: signingKeys)
        reads = configuration.reads.map {
            ReadLog(policy: $0, store: store, clock: clock, logger: Logger(label: "chappe.audit"))
        }
        turn = try TurnService(configuration, clock: clock)
        federation = try FederationServices(
            configuration, store: store, clock: clock, randomness: randomness, signingKeys: signingKeys)

        outside = OutsideRequests(
            verifiesTLS: configuration.outbound.verifiesTLSOutsideFederation,
            proxy: configuration.outbound.proxy?.address,
            logger: Logger(label: "chappe.outside")
        )
        let names: AresResolver
        do { names = try AresResolver() } catch {
            throw CommandFailure("names cannot be looked up: \(error)")
        }
        let identity = IdentityClient(
            configured: outside,
            others: PermittedRequests(
                configuration, names: names, clock: clock, logger: Logger(label: "chappe.identity")),
            logger: Logger(label: "chappe.identity"))
        identityClient = identity

        let requests = OutsideRequests(
            verifiesTLS: configuration.outbound.verifiesTLSOutsideFederation, proxy: nil, idleSeconds: 60,
            logger: Logger(label: "chappe.app_services"))
        let delegated = try DelegatedAuthentication(configuration, transport: requests, clock: clock)
        let provision = AppServiceQueries(
            services: appServices, transport: requests, clock: clock, logger: Logger(label: "chappe.app_services"))

        // Listeners hear of the journal in the order in which they are made: what a sync looks at must be up to date before
        // those who wait for it are woken.
        let counts = KeyCounts(store: store)
        let inboxes = ToDeviceInboxes(store: store)
        let ignored = IgnoredUsers(store: store)
        let invitePermissions = InvitePermissions(store: store)
        let roomFacts = RoomFactsCache(store: store)
        let activeUsers = ActiveUsers(store: store)
        let directorySource = StoredRoomDirectory(store: store)
        let remoteDirectory: any RemoteDirectory = federation?.client ?? NoRemoteDirectory()
        let directory = DirectoryService(
            store: store, clock: clock, source: directorySource, remote: remoteDirectory, serverName: serverName,
            appServices: appServices, provision: provision)
        let rooms = RoomService(
            store: store, clock: clock, randomness: randomness, serverName: serverName, signingKey: signingKeys,
            defaultVersion: configuration.defaultRoomVersion,
            profiles: StoredProfiles(store: store, provision: provision),
            aliases: DirectoryAliases(store: store, directory: directory), activeUsers: activeUsers,
            federation: federation.map {
                RoomFederation(
                    remote: $0.client, policyServers: $0.client, keys: $0.keys, scheduler: scheduler)
            },
            invitePermissions: invitePermissions,
            invitationKeys: IdentityKeys(servers: configuration.identityServers ?? [], transport: identity),
            callRules: configuration.conferences.rules,
            logger: Logger(label: "chappe.rooms")
        )
        let roomServers = federation.map { _ in RoomServers(store: store, serverName: serverName) }
        let queries = roomServers.map { RoomQueries(rooms: rooms, servers: $0) }
        self.rooms = RoomServices(
            rooms: rooms, directory: directory,
            publicRooms: PublicRoomsService(
                store: store, source: directorySource, remote: remoteDirectory, serverName: serverName),
            delayed: DelayedEventService(
                rooms: rooms, clock: clock, randomness: randomness, scheduler: scheduler,
                logger: Logger(label: "chappe.rooms")),
            spaces: SpaceHierarchy(
                rooms: rooms, servers: roomServers, remote: federation?.client, clock: clock, scheduler: scheduler,
                randomness: randomness, logger: Logger(label: "chappe.spaces")),
            jobs: JobService(
                store: store, clock: clock, randomness: randomness,
                workers: [
                    RoomDeletions(rooms: rooms, randomness: randomness), HistoryPurges(rooms: rooms),
                    UserRedactions(rooms: rooms),
                ], logger: Logger(label: "chappe.jobs")),
            finder: EventFinder(
                rooms: rooms, queries: queries, remote: federation?.client, logger: Logger(label: "chappe.rooms")),
            queries: queries
        )
        found = Self.finding(configuration, rooms, scheduler)
        let removal = DeviceRemoval(hooks: [DeviceKeyRemoval()]) { [weak activeUsers] user in
            activeUsers?.sessionsChanged(of: user)
        }
        accounts = try Self.accounts(
            configuration, store, clock, randomness, rooms, removal, federation?.client ?? UnreachableServers(),
            outside, identity, appServices, provision, signingKeys, audit, delegated, scheduler)
        calls = try CallServices(
            configuration, rooms: rooms, delayed: self.rooms.delayed, openID: accounts.openID,
            remote: federation?.client, outside: outside, clock: clock, randomness: randomness, scheduler: scheduler)
        invitations = AddressInvitations(
            rooms: rooms, identity: accounts.identity, profiles: StoredProfiles(store: store))

        if let retention = configuration.retention { store.lifetimes.enforce(retention.policy) }
        retentionPurge = configuration.retention.map {
            RetentionPurge(
                store: store, intervalMilliseconds: $0.purgeEveryMilliseconds, logger: Logger(label: "chappe.rooms"))
        }
        stickyRevival = StickyRevival(rooms: rooms, logger: Logger(label: "chappe.rooms"))
        let pushRules = PushRulesService(store: store, defaults: configuration.defaultPushRules)
        let accountData = AccountDataService(store: store, pushRules: pushRules)
        let typing = TypingService(store: store, clock: clock, scheduler: scheduler)
        typing.listen { [weak activeUsers] room in activeUsers?.wake(room: room) }
        let presence = PresenceService(
            store: store, clock: clock, scheduler: scheduler, isEnabled: configuration.presenceIsEnabled
        )
        let judges = RuleJudges(rules: pushRules, rooms: rooms, store: store)
        presence.follow(sendersOf: configuration.serverName)
        let unread = UnreadCounts(store: store, judges: judges)
        pushes = try PushServices(
            configuration, rooms: rooms, unread: unread, judges: judges, ignored: ignored, clock: clock,
            scheduler: scheduler, randomness: randomness, names: names, signingKeys: signingKeys)
        users = UserServices(
            filters: FilterService(store: store), accountData: accountData, tags: TagService(store: store),
            receipts: ReceiptService(store: store, clock: clock), typing: typing, presence: presence,
            pushRules: pushRules, pushers: pushes.pushers,
            notifications: NotificationHistory(store: store, judges: judges, activeUsers: activeUsers),
            selfDestruction: configuration.messagesSelfDestruct
                ? SelfDestruction(
                    store: store, clock: clock, scheduler: scheduler, logger: Logger(label: "chappe.messages"))
                : nil
        )
        let (tags, accounts) = (users.tags, self.accounts)
        notices = configuration.serverNotices.map {
            ServerNotices(
                policy: $0, rooms: rooms, accounts: accounts.accounts, tags: tags, profiles: accounts.profiles)
        }
        let servers: any RemoteServers = federation?.client ?? UnreachableServers()
        let policy = federation?.policy
        let outbox = policy.map { policy in ToDeviceQueue { policy.permits($0) } }
        let remoteDevices = federation.map { federation in
            RemoteDeviceLists(
                store: store, clock: clock, scheduler: scheduler, participation: rooms.participation,
                remote: federation.client, logger: Logger(label: "chappe.federation.devices"))
        }
        keys = KeyServices(
            keys: KeyService(
                store: store, serverName: serverName, clock: clock, remote: servers, counts: counts,
                lists: remoteDevices),
            crossSigning: CrossSigningService(
                store: store, serverName: serverName, remote: servers,
                authorization: delegated.map {
                    DelegatedKeyReplacement(store: store, clock: clock, delegated: $0)
                } ?? accounts.interactive
            ),
            backup: KeyBackupService(store: store), deviceLists: DeviceListService(store: store),
            dehydrated: DehydratedDeviceService(store: store, clock: clock, removal: removal, inboxes: inboxes),
            toDevice: ToDeviceService(store: store, serverName: serverName, clock: clock, outbox: outbox)
        )
        let pictures = VipsThumbnailer()
        media = MediaService(
            store: store, blobs: try DirectoryBlobStore(directory: configuration.path(configuration.media.store)),
            thumbnailer: pictures, remote: federation?.client ?? NoRemoteMedia(), clock: clock,
            scheduler: scheduler, randomness: randomness, serverName: serverName,
            policy: MediaPolicy(maximumUploadBytes: Int64(configuration.media.maximumUploadBytes))
        )
        backups = BackupService(
            store: store, media: media, audit: audit, clock: clock, randomness: randomness,
            path: configuration.path("backup.snapshot"))
        previews = PreviewServices(
            configuration, store: store, media: media, pictures: pictures, names: names, clock: clock)
        sync = SyncService(
            store: store, rooms: rooms, activeUsers: activeUsers,
            users: UserDataSource(
                store: store, accountData: accountData,
                unread: unread,
                ignored: ignored, invites: invitePermissions
            ),
            devices: DeviceSyncSource(store: store, counts: counts, inboxes: inboxes),
            typing: typing,
            presence: configuration.presenceIsEnabled ? presence : nil, clock: clock
        )
        self.appServices = AppServiceTraffic(
            requests: requests, services: appServices, queries: provision,
            networks: appServices.isEmpty
                ? NoThirdPartyNetworks()
                : AppServiceNetworks(services: appServices, queries: provision, clock: clock),
            sender: AppServiceSender(
                services: appServices,
                sources: AppServiceSender.Sources(
                    typing: typing, presence: configuration.presenceIsEnabled ? presence : nil, counts: counts),
                store: store, transport: requests, clock: clock, scheduler: scheduler,
                logger: Logger(label: "chappe.app_services")))
        slidingSync = SlidingSyncService(sync: sync, facts: roomFacts)
        if let federation, let roomServers, let outbox, let remoteDevices {
            traffic = FederationTraffic(
                federation, store: store, rooms: rooms, servers: roomServers, users: users, keys: keys,
                devices: remoteDevices,
                keepsPresence: configuration.presenceIsEnabled, outbox: outbox, clock: clock, scheduler: scheduler,
                randomness: randomness)
        } else {
            traffic = nil
        }
    }

    private static func finding(
        _ configuration: Configuration, _ rooms: RoomService, _ scheduler: any Scheduler
    ) -> FindingServices {
        func cursor(_ name: CursorName, _ follower: any JournalFollower) -> JournalCursor {
            JournalCursor(
                name, follower: follower, store: rooms.store, scheduler: scheduler,
                logger: Logger(label: "chappe.journal"))
        }
        let people = cursor(.userDirectory, UserDirectoryFollower(rooms: rooms))
        let words = cursor(.search, SearchFollower(rooms: rooms))
        return FindingServices(
            users: UserDirectory(
                store: rooms.store, cursor: people, policy: configuration.userDirectory,
                serverName: configuration.serverName),
            search: SearchService(rooms: rooms, cursor: words), cursors: [people, words])
    }

    private static func accounts(
        _ configuration: Configuration, _ store: Store, _ clock: any Clock, _ randomness: any Randomness,
        _ rooms: RoomService, _ removal: DeviceRemoval, _ remote: any RemoteProfiles, _ outside: OutsideRequests,
        _ identity: IdentityClient, _ appServices: AppServices, _ provision: any Provision,
        _ signingKeys: SigningKeyring, _ audit: AuditTrail, _ delegated: DelegatedAuthentication?,
        _ scheduler: any Scheduler
    ) throws -> AccountServices {
        let serverName = configuration.serverName
        let activity = DeviceActivity(store: store)
        let sessions = SessionService(
            store: store, clock: clock, randomness: randomness, removal: removal, activity: activity,
            audit: audit, validity: configuration.accountValidity, delegated: delegated
        )
        let accounts = AccountService(
            store: store, serverName: serverName, clock: clock,
            hasher: Argon2PasswordHasher(effort: configuration.hashesPasswordsCheaply ? .cheap : .standard),
            sessions: sessions, removal: removal, departure: rooms,
            passwordPolicy: configuration.passwordPolicy, failedLogins: FailedLogins(configuration.rateLimits),
            appServices: appServices, validity: configuration.accountValidity
        )
        let captcha = configuration.captcha.map {
            SiteVerifier(
                address: $0.siteVerifyAPI, publicKey: $0.publicKey, privateKey: $0.privateKey, requests: outside)
        }
        let mailer = try SMTPMailer(configuration, clock: clock, randomness: randomness)
        let addresses = AddressService(
            store: store, clock: clock, randomness: randomness, mailer: mailer, serverName: serverName,
            baseURL: configuration.browserURL
        )
        let validity = configuration.accountValidity.map { policy in
            AccountValidity(
                policy: policy, store: store, clock: clock, randomness: randomness, scheduler: scheduler,
                mailer: mailer,
                letters: ValidityLetter(
                    serverName: serverName, baseURL: configuration.browserURL, subject: configuration.validitySubject),
                accounts: accounts, removal: removal, audit: audit, logger: Logger(label: "chappe.accounts"))
        }
        let interactive = InteractiveAuthentication(
            store: store, clock: clock, randomness: randomness, accounts: accounts, captcha: captcha,
            addresses: addresses, offersSingleSignOn: configuration.cas != nil
        )
        let mode: RegistrationMode =
            switch configuration.registration.mode {
            case .closed: .closed
            case .token: .token
            case .open: .open
            }
        return AccountServices(
            activity: activity, accounts: accounts, sessions: sessions, interactive: interactive, validity: validity,
            addresses: addresses,
            identity: IdentityService(
                servers: configuration.identityServers, transport: identity, store: store, clock: clock,
                serverName: serverName, signingKey: signingKeys, logger: Logger(label: "chappe.identity")),
            registration: RegistrationService(
                store: store, clock: clock, randomness: randomness,
                policy: RegistrationPolicy(
                    mode: mode, allowsGuests: configuration.registration.allowsGuests,
                    needsCaptcha: configuration.registration.needsCaptcha, captchaKey: captcha?.publicKey,
                    offersMail: mode == .open && addresses.sendsMail
                ),
                accounts: accounts, sessions: sessions, authentication: interactive
            ),
            singleSignOn: configuration.cas.map { cas in
                SingleSignOn(
                    provider: CASProvider(serverURL: cas.serverURL, name: cas.name, requests: outside),
                    baseURL: configuration.browserURL, serverName: serverName, accounts: accounts, sessions: sessions,
                    interactive: interactive
                )
            },
            guests: GuestDeparture(store: store, rooms: rooms, logger: Logger(label: "chappe.guests")),
            sharedSecret: configuration.registration.sharedSecret.map {
                SharedSecretRegistration(
                    secret: $0, store: store, clock: clock, randomness: randomness, accounts: accounts,
                    audit: audit
                )
            },
            appServices: AppServiceAccounts(
                services: appServices, store: store, accounts: accounts, sessions: sessions),
            devices: DeviceService(store: store, removal: removal, clock: clock),
            profiles: ProfileService(
                store: store, serverName: serverName, propagation: rooms, remote: remote, provision: provision
            ),
            openID: OpenIDService(store: store, clock: clock, randomness: randomness, serverName: serverName)
        )
    }
}

extension FailedLogins {
    /// Counts as the limits say.
    fileprivate convenience init(_ limits: RateLimits) {
        guard limits.isEnabled, let limit = limits.classes[.loginAccount] else {
            self.init(burst: 0)
            return
        }
        self.init(burst: limit.burst, intervalMilliseconds: Int64(min(1_000 / max(limit.perSecond, 1e-6), 1e9)))
    }
}

extension DelegatedAuthentication {
    /// Where users sign in as the configuration says; `nil` if they sign in here.
    ///
    /// - Throws: ``CommandFailure`` if the file with the secret cannot be read.
    fileprivate convenience init?(
        _ configuration: Configuration, transport: any AuthenticationServiceTransport, clock: any Clock
    ) throws {
        guard let service = configuration.authenticationService else { return nil }
        self.init(
            serverName: configuration.serverName, endpoint: service.endpoint,
            secret: try ServerFiles.secret(
                service.secret, named: "matrix_authentication_service.secret_path", of: configuration),
            transport: transport, clock: clock)
    }
}
