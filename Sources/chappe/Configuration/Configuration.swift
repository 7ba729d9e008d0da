import ClientAPI
import FederationOutbound
import Homeserver
import Matrix
import Store
import Web

/// What the configuration file says, checked. `Deploy/chappe.example.yaml` documents every key.
struct Configuration: Sendable {
    var serverName: ServerName
    var publicBaseURL: String?
    var dataDirectory: String
    var database: String
    var cacheBytes: Int
    var signingKey: String
    var listeners: [Listener]
    var registration: Registration
    var defaultRoomVersion: RoomVersion
    var messagesSelfDestruct: Bool
    var rateLimits: RateLimits
    var hashesPasswordsCheaply: Bool
    var passwordPolicy: PasswordPolicy
    var federation: Federation
    var outbound: Outbound
    var listsRoomsWithoutLogin: Bool
    var userDirectory: UserDirectoryPolicy
    var media: Media
    var presenceIsEnabled: Bool
    /// How long accounts are valid; `nil` for ever.
    var accountValidity: AccountValidityPolicy?
    /// The subject of the mails that renew accounts; one of the server's own if `nil`.
    var validitySubject: String?
    /// How much is noted of what users read; `nil` if nothing is.
    var reads: ReadLog.Policy?
    /// Where users sign in, in this server's place; `nil` if they sign in here.
    var authenticationService: AuthenticationService?
    /// For how long messages are kept; `nil`: forever.
    var retention: Retention?
    /// Who speaks to users for the server; `nil` if nobody does.
    var serverNotices: ServerNoticesPolicy?
    /// Whether users may follow threads, and are notified of those alone.
    var followsThreads: Bool
    /// Whether messages that mark no mentions are looked through for names.
    var findsMentionsInText: Bool
    var trustedProxies: [String]
    var appServices: [String]
    var mail: Mail?
    /// Who is asked whose an address is, and clients are told of the first; `nil`: whoever users name.
    var identityServers: [IdentityServer]?
    var turn: Turn?
    var rtcTransports: [RTCTransport]
    var conferences: Conferences
    var captcha: Captcha?
    /// What `/.well-known/matrix/support` says; empty without a contact.
    var support: JSONObject
    var cas: CAS?
    var log: Log
    /// How long the server says that it should get no more requests before it stops taking them, in seconds.
    var drainSeconds: Int
    /// What was written, as YAML, by key: those of the first level, and of maps those of the second.
    var written: [String: String] = [:]

    /// Where to listen, and for what.
    struct Listener: Sendable {
        enum Part: String, Sendable, CaseIterable { case client, federation, admin, metrics, wellknown }

        struct TLS: Sendable {
            var certificate: String
            var key: String
        }

        var bind: String
        var port: Int
        var serves: Set<Part>
        var tls: TLS?
    }

    /// Who may make an account.
    struct Registration: Sendable {
        enum Mode: String, Sendable, CaseIterable { case closed, token, open }

        var mode: Mode
        var sharedSecret: String?
        var allowsGuests: Bool
        var needsCaptcha: Bool
    }

    /// With whom the server federates.
    struct Federation: Sendable {
        var mode: FederationPolicy.Mode
        var allowed: [ServerPattern]
        var denied: [ServerPattern]
        var trustedCA: String?
        var pinnedKeys: [ServerName: [SigningKeyID: VerifyKey]]
        var notaryServers: [ServerName]
        var publicRooms: Bool
        /// How long it is waited after a server's first failure, in milliseconds.
        var firstRetryMilliseconds: Int64
        /// How long at the most, in milliseconds.
        var longestRetryMilliseconds: Int64
    }

    /// How the server connects to others.
    struct Outbound: Sendable {
        var allowsPrivateAddresses: Bool
        var proxy: OutboundProxy?
        var verifiesTLSOutsideFederation: Bool
    }

    /// Files.
    struct Media: Sendable {
        var store: String
        var maximumUploadBytes: Int
        /// Of which pages previews are made; `nil`: of none.
        var previews: PreviewPolicy?
        var servesLegacy: Bool
    }

    /// How mail is sent.
    struct Mail: Sendable {
        enum Encryption: String, Sendable, CaseIterable { case opportunistic, required, implicit, none }

        var host: String
        var port: Int
        var encryption: Encryption
        var trustedCA: String?
        var user: String?
        var password: String?
        var passwordFile: String?
        var from: EmailAddress
        /// When users who want it are told by mail what they have not read; `nil`: never.
        var notifications: MailSchedule?
    }

    /// The relays of calls.
    struct Turn: Sendable {
        /// What opens them: a secret shared with them, or a name and password that everybody uses.
        enum Access: Sendable {
            case secret(SecretText)
            case fixed(username: String, password: SecretText)
        }

        var uris: [String]
        var access: Access
        var lifetimeSeconds: Int
        var allowsGuests: Bool
    }

    /// A text that is not to be seen: written in the configuration, or the content of a file.
    enum SecretText: Sendable {
        case written(String)
        case file(String)
    }

    /// For how long messages are kept.
    struct Retention: Sendable {
        var policy: RetentionPolicy
        var purgeEveryMilliseconds: Int64
    }

    /// Who judges captchas.
    struct Captcha: Sendable {
        var siteVerifyAPI: String
        var publicKey: String
        var privateKey: String
    }

    /// Where users sign in outside.
    struct CAS: Sendable {
        var serverURL: String
        var name: String
    }

    /// What is logged, and how.
    struct Log: Sendable {
        enum Level: String, Sendable, CaseIterable { case trace, debug, info, notice, warning, error, critical }
        enum Format: String, Sendable, CaseIterable { case text, json }

        var level: Level
        var format: Format
        var file: String?
    }

    /// Where browsers reach this server, without a slash at the end.
    var browserURL: String { publicBaseURL ?? "https://\(serverName)" }

    /// A path of the file, made absolute.
    func path(_ path: String) -> String { path.hasPrefix("/") ? path : "\(dataDirectory)/\(path)" }

    /// The socket over which the administration commands reach a running server.
    var socketPath: String { path("chappe.sock") }
}
