import Homeserver
import Web

extension Router {
    /// Serves filters.
    public func addFilterRoutes(filters: FilterService, in environment: EndpointEnvironment) {
        add(CreateFilter(filters: filters), in: environment)
        add(GetFilter(filters: filters), in: environment)
    }
}
