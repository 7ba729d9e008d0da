import Matrix

/// The authorization rule for which an event is not allowed.
///
/// Named after the rules of [room version 12](https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules) and, where that has them
/// no longer, of earlier versions. Details are for logs and tests; they may hold identifiers but no content that users wrote.
public enum AuthRejection: Error, Sendable, Hashable {
    // The creation of the room
    /// The creation event has `prev_events`.
    case createHasPrevEvents
    /// The room's identifier does not name the sender's server.
    case createRoomIDOfOtherServer
    /// The creation event has a `room_id`, which it should be the source of.
    case createHasRoomID
    /// `room_version` names no version that exists.
    case createUnknownRoomVersion
    /// The creation event names no `creator`.
    case createWithoutCreator
    /// `additional_creators` is no array of user IDs.
    case createInvalidAdditionalCreators

    // Where the event belongs
    /// There is no creation event.
    case noCreateEvent
    /// The room's identifier is not that of its creation event.
    case roomIDNotFromCreateEvent
    /// The room is closed to other servers than its creator's.
    case notFederated

    // What the event lists in auth_events
    /// Two entries are for the same key.
    case duplicateAuthEvent(StateKey)
    /// An entry is for a key that does not belong there, or no state event.
    case unexpectedAuthEvent(EventID)
    /// An entry has been rejected itself.
    case rejectedAuthEvent(EventID)
    /// An entry belongs to another room.
    case authEventOfOtherRoom(EventID)

    // Aliases
    /// Not a state event.
    case aliasesWithoutStateKey
    /// The state key is not the sender's server.
    case aliasesOfOtherServer

    // Membership
    /// No state key.
    case memberWithoutStateKey
    /// No `membership`.
    case memberWithoutMembership
    /// A `membership` that does not exist (in this room version).
    case unknownMembership
    /// The server that is said to have authorised the join has not signed it.
    case joinNotSignedByAuthorisingServer
    /// A join by another than the user themselves.
    case joinByOther
    /// The user is banned.
    case joinWhileBanned
    /// The join rule asks for an invitation.
    case joinWithoutInvite(JoinRule?)
    /// The join rule is restricted and nobody with the right to do so has authorised the join.
    case joinNotAuthorised
    /// The third-party invite is for a banned user.
    case thirdPartyInviteOfBanned
    /// The third-party invite has no `signed`, or that has no `mxid` or `token`.
    case thirdPartyInviteMalformed
    /// The third-party invite was signed for another user.
    case thirdPartyInviteForOther
    /// The state has no third-party invite of that token.
    case thirdPartyInviteUnknown
    /// The third-party invite was sent by another.
    case thirdPartyInviteByOther
    /// No signature holds by a key of the third-party invite.
    case thirdPartyInviteBadSignature
    /// The sender has not joined.
    case senderNotJoined
    /// An invitation of one who has joined or is banned.
    case inviteOf(Membership)
    /// The sender may not invite.
    case cannotInvite(has: PowerLevel, needs: PowerLevel)
    /// One cannot leave without having been invited, joined or knocked.
    case leaveFrom(Membership?)
    /// The sender may not lift a ban.
    case cannotUnban(has: PowerLevel, needs: PowerLevel)
    /// The sender may not kick.
    case cannotKick(has: PowerLevel, needs: PowerLevel)
    /// The sender may not ban.
    case cannotBan(has: PowerLevel, needs: PowerLevel)
    /// The user to kick or ban has as much power as the sender.
    case targetAsPowerful(has: PowerLevel, target: PowerLevel)
    /// The join rule does not let anyone knock.
    case cannotKnock(JoinRule?)
    /// A knock by another than the user themselves.
    case knockByOther
    /// One who is banned, invited or joined cannot knock.
    case knockFrom(Membership)

    // Everything else
    /// The sender may not invite third parties.
    case cannotInviteThirdParty(has: PowerLevel, needs: PowerLevel)
    /// The sender may not send events of that type.
    case cannotSend(EventType, has: PowerLevel, needs: PowerLevel)
    /// The state key is another user's ID.
    case stateKeyOfOtherUser

    // Power levels
    /// The content is malformed.
    case malformedPowerLevels(PowerLevelContent.Flaw)
    /// `users` names a creator.
    case powerLevelOfCreator(UserID)
    /// A property had a level above the sender's.
    case powerLevelPropertyAbove(String, current: Int64, has: PowerLevel)
    /// A property would get a level above the sender's.
    case powerLevelPropertyRaisedAbove(String, new: Int64, has: PowerLevel)
    /// An entry of `events` or `notifications` had a level above the sender's.
    case powerLevelEntryAbove(String, key: String, current: Int64, has: PowerLevel)
    /// An entry of `events` or `notifications` would get a level above the sender's.
    case powerLevelEntryRaisedAbove(String, key: String, new: Int64, has: PowerLevel)
    /// A user's level that is to change is not below the sender's.
    case powerLevelOfPeer(String, current: Int64, has: PowerLevel)
    /// A user would get a level above the sender's.
    case powerLevelGrantedAbove(String, new: Int64, has: PowerLevel)

    // Soft failure
    /// The room's policy server does not recommend the event
    /// ([policy servers](https://spec.matrix.org/v1.19/server-server-api/#validating-policy-server-signatures)).
    case notRecommendedByPolicyServer

    // Redaction, in room versions where this is a matter of authorization
    /// The sender may not redact what others have sent.
    case cannotRedact(has: PowerLevel, needs: PowerLevel)
}
