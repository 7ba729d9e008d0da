import Homeserver
import Web

extension Router {
    /// Serves what users do with their own account.
    ///
    /// - Parameters:
    ///   - accounts: Accounts.
    ///   - interactive: Authorizes what needs a password again.
    ///   - registration: Says whether people register with a mail address.
    ///   - addresses: Mail addresses of accounts.
    ///   - identity: Asks identity servers.
    ///   - environment: What endpoints have in common.
    public func addAccountRoutes(
        accounts: AccountService, interactive: InteractiveAuthentication, registration: RegistrationService,
        addresses: AddressService, identity: IdentityService, in environment: EndpointEnvironment
    ) {
        add(WhoAmI(), in: environment)
        add(ChangePassword(accounts: accounts, interactive: interactive, addresses: addresses), in: environment)
        add(DeactivateAccount(accounts: accounts, interactive: interactive, identity: identity), in: environment)
        add(GetThirdPartyIdentifiers(addresses: addresses), in: environment)
        add(RequestMailToRegister(addresses: addresses, registration: registration), in: environment)
        add(RequestMailForPassword(addresses: addresses), in: environment)
        add(RequestMailToAdd(addresses: addresses), in: environment)
        add(RequestTextMessage(), in: environment)
        add(ConfirmMail(addresses: addresses), in: environment)
        add(AddThirdPartyIdentifier(addresses: addresses, interactive: interactive), in: environment)
        add(SetThirdPartyIdentifier(addresses: addresses), in: environment)
        add(DeleteThirdPartyIdentifier(addresses: addresses, identity: identity), in: environment)
        add(BindThirdPartyIdentifier(identity: identity), in: environment)
        add(UnbindThirdPartyIdentifier(identity: identity), in: environment)
    }
}
