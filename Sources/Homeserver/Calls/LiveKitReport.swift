import Crypto
import Matrix

/// Something that LiveKit tells by itself, of which it is certain that LiveKit tells it.
///
/// [Webhooks](https://docs.livekit.io/home/server/webhooks/): the token in `Authorization` has the hash of the body.
struct LiveKitReport: Sendable {
    /// The whole of it.
    let json: JSON
    /// What it is about: `participant_joined` and others.
    let kind: String
    /// The room.
    let room: String?
    /// Who it is about.
    let identity: String?
    /// What it is called, so that it can be known again.
    let id: String
    /// When it happened, in milliseconds since 1970, if it says so.
    let happenedTS: Int64?

    /// How far clocks may be apart, in seconds.
    private static let skewSeconds: Int64 = 60
    private static let longestName = 512

    /// Checks and reads what was sent.
    ///
    /// - Parameter now: The time, in milliseconds since 1970.
    /// - Returns: `nil` if it is not LiveKit's, or makes no sense.
    init?(
        _ body: [UInt8], authorization: String?, key: String, secret: String, tokens: any WebTokens, now: Int64
    ) async {
        guard let authorization else { return nil }
        let token = authorization.utf8.starts(with: "Bearer ".utf8) ? String(authorization.dropFirst(7)) : authorization
        guard let claims = await tokens.claims(of: token, secret: secret),
            claims["iss"]?.string?.utf8.elementsEqual(key.utf8) == true,
            let hash = claims["sha256"]?.string, let expected = Base64.decode(Self.unpadded(hash)),
            expected.elementsEqual(SHA256.hash(data: body)), Self.isTimely(claims, now: now / 1_000)
        else { return nil }
        self.init(body)
    }

    /// Reads what was sent by whom it should be.
    init?(_ body: [UInt8]) {
        guard let json = try? JSON(parsing: body), let kind = json["event"]?.string else { return nil }
        self.json = json
        self.kind = kind
        room = Self.name(json["room"]?["name"] ?? json["egressInfo"]?["roomName"] ?? json["egress_info"]?["room_name"])
        identity = Self.name(json["participant"]?["identity"])
        let digest = Base64.encodeURLSafe(SHA256.hash(data: body).map { $0 })
        id = Self.name(json["id"]) ?? digest
        let created = json["createdAt"] ?? json["created_at"]
        // Protocol buffers write long numbers as texts.
        let seconds = created?.int ?? created?.string.flatMap { Int64($0) }
        happenedTS = seconds.flatMap { (0...100_000_000_000).contains($0) ? $0 * 1_000 : nil }
    }

    private static func name(_ json: JSON?) -> String? {
        json?.string.flatMap { (1...longestName).contains($0.utf8.count) ? $0 : nil }
    }

    private static func unpadded(_ text: String) -> String { String(text.prefix { $0 != "=" }) }

    private static func isTimely(_ claims: JSON, now: Int64) -> Bool {
        guard let expires = claims["exp"]?.int, now < expires + skewSeconds else { return false }
        if let begins = claims["nbf"]?.int, now < begins - skewSeconds { return false }
        return true
    }
}
