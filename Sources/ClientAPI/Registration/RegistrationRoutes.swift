import Homeserver
import Web

extension Router {
    /// Serves registration.
    ///
    /// - Parameters:
    ///   - registration: Makes accounts.
    ///   - passwords: Which passwords users may choose.
    ///   - appServices: The users of application services, if there are any.
    ///   - environment: What endpoints have in common.
    public func addRegistrationRoutes(
        registration: RegistrationService, passwords: PasswordPolicy, appServices: AppServiceAccounts? = nil,
        in environment: EndpointEnvironment
    ) {
        add(Register(registration: registration, appServices: appServices), in: environment)
        add(CheckUsername(registration: registration), in: environment)
        add(GetPasswordPolicy(policy: passwords), in: environment)
        add(CheckRegistrationToken(registration: registration), in: environment)
    }
}
