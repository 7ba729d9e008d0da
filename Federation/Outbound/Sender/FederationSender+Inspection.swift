import Homeserver
import Matrix
import Store

/// What was sent to other servers since the start, and how many servers there is something for.
public struct SendingCounts: Sendable {
    /// Transactions, each attempt counted.
    public var transactions = 0
    /// Events that arrived, once for each server.
    public var events = 0
    /// Ephemeral messages that arrived, once for each server.
    public var edus = 0
    /// Servers for which something waits or is under way.
    public var waitingServers = 0
    /// Those of them that did not answer the last time.
    public var failingServers = 0
}

extension FederationSender: FederationQueue {
    /// What is counted.
    public func currentCounts() -> SendingCounts {
        var counts = counts
        counts.waitingServers = machines.count
        counts.failingServers = machines.count { $0.value.isFailing }
        return counts
    }

    /// Servers that this one sends to, in the order of their names, and what waits for them.
    public func destinations(after server: ServerName?, limit: Int) async throws -> [DestinationStatus] {
        // What is known in memory only so far is written down first: then the database knows of every destination.
        await checkpoint()
        let records = try await store.read { try $0.destinations.destinations(after: server, limit: limit) }
        var list: [DestinationStatus] = []
        for record in records { list.append(try await status(of: record)) }
        return list
    }

    /// Has a server tried now, whenever its next attempt was due.
    ///
    /// - Returns: Whether this server sends to it at all.
    public func retry(_ server: ServerName) async throws -> Bool {
        guard machines[server] == nil else {
            with(server) { $0.retryNow() }
            return true
        }
        return try await store.read { try $0.destinations.destination(server) } != nil
    }

    private func status(of record: DestinationRecord) async throws -> DestinationStatus {
        let machine = machines[record.server]
        let known = machine?.record(of: record.server) ?? record
        // The database may know of more that waits than is known here, and may not know yet of what has been sent.
        let queued = max(known.queuedThrough, record.queuedThrough)
        let sent = max(known.sentThrough, record.sentThrough)
        let local = serverName
        let (events, messages) = try await store.read { reader in
            var events = 0
            if queued > sent {
                let rooms = try reader.rooms.changed(try reader.serverMembers.rooms(of: record.server), after: sent)
                let counts = try reader.outgoing(from: local).counts(
                    in: rooms, for: record.server, after: sent, through: queued)
                events = counts.values.reduce(0, +)
            }
            return (events, try reader.outgoingDeviceMessages.count(for: record.server))
        }
        return DestinationStatus(
            server: record.server, pendingEvents: events, pendingDeviceMessages: messages, failures: known.failures,
            firstFailure: known.firstFailure, nextAttempt: known.retryAt > 0 ? known.retryAt : nil,
            lastAttempt: known.lastAttempt ?? record.lastAttempt, lastSuccess: known.lastSuccess ?? record.lastSuccess,
            lastError: known.lastError
        )
    }
}
