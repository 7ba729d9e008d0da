import Logging
import Matrix
import Store

/// The server that a room has chosen to look at every event before it is sent.
///
/// [Policy servers](https://spec.matrix.org/v1.19/server-server-api/#policy-servers)
struct RoomPolicy: Sendable {
    /// The server.
    let server: ServerName
    /// The key by which it signs what it recommends.
    let key: VerifyKey

    static let keyID = SigningKeyID("ed25519:policy_server")

    /// Whether the policy server has recommended an event.
    func recommends(_ event: Event) -> Bool {
        guard !Self.isExempt(event.type, event.stateKey), let id = Self.keyID else { return true }
        return event.verify(server: server, keyID: id, key: key)
    }

    /// The event that chooses the policy server must not need its consent.
    static func isExempt(_ type: EventType, _ stateKey: ExactString?) -> Bool {
        type == .policy && stateKey?.string.isEmpty == true
    }
}

extension RoomService {
    /// The policy server of a room, if it uses one.
    ///
    /// [Determining if a policy server is enabled](https://spec.matrix.org/v1.19/server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room)
    func policy(of view: RoomView) async throws -> RoomPolicy? {
        // Asked for every event that is sent: no look-up in the database where there is no policy server.
        guard federation?.policyServers != nil, view.head.state[try await policyKey()] != nil,
            let content = try await view.event(StateKey(.policy))?.event.content,
            let server = content["via"]?.string.flatMap({ ServerName($0) }), server != serverName,
            let key = content["public_keys"]?["ed25519"]?.string.flatMap({ VerifyKey(base64: $0) })
        else { return nil }
        let room = view.head.number
        guard try await store.read({ try $0.memberships.hasJoined(from: server, in: room) }) else { return nil }
        return RoomPolicy(server: server, key: key)
    }

    private func policyKey() async throws -> StateKeyNumber {
        try await store.intern([StateKey(.policy)])[0]
    }

    /// Sends events one by one, each with the consent of the room's policy server.
    ///
    /// - Throws: What the policy server says of an event that it does not recommend.
    func submit(
        _ room: RoomNumber, consentedBy policy: RoomPolicy,
        _ make: @escaping @Sendable (RoomView) async throws -> [EventDraft]
    ) async throws -> [SentEvent] {
        let federation = try requireFederation()
        let lane = lane(room)
        guard let head = try await lane.head() else { throw MatrixError.notFound("There is no such room") }
        let drafts = try await make(RoomView(head: head, store: store))
        if RoomWork(head: head, services: services).isUnheard(drafts) { return try await lane.send { _ in drafts } }
        var sent: [SentEvent] = []
        for draft in drafts {
            if RoomPolicy.isExempt(draft.type, draft.stateKey) {
                sent += try await lane.send { _ in [draft] }
                continue
            }
            if let transaction = draft.transaction, let known = try await known(transaction, of: draft.sender, in: room)
            {
                sent.append(SentEvent(id: known, event: nil))
                continue
            }
            guard let head = try await lane.head() else { throw MatrixError.notFound("There is no such room") }
            var event = try await RoomWork(head: head, services: services).build(draft)
            event = try await consent(to: event, by: policy, federation)
            let arrival = Arrival(
                event: event, receivedTimestamp: services.clock.now, transaction: draft.transaction, isMadeHere: true)
            guard case .decided(let stored, .accepted) = try await lane.perform({ try await $0.admit(arrival) }) else {
                throw MatrixError.forbidden("The room has changed meanwhile: this is not allowed any more")
            }
            sent.append(SentEvent(id: event.eventID, event: stored))
        }
        return sent
    }

    private func known(
        _ transaction: EventTransaction, of sender: UserID, in room: RoomNumber
    ) async throws -> EventID? {
        let user = try await store.intern(sender)
        return try await store.read { try $0.events.event(sender: user, room: room, transaction: transaction) }
    }

    /// The event with the signature of the room's policy server.
    private func consent(to event: Event, by policy: RoomPolicy, _ federation: RoomFederation) async throws -> Event {
        let signatures: [SigningKeyID: [UInt8]]
        guard let policyServers = federation.policyServers else { throw MatrixError.internalError }
        do {
            signatures = try await policyServers.signatures(on: event, by: policy.server)
        } catch {
            throw error.isDefinite
                ? MatrixError(error)
                : MatrixError(502, .unknown, "The room's policy server \(policy.server) could not be reached")
        }
        guard let id = RoomPolicy.keyID, let signature = signatures[id],
            let signed = try? event.adding(signature: signature, of: policy.server, keyID: id),
            policy.recommends(signed)
        else { throw MatrixError.forbidden("The room's policy server does not recommend this event") }
        return signed
    }

    /// Looks at events from other servers with the eyes of the room's policy server, which is asked where its signature is missing.
    ///
    /// - Returns: The events as they are to be decided on, those that it does not recommend marked.
    func judge(_ arrivals: [Arrival], in room: RoomNumber) async throws -> [Arrival] {
        guard let federation, let head = try await lane(room).head(),
            let policy = try await policy(of: RoomView(head: head, store: store))
        else { return arrivals }
        var judged: [Arrival] = []
        for var arrival in arrivals {
            if !policy.recommends(arrival.event), arrival.event.sender.server != serverName {
                do {
                    arrival.event = try await consent(to: arrival.event, by: policy, federation)
                } catch is MatrixError {
                    arrival.isRecommended = false
                    services.logger.info(
                        "an event is not recommended by the room's policy server",
                        metadata: ["event": "\(arrival.event.eventID)", "policy_server": "\(policy.server)"])
                }
            }
            judged.append(arrival)
        }
        return judged
    }
}
