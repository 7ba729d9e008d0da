import Homeserver
import Web

extension Router {
    /// Serves what the specification gives administrators.
    ///
    /// - Parameters:
    ///   - accounts: Accounts.
    ///   - devices: Their devices.
    ///   - audit: Hears of what is done.
    ///   - environment: What endpoints have in common.
    public func addAdministrationRoutes(
        accounts: AccountService, devices: DeviceService, audit: AuditTrail, in environment: EndpointEnvironment
    ) {
        add(WhoIs(accounts: accounts, devices: devices), in: environment)
        add(GetLock(accounts: accounts), in: environment)
        add(SetLock(accounts: accounts, audit: audit), in: environment)
        add(GetSuspend(accounts: accounts), in: environment)
        add(SetSuspend(accounts: accounts, audit: audit), in: environment)
    }
}
