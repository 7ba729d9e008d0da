import Homeserver
import Matrix
import Web

/// [GET /rtc/transports](https://github.com/matrix-org/matrix-spec-proposals/pull/4143): the services through which people meet in calls
/// of more than two.
struct GetRTCTransports: Endpoint {
    static let routes: [Route] =
        .client(.get, "/rtc/transports", versions: ["unstable/org.matrix.msc4143", "v1"])
    static let authentication: Authentication<Caller> = .allowingGuests

    let transports: [RTCTransport]

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        ["rtc_transports": .array(transports.map(\.json))]
    }
}

/// A service through which people meet in calls of more than two.
public struct RTCTransport: Sendable {
    /// Where clients of [LiveKit](https://github.com/matrix-org/matrix-spec-proposals/pull/4195) get permission to come in.
    public let liveKitServiceURL: String

    /// A LiveKit whose authorization service is at that address.
    public init(liveKitServiceURL: String) { self.liveKitServiceURL = liveKitServiceURL }

    /// As clients are told of it.
    public var json: JSONValue { ["type": "livekit", "livekit_service_url": .string(liveKitServiceURL)] }
}
