import Matrix
import RoomEngine

extension MatrixError {
    /// Nobody may enter or speak any more; who is there may leave.
    static let roomIsClosed = MatrixError.forbidden("This room has been closed by an administrator")

    /// What a client is told of an event that the authorization rules refuse.
    init(_ rejection: AuthRejection) {
        switch rejection {
        case .unknownMembership, .memberWithoutMembership, .memberWithoutStateKey, .malformedPowerLevels,
            .createInvalidAdditionalCreators, .createUnknownRoomVersion, .powerLevelOfCreator:
            self = .badJSON(rejection.explanation)
        default:
            self = .forbidden(rejection.explanation)
        }
    }

    /// What a client is told of an event that cannot be built.
    init(_ error: EventError) {
        switch error {
        case .tooLarge, .fieldTooLong:
            self = .tooLarge("The event is too large")
        default:
            self = .badJSON("This cannot be an event: \(error)")
        }
    }
}

extension AuthRejection {
    /// A sentence for people.
    var explanation: String {
        switch self {
        case .senderNotJoined: "You are not in this room"
        case .joinWhileBanned: "You are banned from this room"
        case .joinWithoutInvite: "You are not invited to this room"
        case .joinNotAuthorised: "You are not in a room whose members may join this one"
        case .cannotInvite: "You may not invite people to this room"
        case .cannotKick: "You may not remove this person"
        case .cannotBan: "You may not ban people from this room"
        case .cannotUnban: "You may not lift bans in this room"
        case .targetAsPowerful: "This person's power level is not below yours"
        case .cannotKnock: "One cannot knock on this room"
        case .cannotSend(let type, _, let needs): "Sending \(type) events needs a power level of \(needs) in this room"
        case .notFederated: "This room is only for users of its own server"
        case .noCreateEvent: "This room does not exist"
        default: "This is not allowed in this room: \(self)"
        }
    }
}
