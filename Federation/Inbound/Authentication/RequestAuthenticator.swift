import FederationWire
import Homeserver
import Matrix
import Web

/// Proves which server a request comes from: by its signature over method, target, both names and body.
///
/// [Request authentication](https://spec.matrix.org/v1.19/server-server-api/#request-authentication).
public struct RequestAuthenticator: ServerAuthenticator {
    private let serverName: ServerName
    private let keys: any ServerKeys
    private let policy: FederationPolicy
    private let clock: any Clock
    private let whenAuthenticated: @Sendable (ServerName) -> Void

    /// A request may be signed by several keys; more than this many are not looked at.
    private static let maximumSignatures = 4

    /// An authenticator.
    ///
    /// - Parameters:
    ///   - serverName: This server: requests must be for it.
    ///   - keys: Knows the keys of others.
    ///   - policy: Which others may make requests.
    ///   - clock: Tells the time at which keys must be valid.
    ///   - whenAuthenticated: Called with each server that has proved to make a request: it can be reached again.
    public init(
        serverName: ServerName, keys: any ServerKeys, policy: FederationPolicy, clock: any Clock,
        whenAuthenticated: @escaping @Sendable (ServerName) -> Void = { _ in }
    ) {
        self.serverName = serverName
        self.keys = keys
        self.policy = policy
        self.clock = clock
        self.whenAuthenticated = whenAuthenticated
    }

    /// The server that has signed a request.
    ///
    /// - Throws: 401 `M_UNAUTHORIZED`, 403 `M_FORBIDDEN` by the policy, 400 `M_NOT_JSON` for a body that cannot have been signed, 400
    ///   `M_INVALID_PARAM` for an origin that cannot be a server.
    public func authenticate(_ request: HTTPRequest) async throws -> RemoteServer {
        let credentials = try credentials(of: request)
        let origin = credentials[0].origin
        guard credentials.allSatisfy({ $0.origin == origin }) else {
            throw Self.unauthorized("The request names several origins")
        }
        guard origin != serverName else { throw Self.unauthorized("The request claims to come from this server") }
        for destination in credentials.compactMap(\.destination) where destination != serverName {
            throw Self.unauthorized("The request is for \(destination), and this is \(serverName)")
        }
        // Before anything is fetched for its sake.
        try policy.check(origin)
        let content = try content(of: request)
        let signed = SignedRequest(
            method: request.method.rawValue, target: request.target, origin: origin, destination: serverName,
            content: content.map { CanonicalJSON.text(of: $0) }
        )
        let known = await keys.keysInUse(Set(credentials.map(\.keyID)), of: origin, now: clock.now)
        for credential in credentials {
            guard let key = known[credential.keyID] else {
                throw Self.unauthorized("\(origin) is not known to use the key \(credential.keyID)")
            }
            guard signed.isSigned(by: credential, key: key) else {
                throw Self.unauthorized("The signature by \(credential.keyID) of \(origin) is wrong")
            }
        }
        whenAuthenticated(origin)
        return RemoteServer(name: origin, body: content)
    }

    /// At least one. Fields of other schemes do not count.
    private func credentials(of request: HTTPRequest) throws(MatrixError) -> [XMatrixCredentials] {
        let fields = request.headers.all("authorization").filter(XMatrixCredentials.isPresent)
        guard !fields.isEmpty else { throw Self.unauthorized("The request is not signed") }
        guard fields.count <= Self.maximumSignatures else {
            throw Self.unauthorized("The request has too many signatures")
        }
        var credentials: [XMatrixCredentials] = []
        for field in fields {
            do { credentials.append(try XMatrixCredentials(parsing: field)) } catch {
                // No server of that name can be: nothing that better credentials would change.
                if error == .invalid("origin") { throw .invalidParameter("The origin is no server name") }
                throw Self.unauthorized("The Authorization field cannot be read: \(error)")
            }
        }
        return credentials
    }

    /// The body, or `nil` without one.
    private func content(of request: HTTPRequest) throws(MatrixError) -> JSON? {
        guard case .bytes(let bytes) = request.body else {
            throw MatrixError(500, .unknown, "The body of a signed request must be read before it is verified")
        }
        if bytes.isEmpty { return nil }
        do { return try JSON(parsing: bytes, options: .federation) } catch {
            throw .notJSON("The body is not valid JSON")
        }
    }

    private static func unauthorized(_ message: String) -> MatrixError { MatrixError(401, .unauthorized, message) }
}
