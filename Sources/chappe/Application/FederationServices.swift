import FederationInbound
import FederationOutbound
import Homeserver
import Logging
import Matrix
import NameLookup
import Store

/// What a server that federates has beside the others: a client for other servers, their keys, and the proof of who makes a request.
struct FederationServices: Sendable {
    let policy: FederationPolicy
    let sending: SenderConfiguration
    let client: FederationClient
    let keys: KeyRing
    let authenticator: RequestAuthenticator

    /// The services, or `nil` if federation is off.
    ///
    /// - Throws: ``CommandFailure`` with a sentence for the administrator.
    init?(
        _ configuration: Configuration, store: Store, clock: any Clock, randomness: any Randomness,
        signingKeys: SigningKeyring
    ) throws {
        let settings = configuration.federation
        policy = FederationPolicy(mode: settings.mode, allowed: settings.allowed, denied: settings.denied)
        if policy.isOff { return nil }
        var sending = SenderConfiguration()
        sending.backoff.startMilliseconds = settings.firstRetryMilliseconds
        sending.backoff.capMilliseconds = settings.longestRetryMilliseconds
        // Whoever tries again soon need not be spared at the start either.
        sending.startUpSpreadMilliseconds = min(
            sending.startUpSpreadMilliseconds, 2 * settings.firstRetryMilliseconds)
        self.sending = sending
        client = FederationClient(
            identity: FederationClient.Identity(serverName: configuration.serverName, keys: signingKeys),
            policy: policy, surroundings: try Self.surroundings(configuration), health: RecentFailures(clock: clock),
            clock: clock, randomness: randomness, logger: Logger(label: "chappe.federation")
        )
        keys = KeyRing(
            store: store, clock: clock, serverName: configuration.serverName, own: signingKeys, source: client,
            policy: KeyRing.Policy(pinned: settings.pinnedKeys, notaries: settings.notaryServers),
            logger: Logger(label: "chappe.federation.keys")
        )
        authenticator = RequestAuthenticator(
            serverName: configuration.serverName, keys: keys, policy: policy, clock: clock,
            whenAuthenticated: { [client] server in client.noteReachable(server) }
        )
    }

    /// With what other servers are connected to.
    ///
    /// - Throws: ``CommandFailure`` with a sentence for the administrator.
    static func surroundings(_ configuration: Configuration) throws -> FederationClient.Surroundings {
        let trust: TrustRoots
        do {
            trust = try TrustRoots(additionalFile: configuration.federation.trustedCA.map(configuration.path))
        } catch {
            throw CommandFailure("federation.trusted_ca: no certificates can be read: \(error)")
        }
        let names: AresResolver
        do { names = try AresResolver() } catch {
            throw CommandFailure("names cannot be looked up: \(error)")
        }
        return FederationClient.Surroundings(
            trust: trust, names: names, proxy: configuration.outbound.proxy,
            allowsPrivateAddresses: configuration.outbound.allowsPrivateAddresses
        )
    }
}

extension Configuration {
    /// The `host:port` that other servers are sent to, where the public address is on another host than the server's name says; `nil`
    /// where they find the server without being told, or never ask.
    ///
    /// [Server discovery](https://spec.matrix.org/v1.19/server-server-api/#server-discovery)
    var delegatedServer: String? {
        guard federation.mode != .off, listeners.contains(where: { $0.serves.contains(.federation) }),
            serverName.port == nil, !serverName.isAddressLiteral, let publicBaseURL,
            publicBaseURL.hasPrefix("https://")
        else { return nil }
        let authority = publicBaseURL.dropFirst("https://".count).prefix { $0 != "/" }
        guard let address = ServerName(String(authority)), address.host.lowercased() != serverName.host.lowercased()
        else { return nil }
        return "\(address.host):\(address.port ?? 443)"
    }
}
