import Crypto
import Logging
import Matrix
import Store

/// Lets people into calls on LiveKit: of whoever proves to be a member of the room, also of other servers' users.
///
/// [MSC4195](https://github.com/matrix-org/matrix-spec-proposals/pull/4195). Elsewhere this is a service of its own. Rooms of LiveKit are
/// made here, for users of some servers (by default this one); others come into those that are there.
public final class LiveKitAuthorization: Sendable {
    /// Which LiveKit, and for whom.
    public struct Settings: Sendable {
        /// Where clients connect: `wss://`.
        public var url: String
        /// What LiveKit calls this server.
        public var key: String
        /// What tokens are signed with.
        public var secret: String
        /// The servers whose users have rooms made for them.
        public var fullAccess: [ServerPattern]
        /// For how long a token lets in, in seconds.
        public var lifetimeSeconds: Int64
        /// How many may be in a room; 0 for as many as come.
        public var maximumParticipants: Int

        /// Settings.
        public init(
            url: String, key: String, secret: String, fullAccess: [ServerPattern], lifetimeSeconds: Int64,
            maximumParticipants: Int
        ) {
            self.url = url
            self.key = key
            self.secret = secret
            self.fullAccess = fullAccess
            self.lifetimeSeconds = lifetimeSeconds
            self.maximumParticipants = maximumParticipants
        }
    }

    /// A call, and as whom somebody is to be in it.
    public struct Seat: Sendable {
        /// The Matrix room.
        public var room: RoomID
        /// Which of its calls.
        public var slot: String
        /// The device, as it says.
        public var device: String
        /// The membership; `nil` for clients of before, whom LiveKit knows by their user and device.
        public var member: String?

        /// A seat.
        public init(room: RoomID, slot: String, device: String, member: String?) {
            self.room = room
            self.slot = slot
            self.device = device
            self.member = member
        }

        /// What LiveKit calls the room.
        var alias: String { Self.digest([room.string, slot]) }

        /// What LiveKit calls the user in it: nobody is named there.
        func identity(of user: UserID) -> String {
            guard let member else { return "\(user):\(device)" }
            return Self.digest([user.string, device, member])
        }

        private static func digest(_ texts: [String]) -> String {
            Base64.encode(SHA256.hash(data: CanonicalJSON.text(of: .array(texts.map { .string($0) }))).map { $0 })
        }
    }

    /// The slot that clients of before mean.
    public static let legacySlot = "m.call#ROOM"

    private let settings: Settings
    private let rooms: RoomService
    private let openID: OpenIDService
    private let remote: (any RemoteIdentities)?
    private let forwarder: any MediaForwarder
    private let tokens: any WebTokens
    private let leaves: DelegatedLeaves
    private let clock: any Clock
    private let logger: Logger

    /// - Parameters:
    ///   - openID: Knows this server's users by their tokens.
    ///   - remote: Asks other servers whose a token is; `nil` if there is no federation.
    ///   - forwarder: LiveKit.
    ///   - tokens: Makes what lets people in.
    ///   - leaves: Takes over how clients leave.
    public init(
        settings: Settings, rooms: RoomService, openID: OpenIDService, remote: (any RemoteIdentities)?,
        forwarder: any MediaForwarder, tokens: any WebTokens, leaves: DelegatedLeaves, clock: any Clock, logger: Logger
    ) {
        self.settings = settings
        self.rooms = rooms
        self.openID = openID
        self.remote = remote
        self.forwarder = forwarder
        self.tokens = tokens
        self.leaves = leaves
        self.clock = clock
        self.logger = logger
    }

    /// Who has made an OpenID token.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - server: The server that it is said to be of.
    ///   - claimed: Who it is said to be of.
    /// - Throws: 401 `M_UNAUTHORIZED`, whatever is wrong: who tries learns nothing.
    public func user(ofOpenIDToken token: String, at server: ServerName, claimed: UserID?) async throws -> UserID {
        let user: UserID
        if server == rooms.serverName {
            do { user = try await openID.user(of: token) } catch let error as MatrixError where error.status < 500 {
                throw Self.unauthorized
            }
        } else {
            guard let remote else { throw Self.unauthorized }
            do { user = try await remote.user(ofOpenIDToken: token, at: server) } catch {
                logger.info(
                    "an OpenID token is not confirmed", metadata: ["server": "\(server)", "reason": "\(error.message)"])
                throw Self.unauthorized
            }
            guard user.server == server else { throw Self.unauthorized }
        }
        if let claimed, claimed != user { throw Self.unauthorized }
        return user
    }

