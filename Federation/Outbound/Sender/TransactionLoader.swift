import FederationWire
import Homeserver
import Matrix
import Store

/// Puts together what could go into a destination's next transaction: from what is in memory, or from the database.
struct TransactionLoader: Sendable {
    let store: Store
    let serverName: ServerName
    let routes: EventRoutes
    let offers: EndOffers
    let announcer: DeviceAnnouncer
    let presence: PresenceService?
    let clock: any Clock
    let configuration: SenderConfiguration

    /// The next transaction of a destination, and what was read from the database for it, if it had to be.
    func draft(
        _ order: DestinationMachine.Order, for server: ServerName
    ) async throws -> (draft: TransactionDraft, page: DestinationMachine.Page?) {
        var page: DestinationMachine.Page?
        if order.items == nil {
            page = try await CatchUp(loader: self, server: server, after: order.after, through: order.through).page()
        }
        var candidates = try await candidates(
            order.items ?? page?.items ?? [], order, through: page?.through ?? order.through, for: server)
        if order.takesDeviceMessages {
            let limit = order.limits.edus
            let found = try await store.read { try $0.outgoingDeviceMessages.pending(for: server, limit: limit + 1) }
            candidates.deviceMessages = Array(found.prefix(limit))
            candidates.hasMoreDeviceMessages = found.count > limit
        }
        candidates.momentary = order.typing.map { .typing($0) }
        if let message = try await presenceMessage(order.presence) { candidates.momentary.append(message) }
        return (TransactionPlanner(limits: order.limits).draft(candidates), page)
    }

    /// What is known to wait, as it would be sent.
    private func candidates(
        _ items: [OutgoingItem], _ order: DestinationMachine.Order, through: StreamPosition, for server: ServerName
    ) async throws -> Candidates {
        var candidates = Candidates(after: order.after, through: through)
        // No more than a transaction holds, or else a long queue is looked through for each one.
        let items = items.prefix(order.limits.pdus + order.limits.edus)
        if let last = items.last, items.count == order.limits.pdus + order.limits.edus {
            candidates.through = last.position
        }
        let events = items.compactMap { item -> EventNumber? in
            if case .event(let event) = item.content { event.number } else { nil }
        }
        // An event may have been redacted since it was announced: then that is what is sent.
        let texts = try await store.events(events)
        var devices: [StreamPosition: [EphemeralMessage]] = [:]
        if items.contains(where: { if case .devices = $0.content { true } else { false } }) {
            let found = try await announcer.messages(for: server, after: order.after, through: candidates.through)
            devices = found.messages
            candidates.through = found.through
        }
        for item in items where item.position <= candidates.through {
            switch item.content {
            case .event(let event):
                let text = (texts[event.number] ?? event).event.bytes
                candidates.items.append(Candidate(position: item.position, content: .events([text])))
            case .offer(let events):
                let texts = try await offers.ends.texts(of: events, for: server)
                candidates.items.append(Candidate(position: item.position, content: .events(texts)))
            case .receipt(let receipt):
                candidates.items.append(
                    Candidate(position: item.position, content: .receipt(try await outgoing(receipt))))
            case .devices:
                guard let messages = devices[item.position] else { continue }
                candidates.items.append(Candidate(position: item.position, content: .messages(messages)))
            }
        }
        return candidates
    }

    /// A receipt as others are told of it.
    private func outgoing(_ receipt: ReceiptRecord) async throws -> OutgoingReceipt {
        OutgoingReceipt(
            room: try await store.room(receipt.room), user: receipt.userID, event: receipt.eventID,
            thread: receipt.thread, timestamp: receipt.timestamp
        )
    }

    private func presenceMessage(_ users: [UserNumber]) async throws -> EphemeralMessage? {
        guard presence != nil, !users.isEmpty else { return nil }
        let now = clock.now
        let statuses = try await store.read { reader in
            try reader.presence.presence(of: users).map { record in
                (user: try reader.identifiers.user(record.user), status: PresenceStatus(record, now: now))
            }
        }
        return statuses.isEmpty ? nil : .presence(statuses)
    }
}
