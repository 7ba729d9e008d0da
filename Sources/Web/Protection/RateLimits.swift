/// What requests are counted together when they are limited.
///
/// [Rate limiting](https://spec.matrix.org/v1.19/client-server-api/#rate-limiting).
public struct RateLimitClass: Hashable, Sendable, ExpressibleByStringLiteral {
    /// The name, as in the configuration.
    public let name: String

    /// A class.
    public init(_ name: String) { self.name = name }
    /// A class.
    public init(stringLiteral value: String) { name = value }

    /// Never limited.
    public static let none: RateLimitClass = "none"
    /// What has no class of its own.
    public static let standard: RateLimitClass = "standard"
    /// Events sent.
    public static let message: RateLimitClass = "message"
    /// Attempts to sign in: by address.
    public static let login: RateLimitClass = "login"
    /// New accounts: by address.
    public static let registration: RateLimitClass = "registration"
    /// Rooms created.
    public static let roomCreation: RateLimitClass = "room_creation"
    /// Wrong passwords: by account.
    public static let loginAccount: RateLimitClass = "login_account"
    /// Rooms joined or knocked on.
    public static let join: RateLimitClass = "join"
    /// Those of them that have to be entered through another server.
    public static let joinRemote: RateLimitClass = "join_remote"
    /// Users invited: by who invites.
    public static let invite: RateLimitClass = "invite"
    /// Users invited: by room.
    public static let inviteRoom: RateLimitClass = "invite_room"
    /// Users invited: by who is invited.
    public static let inviteUser: RateLimitClass = "invite_user"
    /// Media uploaded.
    public static let upload: RateLimitClass = "upload"
    /// Previews of web pages.
    public static let preview: RateLimitClass = "preview"
    /// Media downloaded: by user, or by address where no token is asked for.
    public static let download: RateLimitClass = "download"
    /// Searches.
    public static let search: RateLimitClass = "search"
    /// Requests of other servers: by server.
    public static let federation: RateLimitClass = "federation"
    /// Questions for servers' keys, which anyone may ask: by address.
    public static let serverKeys: RateLimitClass = "server_keys"

    /// What is done by users, and for which an administrator can give a user limits of their own.
    public static let ofUsers: Set<RateLimitClass> = [.message, .roomCreation, .join, .joinRemote, .invite]
}

/// How many requests of each class one user, or one address, may make.
public struct RateLimits: Sendable {
    /// A bucket: it holds `burst` requests and is filled up again by `perSecond`.
    public struct Limit: Sendable, Hashable {
        /// Requests a second in the long run.
        public var perSecond: Double
        /// Requests at once.
        public var burst: Int

        /// A limit.
        public init(perSecond: Double, burst: Int) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    /// Whether anything is limited at all.
    public var isEnabled: Bool
    /// The limits; a class that is not here is not limited.
    public var classes: [RateLimitClass: Limit]

    /// Limits.
    public init(isEnabled: Bool = true, classes: [RateLimitClass: Limit] = RateLimits.defaults) {
        self.isEnabled = isEnabled
        self.classes = classes
    }

    /// Limits that people do not notice and programs that run wild do.
    public static let defaults: [RateLimitClass: Limit] = [
        .standard: Limit(perSecond: 50, burst: 500),
        .message: Limit(perSecond: 5, burst: 50),
        .login: Limit(perSecond: 0.2, burst: 10),
        .registration: Limit(perSecond: 0.1, burst: 5),
        .roomCreation: Limit(perSecond: 0.2, burst: 10),
        .loginAccount: Limit(perSecond: 1.0 / 30, burst: 20),
        .join: Limit(perSecond: 0.5, burst: 20),
        .joinRemote: Limit(perSecond: 0.2, burst: 15),
        .invite: Limit(perSecond: 0.5, burst: 30),
        .inviteRoom: Limit(perSecond: 0.5, burst: 100),
        .inviteUser: Limit(perSecond: 0.1, burst: 20),
        .upload: Limit(perSecond: 1, burst: 30),
        .preview: Limit(perSecond: 1, burst: 30),
        .download: Limit(perSecond: 20, burst: 500),
        .search: Limit(perSecond: 1, burst: 20),
        .federation: Limit(perSecond: 100, burst: 1000),
        .serverKeys: Limit(perSecond: 5, burst: 100),
    ]
}
