import AdminAPI
import ClientAPI
import Glibc
import Homeserver
import Matrix
import Store
import Web

/// Which listener answers what.
struct Routing {
    let configuration: Configuration
    let services: Services
    private let metrics: ServerMetrics
    private let readiness: Readiness
    let environment: EndpointEnvironment

    init(_ configuration: Configuration, _ services: Services, metrics: ServerMetrics, readiness: Readiness) {
        self.configuration = configuration
        self.services = services
        self.metrics = metrics
        self.readiness = readiness
        var environment = EndpointEnvironment(
            authenticator: TokenAuthenticator(
                sessions: services.accounts.sessions, appServices: services.accounts.appServices),
            rateLimiter: RateLimiter(configuration.rateLimits, nowNanoseconds: Uptime.nanoseconds),
            servers: services.federation?.authenticator
        )
        if let delegated = services.accounts.sessions.delegated {
            environment.isAuthenticationService = { delegated.isService($0) }
        }
        self.environment = environment
    }

    /// The router of a listener that serves these parts.
    func router(for parts: Set<Configuration.Listener.Part>) -> Router {
        let router = Router()
        addHealth(to: router)
        if parts.contains(.client) { addClient(to: router) }
        if parts.contains(.federation), let federation = services.federation { addFederation(federation, to: router) }
        if parts.contains(.wellknown) { router.addWellKnownRoutes(features: features, in: environment) }
        if parts.contains(.admin) {
            if let registration = services.accounts.sharedSecret {
                router.addSharedSecretRoutes(registration: registration, in: environment)
            }
            addAdministration(to: router, in: environment)
        }
        if parts.contains(.metrics) {
            let metrics = metrics
            router.add(.get("/metrics")) { _ in
                HTTPResponse(
                    status: 200, headers: ["content-type": "text/plain; version=0.0.4; charset=utf-8"],
                    body: .bytes(Array(await metrics.text().utf8))
                )
            }
        }
        return router
    }

    /// The router of the socket: whoever can open it is an administrator.
    func administrationRouter() -> Router {
        let router = Router()
        addHealth(to: router)
        var local = environment
        local.trustsEverybody = true
        addAdministration(to: router, in: local)
        router.addBackupRoutes(backups: services.backups, in: local)
        return router
    }

    private var administration: AdministrationServices {
        let accounts = services.accounts
        return AdministrationServices(
            accounts: accounts.accounts, sessions: accounts.sessions, devices: accounts.devices,
            profiles: accounts.profiles, addresses: accounts.addresses, rooms: services.rooms.rooms,
            store: services.store, audit: services.audit, clock: services.clock, randomness: services.randomness,
            keys: services.signingKeys, accountData: services.users.accountData, validity: accounts.validity,
            reads: services.reads)
    }

    private func addAdministration(to router: Router, in environment: EndpointEnvironment) {
        let administration = administration
        router.addAdministrationRoutes(administration, in: environment)
        router.addCallAdministrationRoutes(calls: services.calls.calls, administration, in: environment)
        router.addNoticeRoutes(notices: services.notices, administration, in: environment)
        router.addSynapseRoutes(
            SynapseServices(
                administration: administration, media: services.media,
                spaces: services.rooms.spaces, jobs: services.rooms.jobs,
                queue: services.traffic?.sender, version: Chappe.version),
            in: environment)
        if let traffic = services.traffic, let federation = services.federation {
            router.addFederationAdministrationRoutes(
                queue: traffic.sender, probe: federation.client, in: environment)
            router.addFederationRuleRoutes(policy: federation.policy, administration, in: environment)
        }
        router.addAppServiceAdministrationRoutes(
            services: services.appServices.services, queries: services.appServices.queries, store: services.store,
            in: environment)
        let configuration = configuration
        let signingKeys = services.signingKeys
        router.addSigningKeyRoutes(
            reload: { try ServerFiles.reload(signingKeys, of: configuration) }, administration, in: environment)
    }

    private var features: ServerFeatures {
        var wellKnown: JSONObject = [:]
        if !configuration.rtcTransports.isEmpty {
            // Where clients looked before there was an endpoint for it.
            wellKnown["org.matrix.msc4143.rtc_foci"] = .array(configuration.rtcTransports.map(\.json))
        }
        // Clients cannot go where the address is one of the inner network's.
        if let server = configuration.identityServers?.first(where: { $0.url.hasPrefix("https://") }) {
            wellKnown["m.identity_server"] = ["base_url": .string(server.url)]
        }
        var unstable = ServerFeatures.knownUnstableFeatures
        unstable["org.matrix.msc4306"] = configuration.followsThreads
        return ServerFeatures(
            defaultRoomVersion: configuration.defaultRoomVersion,
            allowsAddressChanges: services.accounts.addresses.sendsMail, unstableFeatures: unstable,
            publicBaseURL: configuration.publicBaseURL,
            wellKnownExtra: wellKnown, delegatedServer: configuration.delegatedServer, support: configuration.support
        )
    }

    private func addHealth(to router: Router) {
        let (store, readiness) = (services.store, readiness)
        router.add(.get("/health")) { _ in
            // Ready means: a transaction can be read.
            _ = try await store.read { try $0.sql.first("SELECT 1") { try $0.int(0) } }
            return HTTPResponse(status: 200, headers: ["content-type": "text/plain"], body: .bytes(Array("OK".utf8)))
        }
        router.add(.get("/ready")) { _ in await readiness.response() }
    }

