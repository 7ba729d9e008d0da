import Homeserver
import Web

extension Router {
    /// Serves what clients ask first: versions, capabilities.
    ///
    /// - Parameters:
    ///   - features: What they are told.
    ///   - delegated: Where users sign in, in this server's place; `nil` if they sign in here.
    ///   - environment: What endpoints have in common.
    public func addServerRoutes(
        features: ServerFeatures, delegated: DelegatedAuthentication? = nil, in environment: EndpointEnvironment
    ) {
        add(GetVersions(features: features), in: environment)
        add(GetCapabilities(features: features), in: environment)
        add(GetAuthMetadata(delegated: delegated), in: environment)
    }

    /// Serves `/.well-known/matrix`: on listeners that the server's name itself leads to.
    ///
    /// - Parameters:
    ///   - features: The addresses.
    ///   - environment: What endpoints have in common.
    public func addWellKnownRoutes(features: ServerFeatures, in environment: EndpointEnvironment) {
        add(GetClientWellKnown(features: features), in: environment)
        add(GetServerWellKnown(features: features), in: environment)
        add(GetSupport(features: features), in: environment)
    }
}
