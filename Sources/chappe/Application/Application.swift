import Adapters
import Database
import Foundation
import Homeserver
import Logging
import Matrix
import Store
import Web

/// A running server: opened, listening, and in the end closed in the order that loses nothing.
struct Application: Sendable {
    private let logger = Logger(label: "chappe")
    private let configuration: Configuration
    private let database: Database
    private let services: Services
    private let server: HTTPServer
    private let background: Task<Void, Never>
    private let limiter: RateLimiter
    private let readiness: Readiness

    /// Requests under way get this long to finish.
    private static let drainTime = Duration.seconds(20)

    /// Opens the database, brings its schema up to date, and listens.
    ///
    /// - Throws: ``CommandFailure`` with a sentence for the administrator.
    static func start(_ configuration: Configuration) async throws -> Application {
        let signingKeys = SigningKeyring(try ServerFiles.signingKeys(of: configuration))
        let appServices: AppServices
        do {
            appServices = try AppServiceRegistrations.load(configuration)
        } catch {
            throw CommandFailure(error.description)
        }
        let database: Database
        do {
            let location = try DatabaseLocation(
                parsing: configuration.database, relativeTo: configuration.dataDirectory)
            database = try Database.open(location)
        } catch {
            throw CommandFailure("the database cannot be opened: \(error)")
        }
        do {
            return try await Application(configuration, database, signingKeys, appServices)
        } catch {
            await database.close()
            if error is CommandFailure { throw error }
            throw CommandFailure("the server cannot start: \(error)")
        }
    }

    private init(
        _ configuration: Configuration, _ database: Database, _ signingKeys: SigningKeyring, _ appServices: AppServices
    ) async throws {
        self.configuration = configuration
        self.database = database
        services = try await Services(
            configuration, database: database, signingKeys: signingKeys, appServices: appServices)
        try await services.accounts.appServices.start()
        do { try await services.notices?.start() } catch let error as ServerNotices.AccountInUse {
            throw CommandFailure("server_notices.localpart: \(error.user) is the account of somebody else")
        }
        try await services.users.presence.start()
        try await services.traffic?.start()
        try await services.federation?.policy.rules.load(from: services.store)
        for cursor in services.found.cursors { try await cursor.start() }
        try await services.pushes.start()
        try await services.appServices.sender.start()
        var http = HTTPServerConfiguration()
        guard let proxies = TrustedProxies(configuration.trustedProxies) else {
            throw CommandFailure("trusted_proxies: each must be an address or a range such as 10.0.0.0/8")
        }
        http.trustedProxies = proxies
        server = HTTPServer(
            configuration: http,
            errors: ErrorRenderer(logger: Logger(label: "chappe.http")) { error in
                // A full disk, most of the time.
                if error is FileFailure { return MatrixError.unavailable() }
                guard let error = error as? DatabaseError else { return nil }
                switch error {
                case .unavailable, .outcomeUnknown, .serialization: return MatrixError.unavailable()
                // PostgreSQL stores no NUL in texts, and so neither engine takes one.
                case .sql("22021", _): return MatrixError.badJSON("A text holds a NUL character")
                default: return nil
                }
            },
            logger: Logger(label: "chappe.http")
        )
        readiness = Readiness(store: services.store)
        let routing = Routing(
            configuration, services, metrics: ServerMetrics(server.metrics, services), readiness: readiness)
        limiter = routing.environment.rateLimiter
        // First that for the command line: who hears that the server is ready may use its commands.
        var listeners = [Listener(.unixSocket(path: configuration.socketPath), router: routing.administrationRouter())]
        listeners += configuration.listeners.map { listener in
            Listener(
                .tcp(host: listener.bind, port: listener.port),
                tls: listener.tls.map {
                    TLSFiles(
                        certificateChainPath: configuration.path($0.certificate),
                        privateKeyPath: configuration.path($0.key)
                    )
                },
                router: routing.router(for: listener.serves)
            )
        }
        let bound = try await server.start(listeners)
        for address in bound { logger.info("listening", metadata: ["address": "\(address)"]) }
        if configuration.hashesPasswordsCheaply {
            logger.warning("passwords are hashed cheaply: this server is for tests only")
        }
        let activity = services.accounts.activity
        let media = services.media
        let previews = services.previews?.previews
        let accounts = services.accounts
        let selfDestruction = services.users.selfDestruction
        let (delayed, calls) = (services.rooms.delayed, services.calls)
        let jobs = services.rooms.jobs
        let (purge, revival, reads) = (services.retentionPurge, services.stickyRevival, services.reads)
        let relations = RelationBacklog(store: services.store, logger: Logger(label: "chappe.rooms"))
        let logger = logger
        background = Task {
            do {
                try await accounts.accounts.resumeDepartures()
                try await accounts.guests.resume()
                try await accounts.validity?.start()
                try await selfDestruction?.resume()
                try await calls.prepare()
                try await delayed.resume()
                try await calls.resume()
                try await revival.resume()
            } catch {
                logger.error("work from before the stop not resumed", metadata: ["error": "\(error)"])
            }
            await jobs.start()
            async let sweeping: Void = media.run(logger: Logger(label: "chappe.media"))
            async let forgetting: Void? = previews?.run()
            async let unbinding: Void = accounts.identity.run()
            async let pages: Void = ProgramPages.run()
            async let noting: Void = relations.run()
            async let purging: Void? = purge?.run()
            async let reading: Void? = reads?.run()
            await activity.run()
            await pages
            await sweeping
            await forgetting
            await unbinding
            await noting
            _ = await purging
            _ = await reading
        }
    }

