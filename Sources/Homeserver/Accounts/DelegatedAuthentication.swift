import Matrix
import Store
import Synchronization

/// Users sign in at a service beside this server, which knows whose its tokens are:
/// [Matrix Authentication Service](https://element-hq.github.io/matrix-authentication-service/).
///
/// [OAuth 2.0 API](https://spec.matrix.org/v1.19/client-server-api/#oauth-20-api);
/// [token introspection](https://www.rfc-editor.org/rfc/rfc7662).
public final class DelegatedAuthentication: Sendable {
    /// What the service says of a token.
    struct Token: Sendable, Equatable {
        /// The localpart of its user.
        var username: String
        /// The device that it was given to, if it was given to one.
        var device: DeviceID?
        /// Whether it opens administration.
        var isAdministrator: Bool
        /// How long it lives from now, in milliseconds; `nil` until it is taken back.
        var lifetimeMilliseconds: Int64?
    }

    private struct State {
        var metadata: (json: JSON, until: Int64)?
        var underWay = 0
        /// Tokens that the service does not know, and until when it is believed.
        var refused: [TokenHash: Int64] = [:]
    }

    /// How long it is believed what was said of a token, in milliseconds.
    static let rememberMilliseconds: Int64 = 120_000
    private static let rememberRefusedMilliseconds: Int64 = 10_000
    private static let metadataMilliseconds: Int64 = 600_000
    /// Whoever asks with tokens of their own making must not make this server ask without end.
    private static let maximumUnderWay = 100
    private static let maximumRefused = 10_000

    /// The server whose users they are.
    let serverName: ServerName
    private let endpoint: String
    private let secret: String
    private let transport: any AuthenticationServiceTransport
    private let clock: any Clock
    private let state = Mutex(State())

    /// - Parameters:
    ///   - serverName: The server whose users they are.
    ///   - endpoint: The service's base URL, without a slash at the end.
    ///   - secret: What the service and this server know each other by.
    ///   - transport: Asks it.
    ///   - clock: Tells the time.
    public init(
        serverName: ServerName, endpoint: String, secret: String, transport: any AuthenticationServiceTransport,
        clock: any Clock
    ) {
        self.serverName = serverName
        self.endpoint = endpoint
        self.secret = secret
        self.transport = transport
        self.clock = clock
    }

    /// Whether a token is what the service and this server know each other by.
    public func isService(_ token: String) -> Bool {
        // Hashes, so that how long it takes to compare says nothing of how much is right.
        TokenHash(of: token) == TokenHash(of: secret)
    }

    /// What clients are told of the service.
    ///
    /// [GET /auth_metadata](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1auth_metadata)
    ///
    /// - Throws: 503 if it cannot be asked.
    public func metadata() async throws -> JSON {
        let now = clock.now
        if let known = state.withLock({ $0.metadata }), known.until > now { return known.json }
        let answer = await transport.ask("\(endpoint)/.well-known/openid-configuration", form: nil, fields: [])
        guard let answer, answer.status == 200, let json = try? JSON(parsing: answer.body),
            json["issuer"]?.string != nil
        else { throw Self.unavailable }
        state.withLock { $0.metadata = (json, now + Self.metadataMilliseconds) }
        return json
    }

    /// Where users manage their accounts; `nil` if the service does not say.
    ///
    /// - Throws: 503 if it cannot be asked.
    public func accountManagement() async throws -> String? {
        try await metadata()["account_management_uri"]?.string
    }

    /// What the service says of a token.
    ///
    /// - Parameters:
    ///   - text: The token.
    ///   - hash: Its hash.
    /// - Returns: `nil` for a token that is not good for this server.
    /// - Throws: 503 if the service cannot be asked.
    func token(_ text: String, _ hash: TokenHash) async throws -> Token? {
        let now = clock.now
        let mayAsk = try state.withLock { state -> Bool in
            if let until = state.refused[hash], until > now { return false }
            guard state.underWay < Self.maximumUnderWay else { throw Self.unavailable }
            state.underWay += 1
            return true
        }
        guard mayAsk else { return nil }
        defer { state.withLock { $0.underWay -= 1 } }
        let form = "token=\(Self.encoded(text))&token_type_hint=access_token"
        let answer = await transport.ask(
            "\(endpoint)/oauth2/introspect", form: Array(form.utf8),
            fields: [("Authorization", "Bearer \(secret)"), ("X-MAS-Supports-Device-Id", "1")])
        guard let answer, answer.status == 200, let json = try? JSON(parsing: answer.body),
            let isActive = json["active"]?.bool
        else { throw Self.unavailable }
        guard isActive, let token = Self.token(json) else {
            state.withLock { state in
                if state.refused.count >= Self.maximumRefused {
                    state.refused = state.refused.filter { $0.value > now }
                }
                guard state.refused.count < Self.maximumRefused else { return }
                state.refused[hash] = now + Self.rememberRefusedMilliseconds
            }
            return nil
        }
        return token
    }

    private static let unavailable = MatrixError(503, .unknown, "The service that users sign in at cannot be asked")

    /// Reads an answer, of which `active` is known to be true.
    ///
    /// - Returns: `nil` for a token that does not open the client-server API, or that names several devices.
    static func token(_ json: JSON) -> Token? {
        let scope = Set((json["scope"]?.string ?? "").split(separator: " ").map { ExactString(String($0)) })
        let opensAPI = scope.contains("urn:matrix:client:api:*")
        let opensUnstable = scope.contains("urn:matrix:org.matrix.msc2967.client:api:*")
        guard opensAPI || opensUnstable, let username = json["username"]?.string else { return nil }
        var names: [String] = []
        if let name = json["device_id"]?.string {
            names = [name]
        } else {
            for prefix in ["urn:matrix:client:device:", "urn:matrix:org.matrix.msc2967.client:device:"] {
                for entry in scope where entry.string.utf8.starts(with: prefix.utf8) {
                    names.append(String(decoding: entry.string.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
                }
            }
        }
        let devices = Set(names.map { ExactString($0) })
        guard devices.count <= 1 else { return nil }
        var device: DeviceID?
        if let name = devices.first?.string {
            guard let id = DeviceID(name) else { return nil }
            device = id
        }
        return Token(
            username: username, device: device, isAdministrator: scope.contains("urn:synapse:admin:*"),
            lifetimeMilliseconds: json["expires_in"]?.int.map { max(0, min($0, 1 << 40)) * 1_000 })
    }

    /// A text as it stands in a form.
    private static func encoded(_ text: String) -> String {
        var out: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
