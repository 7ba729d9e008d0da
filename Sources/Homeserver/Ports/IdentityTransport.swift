/// Makes requests of identity servers.
public protocol IdentityTransport: Sendable {
    /// Makes a request, and waits for what comes of it.
    ///
    /// - Parameters:
    ///   - url: The whole address.
    ///   - isConfigured: Whether the address is the administrator's choice. One that somebody else has named must not lead into networks that only
    ///     this server can reach.
    ///   - authorization: What shows who asks.
    ///   - body: A JSON text, to be posted; `nil` for a GET.
    /// - Returns: The answer; `nil` if there is none in time.
    func ask(
        _ url: String, isConfigured: Bool, authorization: String?, body: [UInt8]?
    ) async -> (status: Int, body: [UInt8])?
}

/// Knows whether the keys still count by which identity servers have signed invitations.
public protocol InvitationKeys: Sendable {
    /// Whether a key is valid.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - url: Where to ask: anybody who may invite can have named it.
    func isValid(_ key: String, at url: String) async -> Bool
}

/// An identity server that is asked.
public struct IdentityServer: Sendable, Hashable {
    /// What clients call it (`id_server`): a host and perhaps a port, in small letters.
    public let name: String
    /// Where it is, without a slash at the end.
    public let url: String
    /// Whether the configuration names it, and not only a user.
    public let isConfigured: Bool

    /// A server.
    public init(name: String, url: String, isConfigured: Bool = true) {
        self.name = name
        self.url = url
        self.isConfigured = isConfigured
    }
}