    /// Reads certificates, signing keys and the configuration again. What cannot be used stays as it was.
    ///
    /// - Parameters:
    ///   - log: Where lines go.
    ///   - load: Reads the configuration.
    func reload(_ log: LogOutput, _ load: () throws -> Configuration) {
        do { try log.reopen() } catch {
            logger.error("the log file could not be opened again", metadata: ["error": "\(error)"])
        }
        do {
            apply(try load(), log)
        } catch {
            logger.error(
                "the new configuration is refused, the old one stays",
                metadata: ["error": "\((error as? CommandFailure)?.message ?? "\(error)")"])
        }
        do {
            let active = try ServerFiles.reload(services.signingKeys, of: configuration)
            logger.info("signing keys read again", metadata: ["active": "\(active)"])
        } catch {
            logger.error("signing keys could not be read", metadata: ["error": "\(error)"])
        }
        do {
            try server.reloadCertificates()
            logger.info("certificates read again")
        } catch {
            logger.error("certificates could not be read", metadata: ["error": "\(error)"])
        }
    }

    /// Has what can change while the server runs be as another configuration says.
    private func apply(_ new: Configuration, _ log: LogOutput) {
        log.level = new.log.level.level
        limiter.replace(by: new.rateLimits)
        let federation = new.federation
        let isApplied =
            services.federation?.policy.replace(
                mode: federation.mode, allowed: federation.allowed, denied: federation.denied) ?? true
        var waiting = configuration.differences(from: new, besides: Self.reloadable)
        if !isApplied { waiting.append("federation.mode") }
        logger.info(
            "configuration read again",
            metadata: waiting.isEmpty ? [:] : ["waiting_for_restart": "\(waiting.joined(separator: ", "))"])
    }

    /// Keys that are looked at while the server runs.
    private static let reloadable: Set<String> = [
        "log.level", "rate_limits", "federation.mode", "federation.allow", "federation.deny",
    ]

    /// Stops: nothing new is accepted, what is under way ends, what is written is written.
    func stop() async {
        logger.info("stopping")
        readiness.drain()
        if configuration.drainSeconds > 0 {
            // Whoever spreads requests over servers sees it meanwhile, and sends no more.
            try? await Task.sleep(for: .seconds(configuration.drainSeconds))
        }
        // Requests that wait for the end of long work are answered.
        await services.rooms.jobs.stop()
        await server.shutdown(deadline: Self.drainTime)
        services.rooms.delayed.stop()
        services.calls.stop()
        services.accounts.validity?.stop()
        background.cancel()
        for cursor in services.found.cursors { await cursor.stop() }
        await services.pushes.stop()
        await services.appServices.sender.stop()
        do { try await services.reads?.flush() } catch {
            logger.warning("what users have read last is not stored", metadata: ["error": "\(error)"])
        }
        do { try await services.accounts.activity.flush() } catch {
            logger.warning("last uses of devices not stored", metadata: ["error": "\(error)"])
        }
        await services.traffic?.stop()
        await services.federation?.client.shutDown()
        await services.previews?.stop()
        await services.identityClient.close()
        do {
            try await services.outside.close()
            try await services.appServices.requests.close()
        } catch {
            logger.warning("connections to the outside not closed", metadata: ["error": "\(error)"])
        }
        await database.close()
        logger.info("stopped")
    }
}
