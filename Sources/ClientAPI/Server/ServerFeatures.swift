import Matrix

/// What clients are told of this server, beside what is the same on all.
public struct ServerFeatures: Sendable {
    /// The room version of new rooms.
    public var defaultRoomVersion: RoomVersion
    /// Whether users may change their password.
    public var allowsPasswordChanges: Bool
    /// Whether a session may make a token with which another device logs in.
    public var allowsLoginTokens: Bool
    /// Whether users may add mail addresses to their account, and remove them.
    public var allowsAddressChanges: Bool
    /// The versions of the specification that are served.
    public var versions: [String]
    /// Features that are not in the specification yet, and whether they are there.
    public var unstableFeatures: [String: Bool]
    /// The address that clients find in `/.well-known/matrix/client`; `nil` without one.
    public var publicBaseURL: String?
    /// What `/.well-known/matrix/client` says beside.
    public var wellKnownExtra: JSONObject
    /// The `host:port` that servers find in `/.well-known/matrix/server`; `nil` without one.
    public var delegatedServer: String?
    /// What `/.well-known/matrix/support` says; empty without a contact.
    public var support: JSONObject

    /// Features.
    public init(
        defaultRoomVersion: RoomVersion, allowsPasswordChanges: Bool = true, allowsLoginTokens: Bool = true,
        allowsAddressChanges: Bool = false, versions: [String] = ServerFeatures.specificationVersions,
        unstableFeatures: [String: Bool] = ServerFeatures.knownUnstableFeatures, publicBaseURL: String? = nil,
        wellKnownExtra: JSONObject = [:], delegatedServer: String? = nil, support: JSONObject = [:]
    ) {
        self.defaultRoomVersion = defaultRoomVersion
        self.allowsPasswordChanges = allowsPasswordChanges
        self.allowsLoginTokens = allowsLoginTokens
        self.allowsAddressChanges = allowsAddressChanges
        self.versions = versions
        self.unstableFeatures = unstableFeatures
        self.publicBaseURL = publicBaseURL
        self.wellKnownExtra = wellKnownExtra
        self.delegatedServer = delegatedServer
        self.support = support
    }

    /// Every version since the client-server API had one.
    public static let specificationVersions =
        ["r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1"] + (1...19).map { "v1.\($0)" }

    /// Features that clients still look for under the name they had before they were in the specification.
    public static let knownUnstableFeatures: [String: Bool] = [
        "org.matrix.label_based_filtering": true,
        "org.matrix.e2e_cross_signing": true,
        "org.matrix.msc2285.stable": true,
        "org.matrix.msc3026.busy_presence": false,
        "org.matrix.msc3440.stable": true,
        "org.matrix.msc3771": true,
        "org.matrix.msc3773": false,
        "org.matrix.msc3814": true,
        "org.matrix.msc3856": true,
        "org.matrix.msc3882": false,
        "org.matrix.msc3916.stable": true,
        "org.matrix.msc3981": true,
        "org.matrix.msc4140": true,
        "org.matrix.msc4155": true,
        "org.matrix.msc4354": true,
        "org.matrix.msc4380": true,
        "org.matrix.msc4380.stable": true,
        "org.matrix.simplified_msc3575": true,
        "uk.half-shot.msc2666.query_mutual_rooms": true,
        "uk.half-shot.msc2666.query_mutual_rooms.stable": true,
        "uk.tcpip.msc4133": true,
        "uk.tcpip.msc4133.stable": true,
    ]
}
