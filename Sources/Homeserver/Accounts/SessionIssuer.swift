import Matrix
import Store

/// How long tokens live.
public struct TokenLifetimes: Sendable {
    /// Access tokens that can be refreshed, in milliseconds.
    public var refreshableMilliseconds: Int64
    /// Access tokens of clients that cannot refresh, in milliseconds; `nil` for ever.
    public var accessMilliseconds: Int64?
    /// Refresh tokens, in milliseconds; `nil` for ever.
    public var refreshMilliseconds: Int64?
    /// Tokens that log in on another device, in milliseconds.
    public var loginMilliseconds: Int64

    /// Lifetimes.
    public init(
        refreshableMilliseconds: Int64 = 3_600_000, accessMilliseconds: Int64? = nil, refreshMilliseconds: Int64? = nil,
        loginMilliseconds: Int64 = 120_000
    ) {
        self.refreshableMilliseconds = refreshableMilliseconds
        self.accessMilliseconds = accessMilliseconds
        self.refreshMilliseconds = refreshMilliseconds
        self.loginMilliseconds = loginMilliseconds
    }
}

/// On which device somebody logs in, and how.
public struct DeviceRequest: Sendable {
    /// The device; `nil` for a new one.
    public var id: DeviceID?
    /// What a new device is called.
    public var initialDisplayName: String?
    /// Whether the client can refresh tokens.
    public var wantsRefreshToken: Bool
    /// The client's address, for the audit trail.
    public var address: String

    /// A request.
    public init(
        id: DeviceID? = nil, initialDisplayName: String? = nil, wantsRefreshToken: Bool = false, address: String = ""
    ) {
        self.address = address
        self.id = id
        self.initialDisplayName = initialDisplayName
        self.wantsRefreshToken = wantsRefreshToken
    }
}

/// A session as its client is told of it, the only time that the tokens are there in the clear.
public struct NewSession: Sendable {
    /// The user.
    public let userID: UserID
    /// The device.
    public let device: DeviceID
    /// The access token.
    public let accessToken: String
    /// The refresh token, for clients that asked for one.
    public let refreshToken: String?
    /// How long the access token lives, in milliseconds; `nil` for ever.
    public let expiresInMilliseconds: Int64?
}

/// Makes tokens and gives them to devices.
struct SessionIssuer: Sendable {
    /// Tokens that were made and not given out yet.
    struct Prepared: Sendable {
        let device: DeviceID
        let displayName: String?
        let address: String
        let accessToken: String
        let refreshToken: String?
        let expiresInMilliseconds: Int64?
        var tokens: SessionTokens
        let now: Int64

        func session(of user: UserID) -> NewSession {
            NewSession(
                userID: user, device: device, accessToken: accessToken, refreshToken: refreshToken,
                expiresInMilliseconds: expiresInMilliseconds
            )
        }
    }

    let clock: any Clock
    let randomness: any Randomness
    let lifetimes: TokenLifetimes
    let removal: DeviceRemoval
    let audit: AuditTrail?

    /// Makes the tokens of a session.
    func prepare(_ request: DeviceRequest) throws -> Prepared {
        let name = try request.initialDisplayName.map(DeviceName.checked)
        return prepare(
            device: request.id ?? newDeviceID(), displayName: name, refresh: request.wantsRefreshToken,
            address: request.address)
    }

    /// Makes the tokens that replace a session's.
    func prepareRenewal(of device: DeviceID) -> Prepared {
        prepare(device: device, displayName: nil, refresh: true, address: "")
    }

    private func prepare(device: DeviceID, displayName: String?, refresh: Bool, address: String) -> Prepared {
        let now = clock.now
        let access = "cha_\(randomness.text(40))"
        let refreshToken = refresh ? "chr_\(randomness.text(40))" : nil
        let lifetime = refresh ? lifetimes.refreshableMilliseconds : lifetimes.accessMilliseconds
        let tokens = SessionTokens(
            access: TokenHash(of: access), accessExpiresAt: lifetime.map { now + $0 },
            refresh: refreshToken.map { TokenHash(of: $0) },
            refreshExpiresAt: lifetimes.refreshMilliseconds.map { now + $0 }
        )
        return Prepared(
            device: device, displayName: displayName, address: address, accessToken: access, refreshToken: refreshToken,
            expiresInMilliseconds: lifetime, tokens: tokens, now: now
        )
    }

    /// Starts a session on a device, new or known; a known one's session before ends.
    ///
    /// - Parameter actor: Who does it, if not the user.
    func start(
        _ prepared: Prepared, for user: UserNumber, by actor: AuditActor? = nil, in writer: StoreWriter
    ) throws {
        let isNew = try writer.devices.insert(
            prepared.device, of: user, displayName: prepared.displayName, createdAt: prepared.now
        )
        try writer.sessions.start(prepared.tokens, on: prepared.device, of: user)
        if isNew {
            try writer.journal.append(.deviceList(user))
        } else {
            removal.forget(user, in: writer)
        }
        guard let audit else { return }
        let name = try writer.read.identifiers.user(user).string
        try audit.note(
            .sessionStart, by: actor ?? AuditActor(name: name, address: prepared.address), on: name,
            detail: ["device_id": .string(prepared.device.string)], in: writer)
    }

    // Capital letters, as people have to compare them sometimes.
    private func newDeviceID() -> DeviceID {
        while true {
            let letters = randomness.bytes(10).map { UInt8(ascii: "A") + $0 % 26 }
            if let device = DeviceID(String(decoding: letters, as: UTF8.self)) { return device }
        }
    }
}

/// What devices may be called.
enum DeviceName {
    static func checked(_ name: String) throws(MatrixError) -> String {
        guard name.utf8.count <= 1024, !name.utf8.contains(0) else {
            throw .invalidParameter("A device's name has at most 1024 bytes")
        }
        return name
    }
}
