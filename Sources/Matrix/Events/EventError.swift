/// Why bytes are not an event of a room version, or one could not be built.
public enum EventError: Error, Hashable, Sendable {
    /// The text is not JSON, or not what the room version accepts as such.
    case json(JSONError)
    /// The text is JSON, but no object.
    case notAnObject
    /// A member that every event has is missing.
    case missing(EventField)
    /// A member is of the wrong type or breaks its grammar.
    case invalid(EventField)
    /// A member is longer than it may be.
    case fieldTooLong(EventField, bytes: Int)
    /// A list refers to more events than it may.
    case tooManyReferences(EventField, count: Int)
    /// The canonical text is longer than 65,536 bytes.
    case tooLarge(bytes: Int)
    /// A creation event names a room in a version where the room is named after it.
    case roomIDNotAllowed
    /// A number that canonical JSON does not know.
    case numberNotAllowed
    /// The builder was not given what this room version needs: an event ID's token, or the hash of an event referred to.
    case incomplete(EventField)
    /// The signature failed.
    case signing(SigningError)
}

/// The members that the specification gives the outermost object of an event.
public enum EventField: UInt8, CaseIterable, Sendable, Hashable, CustomStringConvertible {
    // In the order of their names, which is the order of canonical JSON.
    case authEvents, content, depth, eventID, hashes, membership, sticky, origin, originServerTS, prevEvents
    case prevState, redacts, roomID, sender, signatures, stateKey, type, unsigned

    /// The member's name.
    public var name: String { String(describing: staticName) }

    /// The text.
    public var description: String { name }

    var staticName: StaticString {
        switch self {
        case .authEvents: "auth_events"
        case .content: "content"
        case .depth: "depth"
        case .eventID: "event_id"
        case .hashes: "hashes"
        case .membership: "membership"
        case .sticky: "msc4354_sticky"
        case .origin: "origin"
        case .originServerTS: "origin_server_ts"
        case .prevEvents: "prev_events"
        case .prevState: "prev_state"
        case .redacts: "redacts"
        case .roomID: "room_id"
        case .sender: "sender"
        case .signatures: "signatures"
        case .stateKey: "state_key"
        case .type: "type"
        case .unsigned: "unsigned"
        }
    }

    /// The candidates for a name of that many bytes.
    private static func ofLength(_ length: Int) -> [EventField] { length < byLength.count ? byLength[length] : [] }

    private static let byLength: [[EventField]] = (0...16).map { length in
        allCases.filter { $0.staticName.utf8CodeUnitCount == length }
    }

    /// The member that a key on the tape names, or `nil` if the specification knows none of that name.
    static func named(by key: JSONNode, in document: JSONDocument) -> EventField? {
        if key.flag {
            let name = document.text(of: key)
            return allCases.first { $0.name.utf8.elementsEqual(name.utf8) }
        }
        return ofLength(Int(key.end - key.start)).first { document.key(key, is: $0.staticName) }
    }
}
