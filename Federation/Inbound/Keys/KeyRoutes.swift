import Homeserver
import Web

extension Router {
    /// Serves what other servers ask before they trust this one: its keys, and which software it is. Nothing of it is signed by whoever
    /// asks.
    ///
    /// - Parameters:
    ///   - publication: The documents that are given out.
    ///   - clock: Tells the time.
    ///   - version: The version of the software.
    ///   - environment: What endpoints have in common.
    public func addServerKeyRoutes(
        publication: any KeyPublication, clock: any Clock, version: String, in environment: EndpointEnvironment
    ) {
        add(GetServerKeys(publication: publication), in: environment)
        add(GetKeysOfServer(publication: publication, clock: clock), in: environment)
        add(QueryServerKeys(publication: publication, clock: clock), in: environment)
        add(GetFederationVersion(name: "Chappe", version: version), in: environment)
    }
}
