import Matrix

/// What a room's creation event says, read once.
public final class RoomCreation: Sendable {
    /// The creation event.
    public let event: Event
    /// The users who stand above all power levels; empty in room versions without such.
    public let privilegedCreators: [UserID]
    /// Who created the room, as the rules of the room's version name them: the `creator` of the content, or the sender.
    public let creator: ExactString
    /// Whether users of other servers than the creator's may take part
    /// ([`m.federate`](https://spec.matrix.org/v1.19/client-server-api/#mroomcreate)).
    public let federates: Bool

    /// Reads an `m.room.create` event.
    public init(_ event: Event) {
        self.event = event
        federates = event.content["m.federate"]?.bool ?? true
        if event.version.implicitCreator {
            creator = ExactString(event.sender.string)
        } else {
            creator = ExactString(event.content["creator"]?.string ?? "")
        }
        privilegedCreators = event.version.privilegedCreators ? Self.creators(of: event) : []
    }

    /// Whether events of that room are based on this creation event. Only says something where the identifier is its hash.
    public func identifies(_ room: RoomID) -> Bool {
        event.eventID.string.utf8.dropFirst().elementsEqual(room.string.utf8.dropFirst())
    }

    private static func creators(of event: Event) -> [UserID] {
        var creators = [event.sender]
        guard event.version.additionalCreators, let additional = event.content["additional_creators"] else {
            return creators
        }
        for element in additional.elements {
            guard let user = element.string.flatMap({ UserID($0) }), !creators.contains(user) else { continue }
            creators.append(user)
        }
        return creators
    }
}
