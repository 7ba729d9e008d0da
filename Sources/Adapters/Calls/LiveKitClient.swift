import Homeserver
import Matrix

/// Asks LiveKit's [RoomService](https://docs.livekit.io/reference/other/roomservice-api/), by its JSON form of Twirp.
public struct LiveKitClient: MediaForwarder {
    private let url: String
    private let key: String
    private let secret: String
    private let tokens: any WebTokens
    private let clock: any Clock
    private let requests: ConferenceRequests

    /// How long a room is kept that nobody enters, and one that everybody has left, in seconds.
    private static let emptySeconds: Int64 = 300
    private static let departureSeconds: Int64 = 20
    private static let lifetimeSeconds: Int64 = 60

    /// - Parameters:
    ///   - url: Where its API is, without a slash at the end.
    ///   - key: What LiveKit calls this server.
    ///   - secret: What tokens are signed with.
    ///   - tokens: Signs them.
    ///   - clock: Tells the time.
    ///   - outside: Makes the requests.
    ///   - timeoutMilliseconds: How long each may take.
    public init(
        url: String, key: String, secret: String, tokens: any WebTokens, clock: any Clock, outside: OutsideRequests,
        timeoutMilliseconds: Int64
    ) {
        self.url = url
        self.key = key
        self.secret = secret
        self.tokens = tokens
        self.clock = clock
        requests = ConferenceRequests(outside: outside, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Makes a room, unless it is there.
    public func makeRoom(_ name: String, maximumParticipants: Int) async throws(ConferenceFailure) {
        let made = try await ask(
            "CreateRoom", grant: ["roomCreate": true],
            [
                "name": .string(name), "empty_timeout": .integer(Self.emptySeconds),
                "departure_timeout": .integer(Self.departureSeconds),
                "max_participants": .integer(Int64(maximumParticipants)),
            ])
        guard let said = made["name"]?.string, said.utf8.elementsEqual(name.utf8) else { throw .malformed }
    }

    /// Whether somebody is in a room.
    public func isPresent(_ identity: String, in room: String) async throws(ConferenceFailure) -> Bool {
        do throws(ConferenceFailure) {
            let found = try await ask(
                "GetParticipant", grant: ["roomAdmin": true, "room": .string(room)],
                ["room": .string(room), "identity": .string(identity)])
            guard let said = found["identity"]?.string, said.utf8.elementsEqual(identity.utf8) else { throw .malformed }
            // One who has gone is still listed for a moment.
            return found["state"]?.string != "DISCONNECTED"
        } catch .notFound {
            return false
        }
    }

    private func ask(
        _ method: String, grant: JSONValue, _ body: JSONValue
    ) async throws(ConferenceFailure) -> JSON {
        let now = clock.now / 1_000
        let claims: JSONValue = [
            "iss": .string(key), "sub": .string(key), "nbf": .integer(now - 10),
            "exp": .integer(now + Self.lifetimeSeconds), "video": grant,
        ]
        guard let token = try? await tokens.sign(claims, secret: secret) else { throw .unauthorized }
        return try await requests.send(
            .init(
                method: .POST, url: "\(url)/twirp/livekit.RoomService/\(method)", token: token,
                contentType: "application/json", body: body.serialized(), absence: "not_found"))
    }
}
