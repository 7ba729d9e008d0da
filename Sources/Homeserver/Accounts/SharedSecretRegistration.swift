import Crypto
import Matrix
import Store

/// Registration by whoever knows a secret of the configuration, as scripts and Synapse's own tool do it.
public final class SharedSecretRegistration: Sendable {
    private let secret: String
    private let store: Store
    private let clock: any Clock
    private let randomness: any Randomness
    private let accounts: AccountService
    private let audit: AuditTrail?

    private static let nonceLifetimeMilliseconds: Int64 = 60_000

    /// What is asked for.
    public struct Request: Sendable {
        /// The nonce that was given out.
        public var nonce: String
        /// The name.
        public var username: String
        /// The password.
        public var password: String
        /// What others see; the name unless given.
        public var displayName: String?
        /// Whether the user is to administer the server.
        public var isAdmin: Bool
        /// Synapse's `user_type`; it is part of the code and means nothing here.
        public var userType: String?
        /// Whether no session is wanted.
        public var inhibitsLogin: Bool
        /// The code that proves knowledge of the secret, in hexadecimal digits.
        public var mac: String
        /// The address it comes from.
        public var address: String

        /// A request.
        public init(
            nonce: String, username: String, password: String, displayName: String?, isAdmin: Bool, userType: String?,
            inhibitsLogin: Bool, mac: String, address: String = ""
        ) {
            self.address = address
            self.nonce = nonce
            self.username = username
            self.password = password
            self.displayName = displayName
            self.isAdmin = isAdmin
            self.userType = userType
            self.inhibitsLogin = inhibitsLogin
            self.mac = mac
        }
    }

    /// - Parameters:
    ///   - secret: The secret.
    ///   - store: Where nonces are.
    ///   - clock: Tells the time.
    ///   - randomness: What nonces are made of.
    ///   - accounts: Makes accounts.
    ///   - audit: Hears of it.
    public init(
        secret: String, store: Store, clock: any Clock, randomness: any Randomness, accounts: AccountService,
        audit: AuditTrail? = nil
    ) {
        self.audit = audit
        self.secret = secret
        self.store = store
        self.clock = clock
        self.randomness = randomness
        self.accounts = accounts
    }

    /// A nonce, good for one request within a minute.
    public func nonce() async throws -> String {
        let nonce = randomness.text(43)
        let now = clock.now
        try await store.write {
            try $0.registrationNonces.insert(nonce, expiresAt: now + Self.nonceLifetimeMilliseconds, now: now)
        }
        return nonce
    }

    /// Makes an account.
    ///
    /// - Throws: 403 for a wrong code; 400 for an unknown nonce, a name that is taken or not allowed.
    public func register(_ request: Request) async throws -> Registration {
        let now = clock.now
        guard try await store.write({ try $0.registrationNonces.take(request.nonce, now: now) }) else {
            throw MatrixError(400, .unknown, "The nonce is not known or has been used")
        }
        var parts = [request.nonce, request.username, request.password, request.isAdmin ? "admin" : "notadmin"]
        if let type = request.userType { parts.append(type) }
        guard let code = Self.bytes(hexadecimal: request.mac), isCode(code, of: parts.joined(separator: "\0")) else {
            throw MatrixError.forbidden("The code is wrong")
        }
        let user = try accounts.userID(forNewName: request.username)
        let session = try await accounts.create(
            NewAccount(
                userID: user, passwordHash: try await accounts.hash(newPassword: request.password),
                flags: request.isAdmin ? .admin : [], displayName: request.displayName
            ),
            device: request.inhibitsLogin ? nil : DeviceRequest(address: request.address)
        ) { [audit] writer in
            try audit?.note(
                .userCreate, by: AuditActor(name: AuditActor.sharedSecret, address: request.address), on: user.string,
                detail: ["admin": .bool(request.isAdmin)], in: writer)
        }
        return Registration(userID: user, session: session)
    }

    // SHA-1 because that is what the tools compute; as an HMAC it has not been broken.
    private func isCode(_ code: [UInt8], of text: String) -> Bool {
        HMAC<Insecure.SHA1>.isValidAuthenticationCode(
            code, authenticating: Array(text.utf8), using: SymmetricKey(data: Array(secret.utf8))
        )
    }

    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = text.utf8.map { byte -> UInt8? in
            switch byte {
            case 0x30...0x39: byte - 0x30
            case 0x61...0x66: byte - 0x61 + 10
            case 0x41...0x46: byte - 0x41 + 10
            default: nil
            }
        }
        guard digits.count == 40 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 40, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
