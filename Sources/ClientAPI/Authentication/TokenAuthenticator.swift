import Homeserver
import Matrix
import Web

/// Knows the access tokens of this server's users.
public struct TokenAuthenticator: Authenticator {
    private let sessions: SessionService

    /// - Parameter sessions: Tells who a token belongs to.
    public init(sessions: SessionService) { self.sessions = sessions }

    /// The user and device that a token was given to.
    public func authenticate(
        accessToken: String, masquerade: Masquerade?, for request: HTTPRequest
    ) async throws -> Caller {
        let session = try await sessions.session(
            accessToken: accessToken, address: request.remoteAddress, userAgent: request.headers["user-agent"]
        )
        return Caller(
            userID: session.userID, userNumber: session.user.rawValue, deviceID: session.device,
            isGuest: session.flags.contains(.guest), isAdministrator: session.flags.contains(.admin),
            isLocked: session.flags.contains(.locked), isSuspended: session.flags.contains(.suspended)
        )
    }
}
