import Matrix
import RoomEngine
import Store

/// An invitation of somebody who was known by an address only, and now is known to be a user.
///
/// [Third-party invites](https://spec.matrix.org/v1.19/server-server-api/#third-party-invites)
public struct ThirdPartyInvite: Sendable {
    /// The room.
    public let room: RoomID
    /// Who has invited.
    public let sender: UserID
    /// Who is invited.
    public let target: UserID
    /// What the identity server has signed: that the address is the user's.
    public let signed: JSON

    /// An invitation.
    public init(room: RoomID, sender: UserID, target: UserID, signed: JSON) {
        self.room = room
        self.sender = sender
        self.target = target
        self.signed = signed
    }
}

extension RoomService {
    /// Turns an invitation of an address, which turned out to be that of a user of this server, into an invitation of that user: here, if
    /// this server is in the room, or else at the server of who has invited.
    ///
    /// - Throws: 404 `M_NOT_FOUND` for a user who is none of this server's; 403 `M_FORBIDDEN` if the room does not allow it.
    public func redeem(_ invite: ThirdPartyInvite) async throws {
        guard invite.target.isLocal(to: serverName),
            let account = try await store.read({ try $0.accounts.account(invite.target) }),
            !account.flags.contains(.deactivated)
        else { throw MatrixError.notFound("There is no such user here") }
        if invite.sender.isLocal(to: serverName) { return try await issue(invite) }
        if let number = try await store.number(of: invite.room), try await participates(in: number) {
            return try await issueOnBehalf(invite, in: number)
        }
        let federation = try requireFederation()
        let content: JSONValue = [
            "type": .string(EventType.member.string), "room_id": .string(invite.room.string),
            "sender": .string(invite.sender.string), "state_key": .string(invite.target.string),
            "content": ["membership": "invite", "third_party_invite": ["signed": invite.signed.value]],
        ]
        do throws(RemoteServerFailure) {
            try await federation.remote.exchangeThirdPartyInvite(
                content.serialized(), in: invite.room, at: invite.sender.server)
        } catch {
            throw error.isDefinite
                ? MatrixError(error)
                : MatrixError(502, .unknown, "\(invite.sender.server) could not be reached: \(error.message)")
        }
    }

    /// Invites a user whom a user of this server has invited by an address.
    ///
    /// [PUT /exchange_third_party_invite](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid)
    ///
    /// - Throws: 403 `M_FORBIDDEN` if the room knows no such invitation or its keys did not sign this use of it.
    public func issue(_ invite: ThirdPartyInvite) async throws {
        guard invite.sender.isLocal(to: serverName) else {
            throw MatrixError.forbidden("\(invite.sender) is no user of this server")
        }
        let number = try await residentNumber(of: invite.room)
        let draft = try await draft(of: invite, in: number)
        if invite.target.isLocal(to: serverName) {
            _ = try await submit(draft, to: number)
        } else {
            try await inviteRemotely(invite.target, draft, to: number)
        }
    }

    /// Invites a user of this server in the name of somebody elsewhere: what the identity server has signed stands in for the signature of
    /// that user's server, which hears of it as all others do.
    private func issueOnBehalf(_ invite: ThirdPartyInvite, in number: RoomNumber) async throws {
        let draft = try await draft(of: invite, in: number)
        let lane = lane(number)
        guard let head = try await lane.head() else { throw MatrixError.notFound("There is no such room") }
        if head.isBlocked { throw MatrixError.roomIsClosed }
        let event = try await RoomWork(head: head, services: services).build(draft)
        var arrival = Arrival(event: event, receivedTimestamp: services.clock.now, isMadeHere: true)
        arrival.relay = .onBehalf(of: serverName)
        let final = arrival
        guard case .decided(_, .accepted) = try await lane.perform({ try await $0.admit(final) }) else {
            throw MatrixError.forbidden("The room does not allow this invitation")
        }
    }

    /// The membership that an invitation leads to.
    private func draft(of invite: ThirdPartyInvite, in number: RoomNumber) async throws -> EventDraft {
        let view = try await view(number)
        guard let token = invite.signed["token"]?.string,
            let original = try await view.event(StateKey(.thirdPartyInvite, token))
        else { throw MatrixError.forbidden("The room knows no such invitation") }
        try await checkKeys(of: invite, original.event.content)
        var thirdParty: JSONValue = ["signed": invite.signed.value]
        thirdParty["display_name"] = original.event.content["display_name"]?.value
        let content: JSONValue = ["membership": "invite", "third_party_invite": thirdParty]
        return EventDraft(sender: invite.sender, state: .member, key: invite.target.string, content: content)
    }

    /// The server that lets somebody in on an identity server's word asks whether its key still counts; no other does, so that all servers
    /// decide the same.
    private func checkKeys(of invite: ThirdPartyInvite, _ original: JSON) async throws {
        guard let invitationKeys else { return }
        let uses = ThirdPartySignature.uses(invite.signed, keysOf: original)
        for use in uses.prefix(Self.maximumKeys) {
            guard let url = use.validityURL else { return }
            if await invitationKeys.isValid(use.key, at: url) { return }
        }
        throw MatrixError.forbidden("The identity server's key does not count, or cannot be asked about")
    }

    private static let maximumKeys = 3
}
