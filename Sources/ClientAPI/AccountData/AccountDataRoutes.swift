import Homeserver
import Web

extension Router {
    /// Serves account data and tags.
    public func addAccountDataRoutes(
        accountData: AccountDataService, tags: TagService, in environment: EndpointEnvironment
    ) {
        add(GetAccountData(accountData: accountData), in: environment)
        add(SetAccountData(accountData: accountData), in: environment)
        add(DeleteAccountData(accountData: accountData), in: environment)
        add(GetTags(tags: tags), in: environment)
        add(SetTag(tags: tags), in: environment)
        add(DeleteTag(tags: tags), in: environment)
    }
}
