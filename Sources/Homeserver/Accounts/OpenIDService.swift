import Matrix
import Store

/// A token by which a user proves to somebody else who they are. It is good for nothing else.
public struct OpenIDToken: Sendable {
    /// The token; secret.
    public let token: String
    /// For how long it is good, in seconds.
    public let lifetimeSeconds: Int64
}

/// Gives out tokens by which users prove to others who they are, and says whose a token is.
///
/// [OpenID](https://spec.matrix.org/v1.19/client-server-api/#openid)
public struct OpenIDService: Sendable {
    private let store: Store
    private let clock: any Clock
    private let randomness: any Randomness
    /// This server.
    public let serverName: ServerName

    private static let lifetimeSeconds: Int64 = 3_600

    /// A service.
    public init(store: Store, clock: any Clock, randomness: any Randomness, serverName: ServerName) {
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.serverName = serverName
    }

    /// A new token of a user. Only its hash is kept.
    public func issue(for user: UserNumber) async throws -> OpenIDToken {
        let token = randomness.text(43)
        let now = clock.now
        try await store.write { writer in
            try writer.openIDTokens.insert(
                TokenHash(of: token), of: user, expiresAt: now + Self.lifetimeSeconds * 1_000, now: now)
        }
        return OpenIDToken(token: token, lifetimeSeconds: Self.lifetimeSeconds)
    }

    /// Whose a token is.
    ///
    /// - Throws: 401 `M_UNKNOWN_TOKEN`.
    public func user(of token: String) async throws -> UserID {
        let now = clock.now
        let user = try await store.read { reader in
            try reader.openIDTokens.user(of: TokenHash(of: token), now: now).map { try reader.identifiers.user($0) }
        }
        guard let user else { throw MatrixError(401, .unknownToken, "The token is unknown or has expired") }
        return user
    }
}
