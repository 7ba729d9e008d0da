import Matrix
import Store

/// Where users sign in at a service beside this server, it says there that they may replace their cross-signing keys.
///
/// [OAuth authentication](https://spec.matrix.org/v1.19/client-server-api/#oauth-authentication)
public struct DelegatedKeyReplacement: KeyReplacementAuthorization {
    /// How long users have for it, in milliseconds.
    public static let allowedMilliseconds: Int64 = 600_000

    private let store: Store
    private let clock: any Clock
    private let delegated: DelegatedAuthentication

    /// - Parameters:
    ///   - store: Where it is noted that somebody may.
    ///   - clock: Tells the time.
    ///   - delegated: Where users sign in.
    public init(store: Store, clock: any Clock, delegated: DelegatedAuthentication) {
        self.store = store
        self.clock = clock
        self.delegated = delegated
    }

    /// Authorizes replacing a user's cross-signing keys if the service has said so a short time ago.
    ///
    /// - Throws: 401 with the page on which users say that they want it; 503 if the service cannot be asked.
    public func authorizeKeyReplacement(
        of user: UserNumber, auth: JSON?
    ) async throws -> @Sendable (StoreWriter) throws -> Void {
        let now = clock.now
        let until = try await store.read { try $0.crossSigningKeys.replacementAllowed(of: user) }
        if let until, until > now {
            return { try $0.crossSigningKeys.allowReplacement(of: user, until: nil) }
        }
        let names = ["m.oauth", "org.matrix.cross_signing_reset"]
        let page = try await delegated.accountManagement() ?? ""
        let url = "\(page)\(page.utf8.contains(UInt8(ascii: "?")) ? "&" : "?")action=org.matrix.cross_signing_reset"
        var parameters = JSONObject()
        for name in names { parameters[name] = ["url": .string(url)] }
        throw MatrixError(
            401, .none, "",
            extra: [
                // There are no steps in between: a session has nothing to remember.
                "session": "dummy", "flows": .array(names.map { ["stages": [.string($0)]] }),
                "params": .object(parameters), "completed": [],
            ])
    }
}
