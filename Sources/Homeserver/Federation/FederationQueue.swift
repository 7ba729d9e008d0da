import Matrix

/// What waits to be sent to other servers, as administrators see it.
public protocol FederationQueue: Sendable {
    /// Servers that this one sends to, in the order of their names.
    func destinations(after server: ServerName?, limit: Int) async throws -> [DestinationStatus]

    /// Has a server tried now, whenever its next attempt was due.
    ///
    /// - Returns: Whether this server sends to it at all.
    func retry(_ server: ServerName) async throws -> Bool
}

/// How sending to a server goes.
public struct DestinationStatus: Sendable {
    /// The server.
    public var server: ServerName
    /// How many events wait for it, give or take those of rooms it has joined or left meanwhile.
    public var pendingEvents: Int
    /// How many messages for its users' devices wait.
    public var pendingDeviceMessages: Int
    /// How many attempts have failed since the last that did not.
    public var failures: Int
    /// When the first of them was, in milliseconds since 1970.
    public var firstFailure: Int64?
    /// When the next attempt is due, if the last one failed.
    public var nextAttempt: Int64?
    /// When the last attempt was.
    public var lastAttempt: Int64?
    /// When the last attempt that did not fail was.
    public var lastSuccess: Int64?
    /// Why the last attempt failed.
    public var lastError: String?

    /// A status.
    public init(
        server: ServerName, pendingEvents: Int, pendingDeviceMessages: Int, failures: Int, firstFailure: Int64?,
        nextAttempt: Int64?, lastAttempt: Int64?, lastSuccess: Int64?, lastError: String?
    ) {
        self.server = server
        self.pendingEvents = pendingEvents
        self.pendingDeviceMessages = pendingDeviceMessages
        self.failures = failures
        self.firstFailure = firstFailure
        self.nextAttempt = nextAttempt
        self.lastAttempt = lastAttempt
        self.lastSuccess = lastSuccess
        self.lastError = lastError
    }
}

/// Finds out whether another server can be reached, and where it breaks off if not.
public protocol ServerProbe: Sendable {
    /// Goes through the steps of reaching a server until one fails.
    func probe(_ server: ServerName) async -> [ServerProbeStep]
}

/// A step of reaching a server: finding its address, connecting, asking for its version, fetching its keys.
public struct ServerProbeStep: Sendable, Hashable {
    /// What was done, in a few words.
    public let name: String
    /// Whether it succeeded.
    public let isPassed: Bool
    /// What came of it: an address, a version, an error.
    public let detail: String

    /// A step.
    public init(name: String, isPassed: Bool, detail: String) {
        self.name = name
        self.isPassed = isPassed
        self.detail = detail
    }
}
