import Homeserver
import Matrix
import NameLookup

extension FederationClient {
    /// Who makes the requests.
    public struct Identity: Sendable {
        /// This server.
        public let serverName: ServerName
        /// Has its key.
        public let keys: any SigningKeySource

        /// An identity.
        public init(serverName: ServerName, keys: any SigningKeySource) {
            self.serverName = serverName
            self.keys = keys
        }
    }

    /// What requests are made with.
    public struct Surroundings: Sendable {
        /// The authorities that are believed.
        public var trust: TrustRoots
        /// Looks up names.
        public var names: any NameResolver
        /// The proxy that connects, if one does.
        public var proxy: OutboundProxy?
        /// Whether addresses that are not on the internet may be connected to.
        public var allowsPrivateAddresses: Bool
        /// How many servers may be connected to at once.
        public var maximumPeers: Int
        /// The port of `.well-known`. Only tests have another.
        public var wellKnownPort: Int

        /// Surroundings.
        public init(
            trust: TrustRoots, names: any NameResolver, proxy: OutboundProxy? = nil,
            allowsPrivateAddresses: Bool = false, maximumPeers: Int = 500, wellKnownPort: Int = 443
        ) {
            self.trust = trust
            self.names = names
            self.proxy = proxy
            self.allowsPrivateAddresses = allowsPrivateAddresses
            self.maximumPeers = maximumPeers
            self.wellKnownPort = wellKnownPort
        }
    }
}
