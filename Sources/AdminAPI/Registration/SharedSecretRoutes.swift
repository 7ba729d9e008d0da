import Homeserver
import Web

extension Router {
    /// Serves registration by shared secret. Only where one has been configured.
    ///
    /// - Parameters:
    ///   - registration: Makes accounts.
    ///   - environment: What endpoints have in common.
    public func addSharedSecretRoutes(registration: SharedSecretRegistration, in environment: EndpointEnvironment) {
        add(GetRegistrationNonce(registration: registration), in: environment)
        add(RegisterBySharedSecret(registration: registration), in: environment)
    }
}
