@testable import Matrix

/// Events to test with: one server, one key, a room, and times that do not move.
enum EventFixtures {
    static let server = ServerName(trusted: "example.org")
    static let alice = valid(UserID("@alice:example.org"))
    static let room = RoomID(trusted: "!room:example.org")

    static func key() -> SigningKey {
        valid(SigningKey(seed: [UInt8](repeating: 7, count: 32), version: "test"))
    }

    static func builder(
        _ version: RoomVersion, _ type: EventType, stateKey: ExactString? = nil, content: JSONValue = [:],
        redacts: EventID? = nil
    ) -> EventBuilder {
        let isRoomless = type == .create && version.roomIDIsCreateHash
        let previous = EventID(trusted: version.eventIDIsHash ? "$previous" : "$previous:example.org")
        var builder = EventBuilder(
            version: version, roomID: isRoomless ? nil : room, type: type, stateKey: stateKey, sender: alice,
            content: content, originServerTS: 1_700_000_000_000, depth: 5,
            prevEvents: type == .create ? [] : [previous], authEvents: type == .create ? [] : [previous],
            redacts: redacts, eventIDToken: "token"
        )
        builder.referenceHashes = [previous: [UInt8](repeating: 1, count: 32)]
        return builder
    }

    static func event(
        _ version: RoomVersion, _ type: EventType, stateKey: ExactString? = nil, content: JSONValue = [:],
        redacts: EventID? = nil
    ) throws(EventError) -> Event {
        try builder(version, type, stateKey: stateKey, content: content, redacts: redacts)
            .build(serverName: server, signer: key())
    }

    private static func valid<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure("a fixture is not valid") }
        return value
    }
}