    private func addClient(to router: Router) {
        router.add(
            LandingPage(serverName: configuration.serverName, baseURL: configuration.publicBaseURL), in: environment)
        let accounts = services.accounts
        let delegated = accounts.sessions.delegated
        router.addServerRoutes(features: features, delegated: delegated, in: environment)
        if delegated != nil { router.addAuthenticationServiceRoutes(administration, in: environment) }
        if let validity = accounts.validity { router.addValidityRoutes(validity: validity, in: environment) }
        router.addSessionRoutes(
            sessions: accounts.sessions, accounts: accounts.accounts, interactive: accounts.interactive,
            allowsLoginTokens: true, singleSignOn: accounts.singleSignOn,
            appServices: accounts.appServices.services.isEmpty ? nil : accounts.appServices,
            isDelegated: delegated != nil, in: environment
        )
        if delegated == nil || !accounts.appServices.services.isEmpty {
            router.addRegistrationRoutes(
                registration: accounts.registration, passwords: accounts.accounts.passwordPolicy,
                appServices: accounts.appServices, in: environment)
        }
        router.addAccountRoutes(
            accounts: accounts.accounts, interactive: accounts.interactive, registration: accounts.registration,
            addresses: accounts.addresses, identity: accounts.identity, in: environment
        )
        router.addAdministrationRoutes(
            accounts: accounts.accounts, devices: accounts.devices, audit: services.audit, in: environment)
        router.addCallRoutes(
            turn: services.turn, transports: configuration.rtcTransports, liveKit: services.calls.liveKit,
            calls: services.calls.calls, serverName: configuration.serverName, in: environment)
        router.addDeviceRoutes(devices: accounts.devices, interactive: accounts.interactive, in: environment)
        router.addProfileRoutes(profiles: accounts.profiles, in: environment)
        let delayed = services.rooms.delayed
        RoomEndpoints(
            rooms: services.rooms.rooms, delayed: delayed, store: services.store, clock: services.clock,
            invitations: services.invitations, guests: GuestAccess(spaces: services.rooms.spaces),
            appServices: accounts.appServices.services, reads: services.reads
        )
        .register(on: router, in: environment)
        router.addDelayedEventRoutes(delayed: delayed, in: environment)
        router.addSpaceRoutes(spaces: services.rooms.spaces, rooms: services.rooms.rooms, in: environment)
        router.addEventFinderRoutes(finder: services.rooms.finder, in: environment)
        router.addOpenIDRoutes(openID: accounts.openID, in: environment)
        let keys = services.keys
        router.addKeyRoutes(
            keys: keys.keys, crossSigning: keys.crossSigning, deviceLists: keys.deviceLists, in: environment
        )
        router.addDehydratedDeviceRoutes(devices: keys.dehydrated, in: environment)
        router.addToDeviceRoutes(toDevice: keys.toDevice, in: environment)
        router.addKeyBackupRoutes(backups: keys.backup, in: environment)
        addUserData(to: router)
        router.addReportingRoutes(
            reports: ReportService(rooms: services.rooms.rooms, clock: services.clock), in: environment)
        let bridges = services.appServices
        router.addThirdPartyRoutes(networks: bridges.networks, in: environment)
        router.addAppServiceRoutes(
            services: bridges.services, queries: bridges.queries, sender: bridges.sender, in: environment)
        router.addSearchRoutes(
            search: services.found.search, store: services.store, clock: services.clock, reads: services.reads,
            in: environment)
        MediaEndpoints(media: services.media, servesLegacy: configuration.media.servesLegacy, reads: services.reads)
            .register(on: router, in: environment)
        if let previews = services.previews {
            router.addPreviewRoutes(previews: previews.previews, in: environment)
        }
        router.addSyncRoutes(
            sync: services.sync, sliding: services.slidingSync, filters: services.users.filters, in: environment)
    }

    private func addUserData(to router: Router) {
        let users = services.users
        router.addFilterRoutes(filters: users.filters, in: environment)
        router.addAccountDataRoutes(accountData: users.accountData, tags: users.tags, in: environment)
        router.addReceiptRoutes(receipts: users.receipts, presence: users.presence, in: environment)
        router.addTypingRoutes(typing: users.typing, presence: users.presence, in: environment)
        router.addPresenceRoutes(presence: users.presence, in: environment)
        router.addPushRuleRoutes(rules: users.pushRules, in: environment)
        router.addPusherRoutes(
            pushers: users.pushers, unsubscription: services.pushes.unsubscription, in: environment)
        router.addNotificationRoutes(
            history: users.notifications, store: services.store, clock: services.clock, in: environment)
        router.addDirectoryRoutes(
            directory: services.rooms.directory, publicRooms: services.rooms.publicRooms, rooms: services.rooms.rooms,
            users: services.found.users,
            publicRoomsWithoutLogin: configuration.listsRoomsWithoutLogin, in: environment
        )
    }
}

/// The machine's steady clock, by which rates are measured.
enum Uptime {
    @Sendable
    static func nanoseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}