    /// What lets a user into a call.
    ///
    /// - Parameters:
    ///   - delay: The delayed event by which they leave, if that is left to this server.
    /// - Returns: A token for LiveKit and where LiveKit is.
    /// - Throws: 401 `M_UNAUTHORIZED` for users who are not in the room; 400 `M_BAD_JSON` and 404 for a delayed event that cannot be taken over; an
    ///   error that says what is wrong with LiveKit.
    public func admit(_ user: UserID, to seat: Seat, delay: String?) async throws -> (url: String, token: String) {
        let hasFullAccess = hasFullAccess(user)
        try await checkMembership(of: user, in: seat.room, hasFullAccess: hasFullAccess)
        let event = try await delegable(delay, of: user, in: seat)
        if hasFullAccess {
            do {
                try await forwarder.makeRoom(seat.alias, maximumParticipants: settings.maximumParticipants)
            } catch {
                throw MatrixError(error, service: "LiveKit")
            }
        }
        if let event { try await leaves.take(event, of: seat.identity(of: user), in: seat.alias) }
        return (settings.url, try await tokens.sign(claims(user, seat), secret: settings.secret))
    }

    /// Takes over how a user leaves a call that they are in.
    ///
    /// - Throws: 401 `M_UNAUTHORIZED`; 403 `M_FORBIDDEN` for users of other servers; 404 if there is no such delayed event.
    public func delegate(_ delay: String, of user: UserID, in seat: Seat) async throws {
        guard user.isLocal(to: rooms.serverName), hasFullAccess(user) else {
            throw MatrixError.forbidden("Only this server's own users can leave this to it")
        }
        try await checkMembership(of: user, in: seat.room, hasFullAccess: true)
        let event = try await leaves.event(delay, of: user, in: seat.room)
        try await leaves.take(event, of: seat.identity(of: user), in: seat.alias)
    }

    private func delegable(_ delay: String?, of user: UserID, in seat: Seat) async throws -> DelayedEvent? {
        guard let delay else { return nil }
        guard hasFullAccess(user), user.isLocal(to: rooms.serverName) else {
            throw MatrixError.badJSON("Only this server's own users can leave delayed events to it")
        }
        return try await leaves.event(delay, of: user, in: seat.room)
    }

    private func hasFullAccess(_ user: UserID) -> Bool { settings.fullAccess.contains { $0.isExactly(user.server) } }

    private func checkMembership(of user: UserID, in room: RoomID, hasFullAccess: Bool) async throws {
        guard let number = try await rooms.store.number(of: room), try await rooms.participates(in: number) else {
            // Of a room that this server is not in it knows nobody. Those whom it trusts are believed; nobody else would find a call there.
            guard hasFullAccess, !user.isLocal(to: rooms.serverName) else { throw Self.unauthorized }
            return
        }
        guard try await rooms.view(number).membership(of: user) == .join else { throw Self.unauthorized }
    }

    /// The same for all: to come in, to be seen and heard, to see and hear. Rooms are made by this server alone, so that nobody makes any by a
    /// token.
    private func claims(_ user: UserID, _ seat: Seat) -> JSONValue {
        let now = clock.now / 1_000
        return [
            "iss": .string(settings.key), "sub": .string(seat.identity(of: user)), "nbf": .integer(now - 5),
            "iat": .integer(now), "exp": .integer(now + settings.lifetimeSeconds),
            "video": [
                "room": .string(seat.alias), "roomJoin": true, "roomCreate": false, "canPublish": true,
                "canSubscribe": true, "canUpdateOwnMetadata": true,
            ],
        ]
    }

    private static let unauthorized = MatrixError(401, .unauthorized, "The request could not be authorised")

    // MARK: What LiveKit tells

    /// Hears what LiveKit tells of who comes and goes.
    ///
    /// - Parameters:
    ///   - body: What it sends.
    ///   - authorization: What shows that it is LiveKit: a token that has the body's hash.
    /// - Throws: 401 `M_UNAUTHORIZED` if it is not.
    public func hear(_ body: [UInt8], authorization: String?) async throws {
        guard
            let report = await LiveKitReport(
                body, authorization: authorization, key: settings.key, secret: settings.secret, tokens: tokens,
                now: clock.now)
        else { throw Self.unauthorized }
        guard let room = report.room, let identity = report.identity else { return }
        switch report.kind {
        case "participant_joined": try await leaves.came(identity, to: room)
        case "participant_left", "participant_connection_aborted": try await leaves.left(identity, room)
        default: break
        }
    }
}
