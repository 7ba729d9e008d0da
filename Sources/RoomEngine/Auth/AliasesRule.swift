import Matrix

/// `m.room.aliases`: [rule 4](https://spec.matrix.org/v1.19/rooms/v1/#authorisation-rules) of room versions 1 to 5.
enum AliasesRule {
    static func check(_ event: Event) throws(AuthRejection) {
        guard let key = event.stateKey else { throw .aliasesWithoutStateKey }
        guard key == ExactString(event.sender.server.string) else { throw .aliasesOfOtherServer }
    }
}
