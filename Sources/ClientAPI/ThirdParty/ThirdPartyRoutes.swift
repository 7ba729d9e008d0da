import Homeserver
import Matrix
import Web

extension Router {
    /// Serves what bridges know of other networks.
    public func addThirdPartyRoutes(networks: any ThirdPartyNetworks, in environment: EndpointEnvironment) {
        add(GetThirdPartyProtocols(networks: networks), in: environment)
        add(GetThirdPartyProtocol(networks: networks), in: environment)
        add(GetThirdPartyLocations(networks: networks), in: environment)
        add(GetThirdPartyUsers(networks: networks), in: environment)
        add(GetLocationsOfAlias(networks: networks), in: environment)
        add(GetThirdPartiesOfUser(networks: networks), in: environment)
    }
}

extension RequestInput {
    /// What is known of a place or of people in a network: the whole query, but for what says who asks.
    var thirdPartyFields: [(name: String, value: String)] {
        request.query.items.filter { ExactString($0.name) != "access_token" }
    }
}
