import Homeserver
import Matrix
import Synchronization

/// What other servers answer to this one: what the test says, and otherwise nothing.
final class ScriptedOutside: RemoteRooms, RemoteDevices, RemoteServers, RemoteHierarchies, RemoteTimestamps {
    private struct Script {
        var devices: [UserID: JSONValue] = [:]
        var failure: RemoteServerFailure?
        var askedDevices: [UserID] = []
        var askedKeys: [[UserID]] = []
        var spaces: [RoomID: JSONValue] = [:]
        var askedSpaces: [RoomID] = []
        var exchanged: [JSONValue] = []
        var invited: [JSONValue] = []
        var nearest: (event: EventID, originServerTS: Int64)?
        var history: [[UInt8]] = []
        var between: [[UInt8]]?
        var state: [EventID] = []
        var wholeState: [[UInt8]]?
        /// What happens while a list is on its way.
        var interruption: (@Sendable () async throws -> Void)?
    }

    private let script = Mutex(Script())

    /// What `GET /user/devices` answers about users.
    func setDevices(_ body: JSONValue?, of user: UserID) { script.withLock { $0.devices[user] = body } }
    /// Why nobody answers.
    func setFailure(_ failure: RemoteServerFailure?) { script.withLock { $0.failure = failure } }
    /// What happens after the next list has been put together and before it arrives.
    func interrupt(_ body: (@Sendable () async throws -> Void)?) { script.withLock { $0.interruption = body } }
    /// Of whom the devices have been asked for, one by one.
    var askedDevices: [UserID] { script.withLock { $0.askedDevices } }
    /// Of whom the keys have been asked for, request by request.
    var askedKeys: [[UserID]] { script.withLock { $0.askedKeys } }

    /// What `GET /hierarchy` answers about rooms.
    func setSpace(_ body: JSONValue?, of room: RoomID) { script.withLock { $0.spaces[room] = body } }
    /// Rooms that have been asked about.
    var askedSpaces: [RoomID] { script.withLock { $0.askedSpaces } }
    /// The uses of third-party invites that have been handed over.
    var exchanged: [JSONValue] { script.withLock { $0.exchanged } }
    /// The invites that have been handed over. None is signed.
    var invited: [JSONValue] { script.withLock { $0.invited } }
    /// What `GET /state` answers; if nothing, nobody answers that.
    func setWholeState(_ texts: [[UInt8]]?) { script.withLock { $0.wholeState = texts } }
    /// What `GET /timestamp_to_event`, `GET /backfill`, `GET /event`, `GET /event_auth` and `GET /state_ids` answer.
    ///
    /// - Parameter between: What `POST /get_missing_events` answers; then `GET /backfill` answers nothing.
    func setHistory(
        _ texts: [[UInt8]], nearest: (event: EventID, originServerTS: Int64)?, state: [EventID],
        between: [[UInt8]]? = nil
    ) {
        script.withLock { script in
            script.history = texts
            script.between = between
            script.nearest = nearest
            script.state = state
        }
    }

    func hierarchy(
        of room: RoomID, suggestedOnly: Bool, at server: ServerName
    ) async throws(RemoteServerFailure) -> JSON {
        let body = script.withLock { script in
            script.askedSpaces.append(room)
            return script.spaces[room]
        }
        guard let body else { throw nothing }
        return body.json
    }

    func event(
        nearestTo timestamp: Int64, searchesForward: Bool, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (event: EventID, originServerTS: Int64) {
        guard let nearest = script.withLock({ $0.nearest }) else { throw nothing }
        return nearest
    }

    func devices(of user: UserID) async throws(RemoteServerFailure) -> JSON {
        let (body, failure, interruption) = script.withLock { script in
            script.askedDevices.append(user)
            defer { script.interruption = nil }
            return (script.devices[user], script.failure, script.interruption)
        }
        do { try await interruption?() } catch { throw RemoteServerFailure(message: "\(error)") }
        if let failure { throw failure }
        guard let body else { throw RemoteServerFailure(status: 404, message: "no such user", isAnswer: true) }
        return body.json
    }

    func queryKeys(
        _ devices: [UserID: [DeviceID]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON {
        let (failure, known) = script.withLock { script in
            script.askedKeys.append(devices.keys.sorted())
            return (script.failure, script.devices)
        }
        if let failure, !failure.isDefinite { throw failure }
        var keys = JSONObject()
        for user in devices.keys {
            var found = JSONObject()
            guard case .array(let list)? = known[user]?["devices"] else { continue }
            for device in list { found[device["device_id"]?.string ?? ""] = device["keys"] }
            keys[user.string] = .object(found)
        }
        return (["device_keys": .object(keys)] as JSONValue).json
    }

    func claimKeys(
        _ keys: [UserID: [DeviceID: KeyAlgorithm]], at server: ServerName, timeoutMilliseconds: Int64
    ) async throws(RemoteServerFailure) -> JSON { throw nothing }

    private let nothing = RemoteServerFailure(message: "nobody answers")

    func makeMembership(
        _ membership: RemoteMembership, of user: UserID, in room: RoomID, versions: [RoomVersion], at server: ServerName
    ) async throws(RemoteServerFailure) -> MembershipTemplate { throw nothing }

    func sendJoin(
        _ event: Event, omitsMembers: Bool, at server: ServerName
    ) async throws(RemoteServerFailure) -> RemoteJoin { throw nothing }

    func sendLeave(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) { throw nothing }

    func sendKnock(_ event: Event, at server: ServerName) async throws(RemoteServerFailure) -> [JSON] { throw nothing }

    func seemsDown(_ server: ServerName) -> Bool { false }

    func sendInvite(
        _ event: Event, strippedState: [[UInt8]], at server: ServerName
    ) async throws(RemoteServerFailure) -> [UInt8] {
        script.withLock { $0.invited.append(event.json.value) }
        throw nothing
    }

    func exchangeThirdPartyInvite(
        _ content: [UInt8], in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) {
        guard let json = try? JSON(parsing: content) else { throw nothing }
        script.withLock { $0.exchanged.append(json.value) }
    }

    func missingEvents(
        in room: RoomID, before latest: [EventID], after earliest: [EventID], limit: Int, minimumDepth: Int64,
        at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        guard let between = script.withLock({ $0.between }) else { throw nothing }
        return between
    }

    func backfill(
        _ room: RoomID, from events: [EventID], limit: Int, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        script.withLock { $0.between == nil ? $0.history : [] }
    }

    func stateIDs(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [EventID], authChain: [EventID]) {
        let state = script.withLock { $0.state }
        if state.isEmpty { throw nothing }
        return (state, [])
    }

    func state(
        before event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> (state: [[UInt8]], authChain: [[UInt8]]) {
        guard let whole = script.withLock({ $0.wholeState }) else { throw nothing }
        return (whole, [])
    }

    func event(_ id: EventID, at server: ServerName) async throws(RemoteServerFailure) -> [UInt8] {
        guard let text = script.withLock({ $0.history.first }) else { throw nothing }
        return text
    }

    func authChain(
        of event: EventID, in room: RoomID, at server: ServerName
    ) async throws(RemoteServerFailure) -> [[UInt8]] {
        let texts = script.withLock { $0.history }
        if texts.isEmpty { throw nothing }
        return texts
    }
}
