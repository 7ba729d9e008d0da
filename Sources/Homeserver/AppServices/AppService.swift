import Matrix

/// An application service, as its registration file describes it.
///
/// [Registration](https://spec.matrix.org/v1.19/application-service-api/#registration)
public struct AppService: Sendable {
    /// Some users, aliases or rooms.
    public struct Namespace: Sendable {
        /// Which.
        public let pattern: NamespacePattern
        /// Whether nobody else may make any of them.
        public let isExclusive: Bool

        /// A namespace.
        public init(pattern: NamespacePattern, isExclusive: Bool) {
            self.pattern = pattern
            self.isExclusive = isExclusive
        }
    }

    /// What a service is interested in.
    public struct Namespaces: Sendable {
        /// Users of this server.
        public var users: [Namespace]
        /// Room aliases.
        public var aliases: [Namespace]
        /// Rooms, by their identifiers.
        public var rooms: [Namespace]

        /// Namespaces.
        public init(users: [Namespace] = [], aliases: [Namespace] = [], rooms: [Namespace] = []) {
            self.users = users
            self.aliases = aliases
            self.rooms = rooms
        }
    }

    /// What a service is told beside events.
    public struct Extras: OptionSet, Sendable {
        /// One bit each.
        public let rawValue: Int
        /// Extras of these bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// Receipts, who is typing, presence, and messages to devices.
        public static let ephemeral = Extras(rawValue: 1)
        /// The service knows those by the names that they had before they were specified.
        public static let unstableNames = Extras(rawValue: 2)
        /// Whose devices change, and how many keys those of its users have left: MSC3202.
        public static let devices = Extras(rawValue: 4)
    }

    /// Its name, which never changes.
    public let id: String
    /// Where it is asked and told, without a slash at the end; `nil` if it never is.
    public let url: String?
    /// The token with which it makes requests.
    public let token: String
    /// The token with which this server makes requests of it.
    public let homeserverToken: String
    /// The user that it is itself.
    public let sender: UserID
    /// Whether requests of its users count for rate limits; the sender's never do.
    public let isRateLimited: Bool
    /// What it is interested in.
    public let namespaces: Namespaces
    /// The networks that it leads to.
    public let protocols: [String]
    /// What it is told beside events.
    public let extras: Extras

    /// A service.
    public init(
        id: String, url: String?, token: String, homeserverToken: String, sender: UserID, isRateLimited: Bool = true,
        namespaces: Namespaces = Namespaces(), protocols: [String] = [], extras: Extras = []
    ) {
        self.id = id
        self.url = url
        self.token = token
        self.homeserverToken = homeserverToken
        self.sender = sender
        self.isRateLimited = isRateLimited
        self.namespaces = namespaces
        self.protocols = protocols
        self.extras = extras
    }

    /// Whether a user is its sender or of its namespace. Users of other servers never are.
    public func owns(_ user: UserID) -> Bool {
        user.isLocal(to: sender.server)
            && (user == sender || namespaces.users.contains { $0.pattern.matches(user.string) })
    }

    /// Whether an alias is of its namespace.
    public func owns(_ alias: RoomAlias) -> Bool {
        namespaces.aliases.contains { $0.pattern.matches(alias.string) }
    }

    /// Whether a room is of its namespace.
    public func owns(_ room: RoomID) -> Bool { namespaces.rooms.contains { $0.pattern.matches(room.string) } }

    func claims(_ user: UserID) -> Bool {
        user == sender
            || user.isLocal(to: sender.server)
                && namespaces.users.contains { $0.isExclusive && $0.pattern.matches(user.string) }
    }

    func claims(_ alias: RoomAlias) -> Bool {
        namespaces.aliases.contains { $0.isExclusive && $0.pattern.matches(alias.string) }
    }
}

/// The application services of this server.
public struct AppServices: Sendable {
    /// All of them, in the order of the configuration.
    public let all: [AppService]
    private let byToken: [ExactString: Int]

    /// No services.
    public static let none = AppServices([])

    /// Services; their names and tokens must differ.
    public init(_ services: [AppService]) {
        all = services
        byToken = Dictionary(services.enumerated().map { (ExactString($1.token), $0) }) { first, _ in first }
    }

    /// Whether there are none.
    public var isEmpty: Bool { all.isEmpty }

    /// The service that makes requests with a token, or `nil`.
    public func service(token: String) -> AppService? {
        isEmpty ? nil : byToken[ExactString(token)].map { all[$0] }
    }

    /// The service of that name, or `nil`.
    public func service(id: String) -> AppService? { all.first { $0.id.utf8.elementsEqual(id.utf8) } }

    /// Accepts that somebody makes a user.
    ///
    /// - Parameter service: The service that does; `nil` for anybody else.
    /// - Throws: 400 `M_EXCLUSIVE` if the user is not of the service's namespace, or of another's that is exclusive.
    public func checkMayMake(_ user: UserID, by service: AppService?) throws(MatrixError) {
        if let service, !service.owns(user) {
            throw MatrixError(400, .exclusive, "\(user) is not of the application service's namespace")
        }
        if all.contains(where: { $0.id != service?.id && $0.claims(user) }) {
            throw MatrixError(400, .exclusive, "This user name is reserved for an application service")
        }
    }

    /// Accepts that somebody makes or removes an alias.
    ///
    /// - Parameter service: The name of the service that does; `nil` for anybody else.
    /// - Throws: 400 `M_EXCLUSIVE` if the alias is not of the service's namespace, or of another's that is exclusive.
    public func checkMayChange(_ alias: RoomAlias, by service: String?) throws(MatrixError) {
        if let service = service.flatMap({ self.service(id: $0) }), !service.owns(alias) {
            throw MatrixError(400, .exclusive, "\(alias) is not of the application service's namespace")
        }
        if all.contains(where: { $0.id != service && $0.claims(alias) }) {
            throw MatrixError(400, .exclusive, "This alias is reserved for an application service")
        }
    }
}
