import Homeserver
import Matrix
import Web

/// Knows the access tokens of this server's users and application services.
public struct TokenAuthenticator: Authenticator {
    private let sessions: SessionService
    private let appServices: AppServiceAccounts?

    /// - Parameters:
    ///   - sessions: Tells who a token belongs to.
    ///   - appServices: Tells whom an application service acts as; `nil` if there is none.
    public init(sessions: SessionService, appServices: AppServiceAccounts? = nil) {
        self.sessions = sessions
        self.appServices = appServices.flatMap { $0.services.isEmpty ? nil : $0 }
    }

    /// The user and device that a token was given to, or that an application service acts as.
    public func authenticate(
        accessToken: String, masquerade: Masquerade?, for request: HTTPRequest
    ) async throws -> Caller {
        if let appServices,
            let actor = try await appServices.actor(
                token: accessToken, as: masquerade?.userID, device: masquerade?.deviceID)
        {
            return Caller(actor)
        }
        let session = try await sessions.session(
            accessToken: accessToken, address: request.remoteAddress, userAgent: request.headers["user-agent"]
        )
        return Caller(
            userID: session.userID, userNumber: session.user.rawValue, deviceID: session.device,
            isGuest: session.flags.contains(.guest), isAdministrator: session.flags.contains(.admin),
            isLocked: session.flags.contains(.locked), isSuspended: session.flags.contains(.suspended),
            isExpired: sessions.hasEnded(session),
            isExemptFromRateLimits: session.rateLimit?.perSecond == 0,
            rateLimit: session.rateLimit.map {
                RateLimits.Limit(perSecond: Double($0.perSecond), burst: Int(max(1, $0.burst)))
            }
        )
    }

    /// The application service that a token belongs to.
    public func appService(accessToken: String) async throws -> Caller? {
        try await appServices?.actor(token: accessToken, as: nil, device: nil).map { Caller($0) }
    }
}

extension Caller {
    fileprivate init(_ actor: AppServiceAccounts.Actor) {
        let account = actor.account
        self.init(
            userID: account.userID, userNumber: account.user.rawValue, deviceID: actor.device,
            isGuest: account.flags.contains(.guest), isAdministrator: account.flags.contains(.admin),
            isLocked: account.flags.contains(.locked), isSuspended: account.flags.contains(.suspended),
            appServiceID: actor.service.id, isExemptFromRateLimits: actor.isExemptFromRateLimits)
    }
}
