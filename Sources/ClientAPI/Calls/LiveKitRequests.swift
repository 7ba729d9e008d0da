import Homeserver
import Matrix
import Web

/// What clients send to get into a call on LiveKit, as the service sends it that does this elsewhere.
///
/// [MSC4195](https://github.com/matrix-org/matrix-spec-proposals/pull/4195)
struct LiveKitRequest: RequestDecodable {
    let seat: LiveKitAuthorization.Seat
    let token: String
    let server: ServerName
    /// Who they say that they are; `nil` for clients of before.
    let claimed: UserID?
    /// The delayed event by which they leave, if they leave that to the server.
    let delay: String?

    private static let longestText = 512

    init(from input: RequestInput) throws {
        let body = try input.body
        let slot = try Self.text(body, "slot_id")
        let member = try Self.object(body, "member")
        seat = LiveKitAuthorization.Seat(
            room: try Self.room(body, "room_id"), slot: slot, device: try Self.text(member, "claimed_device_id"),
            member: try Self.text(member, "id"))
        guard let claimed = UserID(try Self.text(member, "claimed_user_id")) else {
            throw MatrixError.badJSON("claimed_user_id is no user")
        }
        self.claimed = claimed
        (token, server) = try Self.openID(body)
        delay = try Self.delay(body)
    }

    /// The form of before.
    init(legacy input: RequestInput) throws {
        let body = try input.body
        let device = try body.optional("device_id", as: .string) ?? ""
        guard device.utf8.count <= Self.longestText else { throw MatrixError.badJSON("device_id is too long") }
        seat = LiveKitAuthorization.Seat(
            room: try Self.room(body, "room"), slot: LiveKitAuthorization.legacySlot, device: device, member: nil)
        claimed = nil
        (token, server) = try Self.openID(body)
        delay = try Self.delay(body)
    }

    static func text(_ body: JSONFields, _ name: String) throws -> String {
        guard let text = try body.optional(name, as: .string), (1...longestText).contains(text.utf8.count) else {
            throw MatrixError.badJSON("\(name) is missing, or too long")
        }
        return text
    }

    static func object(_ body: JSONFields, _ name: String) throws -> JSONFields {
        guard let object = try body.optional(name, as: .object) else { throw MatrixError.badJSON("\(name) is missing") }
        return object
    }

    static func room(_ body: JSONFields, _ name: String) throws -> RoomID {
        guard let room = RoomID(try text(body, name)) else { throw MatrixError.badJSON("\(name) is no room") }
        return room
    }

    private static func openID(_ body: JSONFields) throws -> (String, ServerName) {
        let openID = try object(body, "openid_token")
        guard let server = ServerName(try text(openID, "matrix_server_name")) else {
            throw MatrixError.badJSON("matrix_server_name is no server")
        }
        return (try text(openID, "access_token"), server)
    }

    /// With a name comes the delay, which this server knows anyway. Where the delayed event is was said once, and is here.
    private static func delay(_ body: JSONFields) throws -> String? {
        let delay = try body.optional("delay_id", as: .string) ?? ""
        let timeout = try body.optional("delay_timeout", as: .int) ?? 0
        _ = try body.optional("delay_cs_api_url", as: .string)
        if delay.isEmpty, timeout <= 0 { return nil }
        guard !delay.isEmpty, timeout > 0, delay.utf8.count <= longestText else {
            throw MatrixError.badJSON("delay_id and delay_timeout need each other")
        }
        return delay
    }
}

/// What opens LiveKit.
struct LiveKitAnswer: ResponseEncodable {
    let url: String
    let token: String

    init(_ admitted: (url: String, token: String)) { (url, token) = admitted }

    func encode(into encoder: inout ResponseEncoder) {
        encoder.headers["Cache-Control"] = "no-store"
        encoder.json.write(["url": .string(url), "jwt": .string(token)] as JSONValue)
    }
}

extension [Route] {
    /// A path below the address that clients are told of, and below the host's for those who were told that.
    static func liveKit(_ path: String) -> [Route] { [.post("/livekit/jwt\(path)"), .post(path)] }
}
