import Matrix

/// [POST /user/keys/query](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysquery)
public struct KeysQueryRequest: FederationRequest {
    private let devices: [UserID: [DeviceID]]
    /// How long to wait.
    public let timeoutMilliseconds: Int64

    /// A request for keys of those devices of each user; none means all.
    public init(_ devices: [UserID: [DeviceID]], timeoutMilliseconds: Int64) {
        self.devices = devices
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// POST.
    public var method: FederationMethod { .post }
    /// Path and query.
    public var target: RequestTarget { .v1("user/keys/query") }
    /// Who is asked for.
    public var body: [UInt8]? {
        var users = JSONObject()
        for (user, devices) in devices { users[user.string] = .array(devices.map { .string($0.string) }) }
        return JSONValue.object(["device_keys": .object(users)]).serialized()
    }
    /// A user has some kilobytes for each device.
    public var responseLimitBytes: Int { 32 << 20 }

    /// The answer as it is.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> JSON {
        _ = try json.requiredObject("device_keys")
        return json
    }
}

/// [POST /user/keys/claim](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysclaim)
public struct KeysClaimRequest: FederationRequest {
    private let keys: [UserID: [DeviceID: KeyAlgorithm]]
    /// How long to wait.
    public let timeoutMilliseconds: Int64

    /// A request for a key of that algorithm of each device.
    public init(_ keys: [UserID: [DeviceID: KeyAlgorithm]], timeoutMilliseconds: Int64) {
        self.keys = keys
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// POST.
    public var method: FederationMethod { .post }
    /// Path and query.
    public var target: RequestTarget { .v1("user/keys/claim") }
    /// What is claimed.
    public var body: [UInt8]? {
        var users = JSONObject()
        for (user, keys) in keys {
            users[user.string] = .object(JSONObject(keys.map { ($0.key.string, .string($0.value.string)) }))
        }
        return JSONValue.object(["one_time_keys": .object(users)]).serialized()
    }
    /// A key has less than a kilobyte.
    public var responseLimitBytes: Int { 16 << 20 }

    /// The answer as it is.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> JSON {
        _ = try json.requiredObject("one_time_keys")
        return json
    }
}

/// [GET /user/devices/{userId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid)
public struct UserDevicesRequest: FederationRequest {
    private let user: UserID

    /// A request for all of a user's devices.
    public init(_ user: UserID) { self.user = user }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { .v1("user/devices", user.string) }
    /// Thousands of devices.
    public var responseLimitBytes: Int { 16 << 20 }

    /// The answer as it is.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> JSON {
        guard try json.requiredIdentifier("user_id") as UserID == user else {
            throw MalformedAnswer("is about another user")
        }
        _ = try json.requiredInteger("stream_id")
        _ = try json.list("devices", atMost: 20_000)
        return json
    }
}

/// [GET /query/profile](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile)
public struct ProfileRequest: FederationRequest {
    private let user: UserID
    private let field: String?

    /// A request for a user's profile, or one field of it.
    public init(of user: UserID, field: String?) {
        self.user = user
        self.field = field
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget {
        .v1("query/profile").with("user_id", user.string).with("field", field)
    }
    /// A profile has 64 KiB.
    public var responseLimitBytes: Int { 128 << 10 }
    /// A client waits.
    public var timeoutMilliseconds: Int64 { 15_000 }

    /// The profile: a JSON object whose known fields are of the right kind.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> JSON {
        guard let profile = AnswerShapes.profile(json) else { throw MalformedAnswer("is no profile") }
        return JSONValue.object(profile).json
    }
}

/// [GET /openid/userinfo](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo)
public struct OpenIDUserRequest: FederationRequest {
    private let accessToken: String
    private let server: ServerName

    /// A request for whose token it is, to the server that issued it.
    public init(accessToken: String, at server: ServerName) {
        self.accessToken = accessToken
        self.server = server
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { .v1("openid/userinfo").with("access_token", accessToken) }
    /// Whoever has the token may ask.
    public var isSigned: Bool { false }
    /// One user.
    public var responseLimitBytes: Int { 16 << 10 }

    /// The user, who must be of the server that was asked.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> UserID {
        let user: UserID = try json.requiredIdentifier("sub")
        guard user.server == server else { throw MalformedAnswer("names a user of another server") }
        return user
    }
}
