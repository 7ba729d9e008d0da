import Matrix

/// `m.room.create`: [rule 1](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules).
enum CreateRule {
    static func check(_ event: Event) throws(AuthRejection) {
        guard event.prevEvents.isEmpty else { throw .createHasPrevEvents }
        if event.version.roomIDIsCreateHash {
            guard event.json["room_id"] == nil else { throw .createHasRoomID }
        } else {
            guard let server = event.roomID.server, event.sender.isLocal(to: server) else {
                throw .createRoomIDOfOtherServer
            }
        }
        if let version = event.content["room_version"] {
            guard let id = version.string, RoomVersion(id: id) != nil else { throw .createUnknownRoomVersion }
        }
        if !event.version.implicitCreator, event.content["creator"] == nil { throw .createWithoutCreator }
        if event.version.additionalCreators, let creators = event.content["additional_creators"] {
            guard creators.isArray, creators.elements.allSatisfy({ $0.string.flatMap({ UserID($0) }) != nil }) else {
                throw .createInvalidAdditionalCreators
            }
        }
    }
}
