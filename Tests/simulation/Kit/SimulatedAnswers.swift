import FederationInbound
import FederationWire
import Homeserver
import Matrix
import RoomEngine
import Store

/// What a server answers to others: what the endpoints of the server-server API do, without their bytes.
extension SimulatedProcess {
    func makeMembership(
        _ membership: RemoteMembership, of user: UserID, in room: RoomID, versions: [String]?, for origin: ServerName
    ) async throws -> MembershipTemplate {
        try await rooms.checkACL(origin, in: room)
        return try await rooms.membershipTemplate(membership, of: user, in: room, versions: versions, for: origin)
    }

    func takeMembership(
        _ membership: RemoteMembership, _ event: Event, from origin: ServerName
    ) async throws -> StoredEvent {
        try await rooms.checkACL(origin, in: event.roomID)
        return try await rooms.acceptMembership(
            membership, try JSON(parsing: event.bytes, options: event.version.parserOptions), id: event.eventID,
            in: event.roomID, from: origin)
    }

    func takeJoin(_ event: Event, omitsMembers: Bool, from origin: ServerName) async throws -> RemoteJoin {
        let stored = try await takeMembership(.join, event, from: origin)
        let answer = try await rooms.residentAnswer(to: stored, omitsMembers: omitsMembers)
        return RemoteJoin(
            event: answer.event.event.bytes, state: answer.state.map(\.event.bytes),
            authChain: answer.authChain.map(\.event.bytes), membersOmitted: answer.membersOmitted,
            serversInRoom: answer.membersOmitted ? answer.servers : [])
    }

    func takeKnock(_ event: Event, from origin: ServerName) async throws -> [JSON] {
        _ = try await takeMembership(.knock, event, from: origin)
        return try await rooms.strippedEvents(of: event.roomID).map { try JSON(parsing: $0.bytes) }
    }

    func takeInvite(_ event: Event, strippedState: [[UInt8]], from origin: ServerName) async throws -> [UInt8] {
        try await rooms.takeInvite(
            try JSON(parsing: event.bytes, options: event.version.parserOptions), id: event.eventID, in: event.roomID,
            version: event.version, strippedState: try strippedState.map { try JSON(parsing: $0) }, from: origin
        ).bytes
    }

    // MARK: Transactions

    func take(
        _ transaction: FederationTransaction, id: String, from origin: ServerName
    ) async throws -> [EventID: String] {
        let body = try JSON(parsing: transaction.body, options: .federation)
        let answer = try JSON(parsing: try await receiver.receive(ReceivedTransaction(body), id: id, from: origin))
        var errors: [EventID: String] = [:]
        for (name, outcome) in answer["pdus"]?.members ?? JSON.emptyObject.members {
            if let event = EventID(name), let error = outcome["error"]?.string { errors[event] = error }
        }
        return errors
    }

    // MARK: History

    func missingEvents(
        in room: RoomID, before latest: [EventID], after earliest: [EventID], limit: Int, minimumDepth: Int64,
        for origin: ServerName
    ) async throws -> [[UInt8]] {
        try await queries.missingEvents(
            in: room, before: latest, after: earliest, limit: limit, minimumDepth: minimumDepth, for: origin)
    }

    func backfill(
        _ room: RoomID, from events: [EventID], limit: Int, for origin: ServerName
    ) async throws -> [[UInt8]] {
        try await queries.backfill(room, from: events, limit: limit, for: origin)
    }

    func stateIDs(
        before event: EventID, in room: RoomID, for origin: ServerName
    ) async throws -> (state: [EventID], authChain: [EventID]) {
        let found = try await queries.state(before: event, in: room, for: origin)
        return (found.state.map(\.id), found.authChain.map(\.id))
    }

    func state(
        before event: EventID, in room: RoomID, for origin: ServerName
    ) async throws -> (state: [[UInt8]], authChain: [[UInt8]]) {
        let found = try await queries.state(before: event, in: room, for: origin)
        return (try await queries.texts(of: found.state[...]), try await queries.texts(of: found.authChain[...]))
    }

    func event(_ id: EventID, for origin: ServerName) async throws -> [UInt8] {
        try await queries.event(id, for: origin)
    }

    func authChain(of id: EventID, in room: RoomID, for origin: ServerName) async throws -> [[UInt8]] {
        try await queries.texts(of: try await queries.authChain(of: id, in: room, for: origin)[...])
    }
}
