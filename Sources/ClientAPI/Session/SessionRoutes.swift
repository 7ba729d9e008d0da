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
    ///   - singleSignOn: Signing in at a service outside, if there is one.
    ///   - environment: What endpoints have in common.
    public func addSessionRoutes(
        sessions: SessionService, accounts: AccountService, interactive: InteractiveAuthentication,
        allowsLoginTokens: Bool, singleSignOn: SingleSignOn? = nil, in environment: EndpointEnvironment
    ) {
        add(GetLoginFlows(allowsLoginTokens: allowsLoginTokens, singleSignOn: singleSignOn), in: environment)
        if let singleSignOn {
            add(RedirectToSingleSignOn(singleSignOn: singleSignOn), in: environment)
            add(ReturnFromSingleSignOn(singleSignOn: singleSignOn), in: environment)
            add(AuthenticationFallback(singleSignOn: singleSignOn), in: environment)
        }
        add(Login(accounts: accounts, sessions: sessions), in: environment)
        if allowsLoginTokens { add(GetLoginToken(sessions: sessions, interactive: interactive), in: environment) }
        add(RefreshToken(sessions: sessions), in: environment)
        add(Logout(sessions: sessions), in: environment)
        add(LogoutAll(sessions: sessions), in: environment)
    }
}
