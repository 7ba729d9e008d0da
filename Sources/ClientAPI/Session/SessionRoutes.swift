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
    ///   - appServices: The users of application services, if there are any.
    ///   - isDelegated: Whether users sign in at another service, in this server's place: then they only sign out here.
    ///   - environment: What endpoints have in common.
    public func addSessionRoutes(
        sessions: SessionService, accounts: AccountService, interactive: InteractiveAuthentication,
        allowsLoginTokens: Bool, singleSignOn: SingleSignOn? = nil, appServices: AppServiceAccounts? = nil,
        isDelegated: Bool = false, in environment: EndpointEnvironment
    ) {
        add(Logout(sessions: sessions), in: environment)
        add(LogoutAll(sessions: sessions), in: environment)
        if isDelegated { return }
        add(
            GetLoginFlows(
                allowsLoginTokens: allowsLoginTokens, singleSignOn: singleSignOn, hasAppServices: appServices != nil),
            in: environment)
        if let singleSignOn {
            add(RedirectToSingleSignOn(singleSignOn: singleSignOn), in: environment)
            add(ReturnFromSingleSignOn(singleSignOn: singleSignOn), in: environment)
            add(AuthenticationFallback(singleSignOn: singleSignOn), in: environment)
        }
        add(Login(accounts: accounts, sessions: sessions, appServices: appServices), in: environment)
        if allowsLoginTokens { add(GetLoginToken(sessions: sessions, interactive: interactive), in: environment) }
        add(RefreshToken(sessions: sessions), in: environment)
    }
}
