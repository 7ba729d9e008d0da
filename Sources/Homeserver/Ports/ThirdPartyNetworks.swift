import Matrix

/// What bridges to other networks know: their protocols, and who and what is where.
///
/// [Third-party networks](https://spec.matrix.org/v1.19/client-server-api/#third-party-networks)
public protocol ThirdPartyNetworks: Sendable {
    /// What is told of each protocol, by its name.
    func protocols() async throws -> JSONObject
    /// What is told of a protocol; `nil` if there is none of that name.
    func `protocol`(_ name: String) async throws -> JSONValue?
    /// Rooms that stand for places in a network.
    ///
    /// - Parameters:
    ///   - network: The name of its protocol.
    ///   - fields: What is known of the place.
    func locations(in network: String, fields: [(name: String, value: String)]) async throws -> [JSONValue]
    /// Users who stand for people in a network.
    ///
    /// - Parameters:
    ///   - network: The name of its protocol.
    ///   - fields: What is known of them.
    func users(in network: String, fields: [(name: String, value: String)]) async throws -> [JSONValue]
    /// The places in networks that a room stands for.
    func locations(of alias: RoomAlias) async throws -> [JSONValue]
    /// The people in networks that a user stands for.
    func users(behind user: UserID) async throws -> [JSONValue]
}

/// No networks: there are no bridges.
public struct NoThirdPartyNetworks: ThirdPartyNetworks {
    /// None.
    public init() {}

    /// None.
    public func protocols() async throws -> JSONObject { [:] }
    /// None.
    public func `protocol`(_ name: String) async throws -> JSONValue? { nil }
    /// None.
    public func locations(in network: String, fields: [(name: String, value: String)]) async throws -> [JSONValue] {
        []
    }
    /// None.
    public func users(in network: String, fields: [(name: String, value: String)]) async throws -> [JSONValue] { [] }
    /// None.
    public func locations(of alias: RoomAlias) async throws -> [JSONValue] { [] }
    /// None.
    public func users(behind user: UserID) async throws -> [JSONValue] { [] }
}
