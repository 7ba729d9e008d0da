import Matrix

/// What users of this server may not put into events although the authorization rules would let it pass.
///
/// The rules of a room must take what others have sent for years; what we send ourselves is held to the event's schema.
public enum ContentRule {
    /// Why a content is not to be sent.
    public enum Violation: Error, Sendable, Hashable {
        /// A level is no integer: old versions would take a text or a fraction, which is
        /// [not to be sent](https://spec.matrix.org/v1.19/server-server-api/#definitions).
        case malformedPowerLevels(PowerLevelContent.Flaw)
        /// `users` gives a level to a creator, who stands above all levels
        /// ([room version 12](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules)).
        case powerLevelOfCreator(UserID)
        /// The state key of a membership is no user ID.
        case memberWithoutUser
        /// A number that canonical JSON does not know, in a room whose events are canonical JSON.
        case numberNotCanonical
    }

    /// Checks the content of an event of ours.
    ///
    /// - Parameters:
    ///   - content: The content, an object.
    ///   - type: The event's type.
    ///   - stateKey: The event's state key, if it has one.
    ///   - creation: The room's creation; `nil` while the room is being created.
    ///   - version: The room's version.
    public static func check(
        _ content: JSON, type: EventType, stateKey: ExactString?, creation: RoomCreation?, version: RoomVersion
    ) -> Result<Void, Violation> {
        Result { () throws(Violation) in
            if version.strictCanonicalJSON, !hasCanonicalNumbers(content) { throw .numberNotCanonical }
            if type == .member, let stateKey, UserID(stateKey.string) == nil { throw .memberWithoutUser }
            guard type == .powerLevels, stateKey?.string.isEmpty == true else { return }
            // Version 10 is the first that takes integers alone.
            let levels = PowerLevelContent(content, version: version.integerPowerLevels ? version : .v10)
            if let flaw = levels.flaw { throw .malformedPowerLevels(flaw) }
            for creator in creation?.privilegedCreators ?? [] where levels.users[ExactString(creator.string)] != nil {
                throw .powerLevelOfCreator(creator)
            }
        }
    }

    private static func hasCanonicalNumbers(_ json: JSON) -> Bool {
        switch json.kind {
        case .number: json.int != nil
        case .array: json.elements.allSatisfy(hasCanonicalNumbers)
        case .object: json.members.allSatisfy { hasCanonicalNumbers($0.value) }
        case .null, .true, .false, .string: true
        }
    }
}
