import Crypto
import Matrix

/// Where clients find relays for calls, and what they may use them with for a while.
///
/// [GET /voip/turnServer](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver)
public struct TurnService: Sendable {
    /// Who may use a relay, and until when.
    public struct Credentials: Sendable {
        /// The relays' addresses: `turn:` and `turns:` URIs.
        public let uris: [String]
        /// The name to give.
        public let username: String
        /// The password to give.
        public let password: String
        /// For how long, in seconds.
        public let lifetimeSeconds: Int64
    }

    private enum Access: Sendable {
        case secret([UInt8])
        case fixed(username: String, password: String)
    }

    private let uris: [String]
    private let access: Access
    private let lifetimeSeconds: Int64
    private let allowsGuests: Bool
    private let clock: any Clock

    /// Relays that share a secret with this server, as coturn does with `use-auth-secret`.
    public init(uris: [String], secret: String, lifetimeSeconds: Int64, allowsGuests: Bool, clock: any Clock) {
        self.uris = uris
        access = .secret(Array(secret.utf8))
        self.lifetimeSeconds = lifetimeSeconds
        self.allowsGuests = allowsGuests
        self.clock = clock
    }

    /// Relays with one name and password for everybody.
    public init(
        uris: [String], username: String, password: String, lifetimeSeconds: Int64, allowsGuests: Bool,
        clock: any Clock
    ) {
        self.uris = uris
        access = .fixed(username: username, password: password)
        self.lifetimeSeconds = lifetimeSeconds
        self.allowsGuests = allowsGuests
        self.clock = clock
    }

    /// What a user may use the relays with.
    ///
    /// With a shared secret the name says until when it is good, and the password is its HMAC-SHA1, in Base64: what
    /// [the TURN REST API](https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00) has made common.
    ///
    /// - Throws: 403 for guests, unless they may call.
    public func credentials(for user: UserID, isGuest: Bool) throws -> Credentials {
        guard allowsGuests || !isGuest else { throw MatrixError.forbidden("Guests cannot call") }
        switch access {
        case .fixed(let username, let password):
            return Credentials(
                uris: uris, username: username, password: password, lifetimeSeconds: lifetimeSeconds)
        case .secret(let secret):
            let username = "\(clock.now / 1000 + lifetimeSeconds):\(user.string)"
            // Relays compare texts: Base64 with its padding, which for twenty bytes is one sign.
            let code = HMAC<Insecure.SHA1>.authenticationCode(
                for: Array(username.utf8), using: SymmetricKey(data: secret))
            return Credentials(
                uris: uris, username: username, password: Base64.encode(Array(code)) + "=",
                lifetimeSeconds: lifetimeSeconds)
        }
    }
}
