import Homeserver
import Web

extension Router {
    /// Serves profiles.
    ///
    /// - Parameters:
    ///   - profiles: Profiles.
    ///   - access: Who may look at them.
    ///   - environment: What endpoints have in common.
    public func addProfileRoutes(
        profiles: ProfileService, access: ProfileAccess = .everybody, in environment: EndpointEnvironment
    ) {
        add(GetProfile(profiles: profiles, access: access), in: environment)
        add(GetProfileField(profiles: profiles, access: access), in: environment)
        add(SetProfileField(profiles: profiles), in: environment)
        add(DeleteProfileField(profiles: profiles), in: environment)
    }
}
