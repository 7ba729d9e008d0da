import Homeserver
import Web

extension Router {
    /// Serves logging in and out, and what keeps a session going.
    ///
    /// - Parameters:
    ///   - sessions: Sessions.
    ///   - accounts: Accounts.
    ///   - interactive: Authorizes what needs a password again.
    ///   - allowsLoginTokens: Whether a session may make a token with which another device logs in.
    ///   - environment: What endpoints have in common.
    public func addSessionRoutes(
        sessions: SessionService, accounts: AccountService, interactive: InteractiveAuthentication,
        allowsLoginTokens: Bool, in environment: EndpointEnvironment
    ) {
        add(GetLoginFlows(allowsLoginTokens: allowsLoginTokens), in: environment)
        add(Login(accounts: accounts, sessions: sessions), in: environment)
        if allowsLoginTokens { add(GetLoginToken(sessions: sessions, interactive: interactive), in: environment) }
        add(RefreshToken(sessions: sessions), in: environment)
        add(Logout(sessions: sessions), in: environment)
        add(LogoutAll(sessions: sessions), in: environment)
    }
}
