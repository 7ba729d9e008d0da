import Matrix

/// [GET /query/directory](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1querydirectory)
public struct AliasRequest: FederationRequest {
    private let alias: RoomAlias

    /// A request for what an alias stands for.
    public init(_ alias: RoomAlias) { self.alias = alias }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { .v1("query/directory").with("room_alias", alias.string) }
    /// Rooms have thousands of servers.
    public var responseLimitBytes: Int { 4 << 20 }
    /// A client waits.
    public var timeoutMilliseconds: Int64 { 15_000 }

    /// The room, and servers that are in it.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> (room: RoomID, servers: [ServerName]) {
        (
            room: try json.requiredIdentifier("room_id"),
            servers: try json.identifiers("servers", atMost: AnswerLimits.servers)
        )
    }
}

/// [/publicRooms](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1publicrooms), by POST if there is a filter.
public struct PublicRoomsRequest: FederationRequest {
    private let limit: Int?
    private let since: String?
    private let filter: JSONValue?
    private let thirdPartyInstanceID: String?
    private let includesAllNetworks: Bool

    /// A request for a page of the directory.
    ///
    /// - Parameters:
    ///   - limit: How many rooms at most.
    ///   - since: A token of an earlier page.
    ///   - searchTerm: What must occur in name, topic or alias.
    ///   - roomTypes: The types wanted, `nil` among them for rooms without one.
    ///   - thirdPartyInstanceID: The third-party network wanted.
    ///   - includesAllNetworks: Whether rooms of all networks are wanted.
    public init(
        limit: Int?, since: String?, searchTerm: String?, roomTypes: [String?]?, thirdPartyInstanceID: String?,
        includesAllNetworks: Bool
    ) {
        self.limit = limit
        self.since = since
        var filter = JSONObject()
        if let searchTerm { filter["generic_search_term"] = .string(searchTerm) }
        if let roomTypes { filter["room_types"] = .array(roomTypes.map { $0.map { .string($0) } ?? .null }) }
        self.filter = filter.isEmpty ? nil : .object(filter)
        self.thirdPartyInstanceID = thirdPartyInstanceID
        self.includesAllNetworks = includesAllNetworks
    }

    /// POST with a filter, else GET.
    public var method: FederationMethod { filter == nil ? .get : .post }
    /// Path and query.
    public var target: RequestTarget {
        guard filter == nil else { return .v1("publicRooms") }
        return .v1("publicRooms").with("limit", limit.map { String($0) }).with("since", since)
            .with("third_party_instance_id", thirdPartyInstanceID)
            .with("include_all_networks", includesAllNetworks ? "true" : nil)
    }
    /// What is wanted.
    public var body: [UInt8]? {
        guard let filter else { return nil }
        var object: JSONObject = ["filter": filter]
        if let limit { object["limit"] = .integer(Int64(limit)) }
        if let since { object["since"] = .string(since) }
        if let thirdPartyInstanceID { object["third_party_instance_id"] = .string(thirdPartyInstanceID) }
        if includesAllNetworks { object["include_all_networks"] = true }
        return JSONValue.object(object).serialized()
    }
    /// Some thousand rooms.
    public var responseLimitBytes: Int { 8 << 20 }

    /// The page, with those of its rooms that are described as they must be.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> JSON {
        AnswerShapes.publicRooms(json, try json.list("chunk", atMost: 50_000))
    }
}

/// [GET /hierarchy/{roomId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid)
public struct HierarchyRequest: FederationRequest {
    private let room: RoomID
    private let suggestedOnly: Bool

    /// A request for a space and its children.
    public init(of room: RoomID, suggestedOnly: Bool) {
        self.room = room
        self.suggestedOnly = suggestedOnly
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget {
        .v1("hierarchy", room.string).with("suggested_only", suggestedOnly ? "true" : "false")
    }
    /// Spaces with thousands of rooms.
    public var responseLimitBytes: Int { 8 << 20 }

    /// The space, and those of its children that are described as they must be.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> JSON {
        try AnswerShapes.hierarchy(json, of: room, try json.list("children", atMost: 10_000))
    }
}
