import Adapters
import FederationOutbound
import Homeserver
import Logging
import NameLookup
import Store
import Web

/// What finds out whom to push what, and does.
struct PushServices: Sendable {
    let pushers: PusherService
    let sender: PushSender
    /// `nil` where no mail is sent.
    let mail: MailSender?
    let unsubscription: Unsubscription
    private let cursor: JournalCursor
    private let gateway: PushGatewayClient

    /// How long gateways get to answer when the server stops, in milliseconds.
    private static let graceMilliseconds: Int64 = 2_000

    init(
        _ configuration: Configuration, rooms: RoomService, unread: UnreadCounts, judges: RuleJudges,
        ignored: IgnoredUsers, clock: any Clock, scheduler: any Scheduler, randomness: any Randomness,
        names: any NameResolver, signingKeys: SigningKeyring
    ) throws {
        let store = rooms.store
        let outbound = configuration.outbound
        let logger = Logger(label: "chappe.push")
        let users = PushUsers(store: store)
        let schedule = configuration.mail?.notifications
        let mailer = try schedule == nil ? nil : SMTPMailer(configuration, clock: clock, randomness: randomness)
        pushers = PusherService(
            store: store, clock: clock, users: users, allowsLoopback: outbound.allowsPrivateAddresses,
            sendsMail: mailer != nil)
        unsubscription = Unsubscription(
            store: store, pushers: pushers, keyring: signingKeys, baseURL: configuration.browserURL)
        if let mailer, let schedule {
            mail = MailSender(
                store: store, rooms: rooms, unread: unread, mailer: mailer, schedule: schedule,
                unsubscription: unsubscription, clock: clock, scheduler: scheduler,
                validity: configuration.accountValidity, logger: logger)
        } else {
            mail = nil
        }
        gateway = PushGatewayClient(
            names: names, allowsPrivateAddresses: outbound.allowsPrivateAddresses,
            verifiesTLS: outbound.verifiesTLSOutsideFederation, proxy: outbound.proxy?.address, clock: clock,
            logger: logger)
        sender = PushSender(
            store: store, rooms: rooms, unread: unread, users: users, gateway: gateway, clock: clock,
            scheduler: scheduler, validity: configuration.accountValidity, logger: logger)
        cursor = JournalCursor(
            .push,
            follower: PushFollower(
                store: store, judges: judges, ignored: ignored, invites: rooms.invitePermissions, users: users,
                sender: sender, mail: mail, clock: clock),
            store: store, scheduler: scheduler, logger: Logger(label: "chappe.journal"))
    }

    /// Goes on where the server stopped.
    func start() async throws {
        try await sender.start()
        try await mail?.start()
        try await cursor.start()
    }

    func stop() async {
        await cursor.stop()
        await mail?.stop(withinMilliseconds: Self.graceMilliseconds)
        await sender.stop(withinMilliseconds: Self.graceMilliseconds)
        // What a slow gateway has not answered by now is told again by the next process.
        await gateway.close()
        await sender.stop(withinMilliseconds: Self.graceMilliseconds)
    }

    /// Writes what is counted.
    func write(to text: inout PrometheusText) {
        let counts = sender.counts
        func metric(_ name: String, _ type: String, _ help: String, _ value: some BinaryInteger) {
            text.value("chappe_push_\(name)", type, help, value)
        }
        metric("sent_total", "counter", "Notifications that a push gateway has taken.", counts.sent)
        metric("failed_total", "counter", "Attempts that are repeated: the gateway did not answer.", counts.failed)
        metric("rejected_total", "counter", "Push keys that a gateway has rejected.", counts.rejected)
        metric("dropped_total", "counter", "Notifications that a push gateway refuses.", counts.dropped)
        metric("mails_total", "counter", "Mails about what users have not read.", mail?.sentCount ?? 0)
        metric("waiting", "gauge", "Pushers that have something to tell.", counts.waiting)
        text.value(
            "synapse_http_httppusher_http_pushes_processed_total", "counter",
            "Notifications that a push gateway has taken.", counts.sent)
        text.value(
            "synapse_http_httppusher_http_pushes_failed_total", "counter",
            "Attempts that are repeated: the gateway did not answer.", counts.failed)
    }
}
