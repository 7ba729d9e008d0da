import Homeserver
import Web

extension Router {
    /// Serves registration.
    ///
    /// - Parameters:
    ///   - registration: Makes accounts.
    ///   - environment: What endpoints have in common.
    public func addRegistrationRoutes(registration: RegistrationService, in environment: EndpointEnvironment) {
        add(Register(registration: registration), in: environment)
        add(CheckUsername(registration: registration), in: environment)
        add(CheckRegistrationToken(registration: registration), in: environment)
    }
}
