import Homeserver
import Web

extension Router {
    /// Serves what users do with their own account.
    ///
    /// - Parameters:
    ///   - accounts: Accounts.
    ///   - interactive: Authorizes what needs a password again.
    ///   - environment: What endpoints have in common.
    public func addAccountRoutes(
        accounts: AccountService, interactive: InteractiveAuthentication, in environment: EndpointEnvironment
    ) {
        add(WhoAmI(), in: environment)
        add(ChangePassword(accounts: accounts, interactive: interactive), in: environment)
        add(DeactivateAccount(accounts: accounts, interactive: interactive), in: environment)
        add(GetThirdPartyIdentifiers(), in: environment)
    }
}
