import Matrix
import RoomEngine
import Testing

/// Users that the fixtures are about.
enum Who {
    static let alice = "@alice:one.example"
    static let bob = "@bob:two.example"
    static let carol = "@carol:one.example"
    static let dave = "@dave:three.example"
    static let evil = "@evil:evil.example"
}

extension JSONValue {
    /// The value with some members set.
    func with(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        var copy = self
        for (name, value) in members { copy[name] = value }
        return copy
    }
}

/// Makes events of one room whose identifiers can be read.
struct RoomFixture {
    let version: RoomVersion
    var roomID: String

    init(_ version: RoomVersion) {
        self.version = version
        roomID = version.roomIDIsCreateHash ? "!create" : "!room:one.example"
    }

    /// An event as it would come out of the store: format and identifier are taken for granted.
    func event(
        _ id: String, _ type: EventType, by sender: String, key: String? = nil, _ content: JSONValue = [:],
        prev: [String] = ["p"], auth: [String] = [], at ts: Int64 = 0, depth: Int64 = 10,
        extra: KeyValuePairs<String, JSONValue> = [:]
    ) -> Event {
        let suffix = version.eventIDIsHash ? "" : ":" + (sender.split(separator: ":").last.map(String.init) ?? "")
        func reference(_ id: String) -> JSONValue {
            version.eventFormat == .v1 ? [.string("$" + id), ["sha256": "x"]] : .string("$" + id)
        }
        var value: JSONValue = [
            "type": .string(type.string), "sender": .string(sender), "content": content, "depth": .integer(depth),
            "origin_server_ts": .integer(ts), "prev_events": .array(prev.map(reference)),
            "auth_events": .array(auth.map(reference)), "hashes": ["sha256": "x"], "signatures": [:],
        ]
        if !(version.roomIDIsCreateHash && type == .create) { value["room_id"] = .string(roomID) }
        if let key { value["state_key"] = .string(key) }
        value = value.with(extra)
        do {
            let eventID = try #require(EventID("$" + id + (id.contains(":") ? "" : suffix)))
            return try Event(trusted: value.serialized(), version: version, eventID: eventID)
        } catch {
            fatalError("fixture \(id): \(error)")
        }
    }

    func create(by sender: String = Who.alice, _ content: JSONValue = [:], id: String = "create") -> Event {
        var content = content
        if !version.implicitCreator { content["creator"] = .string(sender) }
        return event(id, .create, by: sender, key: "", content, prev: [])
    }

    func member(
        _ user: String, _ membership: String, by sender: String? = nil, _ content: JSONValue = [:], id: String? = nil
    ) -> Event {
        event(
            id ?? "member-\(user.dropFirst().prefix { $0 != ":" })", .member, by: sender ?? user, key: user,
            content.with(["membership": .string(membership)])
        )
    }

    func powerLevels(_ content: JSONValue, by sender: String = Who.alice, id: String = "levels") -> Event {
        event(id, .powerLevels, by: sender, key: "", content)
    }

    func joinRules(_ rule: String, by sender: String = Who.alice, id: String = "rules") -> Event {
        event(id, .joinRules, by: sender, key: "", ["join_rule": .string(rule)])
    }

    /// A room of Alice (100; a creator above all in version 12), Bob (50) and Carol (0), all joined, with `events` on top.
    func state(_ events: Event..., joinRule: String = "invite", levels: JSONValue = [:], create: Event? = nil)
        -> EventListState
    {
        let create = create ?? self.create()
        let users: JSONValue =
            version.privilegedCreators ? [Who.bob: 50] : [Who.alice: 100, Who.bob: 50]
        let base = [
            create, member(Who.alice, "join"), member(Who.bob, "join"), member(Who.carol, "join"), joinRules(joinRule),
            powerLevels(JSONValue.object(["users": users]).with(levels.pairs)),
        ]
        return EventListState(base + events, creation: RoomCreation(create))
    }
}

extension JSONValue {
    /// The members of an object.
    fileprivate var pairs: [(String, JSONValue)] { (object?.members ?? []).map { ($0.name.string, $0.value) } }

    fileprivate func with(_ members: [(String, JSONValue)]) -> JSONValue {
        var copy = self
        for (name, value) in members { copy[name] = value }
        return copy
    }
}

/// What a check ends in, in one word: `nil` if the event is allowed.
func rejection(_ event: Event, _ state: some AuthState) -> AuthRejection? {
    switch Authorization.check(event, against: state) {
    case .success: nil
    case .failure(let rejection): rejection
    }
}

/// The versions of those identifiers.
func versions(_ ids: ClosedRange<Int>) -> [RoomVersion] { ids.compactMap { RoomVersion(id: String($0)) } }
