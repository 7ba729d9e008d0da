import Homeserver
import Matrix
import Synchronization

/// What other servers answer to this one: what the test says, and otherwise nothing.
final class ScriptedOutside: RemoteRooms {
    private let nothing = RemoteServerFailure(message: "nobody answers")

    func makeMembership(
        _ membership: RemoteMembership, of user: UserID, in room: RoomID, versions: [RoomVersion], at server: ServerName
    ) async throws(RemoteServerFailure) -> MembershipTemplate { throw nothing }

    func sendJoin(
        _ event: Event, omitsMembers: Bool, at server: ServerName
    ) async throws(RemoteServerFailure) -> RemoteJoin { throw nothing }

    func sendLeave(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) { throw nothing }

    func sendKnock(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) -> [JSON] { throw nothing }

    func sendInvite(
        _ event: Event, strippedState: [[UInt8]], at server: ServerName
    ) async throws(RemoteServerFailure) -> [UInt8] { throw nothing }

    func exchangeThirdPartyInvite(
        _ content: [UInt8], in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) { throw nothing }

    func missingEvents(
        in room: RoomID, before latest: [EventID], after earliest: [EventID], limit: Int, minimumDepth: Int64,
        at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] { throw nothing }

    func backfill(
        _ room: RoomID, from events: [EventID], limit: Int, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] { throw nothing }

    func stateIDs(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [EventID], authChain: [EventID]) { throw nothing }

    func state(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [[UInt8]], authChain: [[UInt8]]) { throw nothing }

    func event(_ id: EventID, at server: ServerName) async throws(RemoteServerFailure) -> [UInt8] { throw nothing }

    func authChain(
        of event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] { throw nothing }
}
