import FederationOutbound
import FederationWire
import Homeserver
import Matrix

/// How a simulated server reaches the others.
struct SimulatedRemote: RemoteRooms, TransactionTransport {
    let network: SimulatedNetwork
    let origin: SimulatedProcess.Life

    private var server: ServerName { origin.server }

    /// Nobody remembers here who has not answered.
    func seemsDown(_ server: ServerName) -> Bool { false }

    func makeMembership(
        _ membership: RemoteMembership, of user: UserID, in room: RoomID, versions: [RoomVersion], at server: ServerName
    ) async throws(RemoteServerFailure) -> MembershipTemplate {
        try await network.ask("make_\(membership.rawValue) \(user)", from: origin, to: server) { [origin] in
            try await $0.makeMembership(
                membership, of: user, in: room, versions: membership == .leave ? nil : versions.map(\.id),
                for: origin.server)
        }
    }

    func sendJoin(_ event: Event, omitsMembers: Bool, at server: ServerName) async throws(RemoteServerFailure)
        -> RemoteJoin
    {
        let answer = try await network.ask("send_join \(event.eventID.short)", from: origin, to: server) { [origin] in
            try await $0.takeJoin(event, omitsMembers: omitsMembers, from: origin.server)
        }
        network.onHandover(event, server)
        // Only who comes in does without members.
        if omitsMembers { network.enters(event, origin.server) }
        return answer
    }

    func sendLeave(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) {
        try await network.ask("send_leave \(event.eventID.short)", from: origin, to: server) { [origin] in
            _ = try await $0.takeMembership(.leave, event, from: origin.server)
        }
        network.onHandover(event, server)
    }

    func sendKnock(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) -> [JSON] {
        let state = try await network.ask("send_knock \(event.eventID.short)", from: origin, to: server) { [origin] in
            try await $0.takeKnock(event, from: origin.server)
        }
        network.onHandover(event, server)
        return state
    }

    func sendInvite(
        _ event: Event, strippedState: [[UInt8]], at server: ServerName
    ) async throws(RemoteServerFailure) -> [UInt8] {
        try await network.ask("invite \(event.eventID.short)", from: origin, to: server) { [origin] in
            try await $0.takeInvite(event, strippedState: strippedState, from: origin.server)
        }
    }

    func exchangeThirdPartyInvite(
        _ content: [UInt8], in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) {
        throw RemoteServerFailure(message: "nobody is invited by an address here")
    }

    func missingEvents(
        in room: RoomID, before latest: [EventID], after earliest: [EventID], limit: Int, minimumDepth: Int64,
        at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        try await network.ask("get_missing_events \(latest.map(\.short))", from: origin, to: server) { [origin] in
            try await $0.missingEvents(
                in: room, before: latest, after: earliest, limit: limit, minimumDepth: minimumDepth, for: origin.server)
        }
    }

    func backfill(
        _ room: RoomID, from events: [EventID], limit: Int, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        try await network.ask("backfill \(events.map(\.short))", from: origin, to: server) { [origin] in
            try await $0.backfill(room, from: events, limit: limit, for: origin.server)
        }
    }

    func stateIDs(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [EventID], authChain: [EventID]) {
        try await network.ask("state_ids \(event.short)", from: origin, to: server) { [origin] in
            try await $0.stateIDs(before: event, in: room, for: origin.server)
        }
    }

    func state(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [[UInt8]], authChain: [[UInt8]]) {
        try await network.ask("state \(event.short)", from: origin, to: server) { [origin] in
            try await $0.state(before: event, in: room, for: origin.server)
        }
    }

    func event(_ id: EventID, at server: ServerName) async throws(RemoteServerFailure) -> [UInt8] {
        try await network.ask("event \(id.short)", from: origin, to: server) { [origin] in
            try await $0.event(id, for: origin.server)
        }
    }

    func authChain(of event: EventID, in room: RoomID, at server: ServerName) async throws(RemoteServerFailure)
        -> [[UInt8]]
    {
        try await network.ask("event_auth \(event.short)", from: origin, to: server) { [origin] in
            try await $0.authChain(of: event, in: room, for: origin.server)
        }
    }

    func send(
        _ transaction: FederationTransaction, id: String, to server: ServerName
    ) async throws(RemoteServerFailure) -> [EventID: String] {
        let count = transaction.pdus.count
        return try await network.ask("send \(id) of \(count)", from: origin, to: server) { [origin] in
            try await $0.take(transaction, id: id, from: origin.server)
        }
    }
}

/// The keys of all servers of the simulation: whoever asks knows them.
struct SimulatedKeys: ServerKeys {
    let keys: [ServerName: SigningKey]

    func keys(_ wanted: [ServerName: [SigningKeyID: Int64?]]) async -> [ServerName: [SigningKeyID: VerifyKey]] {
        var found: [ServerName: [SigningKeyID: VerifyKey]] = [:]
        for (server, ids) in wanted {
            guard let key = keys[server], ids.keys.contains(key.keyID) else { continue }
            found[server] = [key.keyID: key.publicKey]
        }
        return found
    }
}

/// Nobody encrypts here.
struct NoDeviceQueries: RemoteServers, RemoteDevices {
    private static let failure = RemoteServerFailure(message: "there are no devices here")

    func queryKeys(
        _ devices: [UserID: [DeviceID]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON { throw Self.failure }

    func claimKeys(
        _ keys: [UserID: [DeviceID: KeyAlgorithm]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON { throw Self.failure }

    func devices(of user: UserID) async throws(RemoteServerFailure) -> JSON { throw Self.failure }
}
