import Adapters
import Homeserver
import Logging
import Matrix
import Store

/// What calls at conference services need.
struct CallServices: Sendable {
    /// `nil` if this server lets people into no LiveKit.
    let liveKit: LiveKitAuthorization?
    let leaves: DelegatedLeaves?
    /// `nil` without a conference service.
    let calls: CallService?
    private let isAlone: Bool

    /// - Parameters:
    ///   - remote: Asks other servers; `nil` if federation is off.
    ///   - outside: Requests to where the administrator leads.
    init(
        _ configuration: Configuration, rooms: RoomService, delayed: DelayedEventService, openID: OpenIDService,
        remote: (any RemoteIdentities)?, outside: OutsideRequests, clock: any Clock, randomness: any Randomness,
        scheduler: any Scheduler
    ) throws {
        let conferences = configuration.conferences
        let tokens = SignedWebTokens()
        let logger = Logger(label: "chappe.calls")
        func secret(_ text: Configuration.SecretText?, _ key: String) throws -> String {
            guard let text else { throw CommandFailure("calls.\(key) is missing") }
            return try ServerFiles.secret(text, named: "calls.\(key)", of: configuration)
        }
        isAlone = configuration.database.hasPrefix("sqlite:")
        if let liveKit = conferences.liveKit {
            let secret = try secret(liveKit.secret, "livekit.secret")
            let forwarder = LiveKitClient(
                url: liveKit.apiURL, key: liveKit.key, secret: secret, tokens: tokens, clock: clock, outside: outside,
                timeoutMilliseconds: Int64(liveKit.timeoutMilliseconds))
            let leaves = DelegatedLeaves(
                store: rooms.store, delayed: delayed, forwarder: forwarder, clock: clock, scheduler: scheduler,
                logger: logger)
            let longest = conferences.rules.maximumMilliseconds.map { $0 / 1_000 } ?? .max
            self.leaves = leaves
            self.liveKit = LiveKitAuthorization(
                settings: LiveKitAuthorization.Settings(
                    url: liveKit.url, key: liveKit.key, secret: secret, fullAccess: liveKit.fullAccess,
                    lifetimeSeconds: min(Int64(liveKit.lifetimeSeconds), longest),
                    maximumParticipants: conferences.rules.maximumMembers ?? 0),
                rooms: rooms, openID: openID, remote: remote, forwarder: forwarder, tokens: tokens, leaves: leaves,
                clock: clock, logger: logger)
        } else {
            liveKit = nil
            leaves = nil
        }
        var services: [Conference] = []
        if let visio = conferences.visio {
            services.append(
                Conference(
                    name: "visio",
                    kind: .asked(
                        VisioClient(
                            url: visio.url, clientID: visio.clientID,
                            clientSecret: try secret(visio.clientSecret, "visio.client_secret"), outside: outside,
                            timeoutMilliseconds: Int64(visio.timeoutMilliseconds))),
                    url: visio.url, privateAccess: visio.privateAccess, openAccess: visio.openAccess,
                    fallbackAddress: visio.fallbackAddress, rings: visio.rings, placesWidget: visio.placesWidget,
                    reports: try visio.webhookSecret.map {
                        Conference.ReportAccess(
                            key: visio.webhookKey, secret: try secret($0, "visio.webhook_secret"),
                            recordingsURL: visio.recordingsURL)
                    }))
        }
        if let jitsi = conferences.jitsi {
            let access = try jitsi.appID.map {
                Conference.JitsiAccess(
                    appID: $0, secret: try secret(jitsi.secret, "jitsi.secret"), audience: jitsi.audience,
                    subject: jitsi.subject, lifetimeSeconds: Int64(jitsi.lifetimeSeconds))
            }
            services.append(
                Conference(
                    name: "jitsi", kind: .jitsi(access), url: jitsi.url, rings: jitsi.rings,
                    placesWidget: jitsi.placesWidget))
        }
        calls =
            services.isEmpty
            ? nil
            : CallService(
                conferences: services, rooms: rooms, tokens: tokens, rules: conferences.rules, clock: clock,
                randomness: randomness, scheduler: scheduler, logger: logger)
    }

    /// Before the first delayed event is sent: those of people in calls wait.
    func prepare() async throws { try await leaves?.prepare() }

    /// Takes up what was left when the server stopped.
    func resume() async throws { try await calls?.resume(isAlone: isAlone) }

    /// Does nothing more by itself.
    func stop() {
        leaves?.stop()
        calls?.stop()
    }
}
