import Matrix
import Store
import Synchronization

/// What is remembered of the connections of sliding sync.
///
/// Memory only: a client whose connection is forgotten is told so (`M_UNKNOWN_POS`), and begins anew. For each connection there are two
/// states: the one that the client is known to have, and that of the answer it may or may not have got.
final class SlidingConnections: Sendable {
    /// Whose connection it is, and which of theirs.
    struct Key: Hashable, Sendable {
        let user: UserNumber
        let device: DeviceID?
        let name: ExactString
    }

    /// A request that is being answered. When another one begins on the same connection, what it comes to does not count.
    struct Ticket: Sendable {
        let key: Key
        fileprivate let id: UInt64
    }

    private struct Step {
        let serial: Int64
        let state: SlidingState
    }

    private struct Connection {
        /// What the client has.
        var base: Step?
        /// What the client was sent last.
        var next: Step?
        var cache = SlidingCache()
        var ticket: UInt64
        var lastSerial: Int64
        var lastUse: UInt64
        var cost = 0
    }

    private struct Owner: Hashable {
        let user: UserNumber
        let device: DeviceID?
    }

    private struct Memory {
        var connections: [Owner: [ExactString: Connection]] = [:]
        var cost = 0
        var count: UInt64 = 0

        mutating func remove(_ owner: Owner, _ name: ExactString) {
            guard let removed = connections[owner]?.removeValue(forKey: name) else { return }
            cost -= removed.cost
            if connections[owner]?.isEmpty ?? false { connections[owner] = nil }
        }
    }

    private let memory = Mutex(Memory())
    private let limitPerDevice: Int
    private let budgetBytes: Int
    private let clock: any Clock

    /// - Parameters:
    ///   - limitPerDevice: How many connections a device has at most; then the one used longest ago goes.
    ///   - budgetBytes: About how much memory all connections take; then those used longest ago go.
    ///   - clock: Where a connection's serial numbers begin, so that they are not those of a connection before a restart.
    init(limitPerDevice: Int = 8, budgetBytes: Int = 128 << 20, clock: any Clock) {
        self.limitPerDevice = limitPerDevice
        self.budgetBytes = budgetBytes
        self.clock = clock
    }

    /// What a request goes on from.
    struct Opening: Sendable {
        /// `nil` where nothing has to be remembered.
        let ticket: Ticket?
        var state: SlidingState
        var cache: SlidingCache
    }

    /// Begins a connection, in the place of one of the same name.
    ///
    /// - Parameter state: Where it begins.
    func open(_ key: Key, from state: SlidingState = SlidingState()) -> Opening {
        let now = clock.now
        let owner = Owner(user: key.user, device: key.device)
        return memory.withLock { memory in
            memory.count += 1
            // A connection that goes on is not to give out the numbers of the one it replaces.
            let last = max(now, memory.connections[owner]?[key.name]?.lastSerial ?? 0)
            memory.remove(owner, key.name)
            while let others = memory.connections[owner], others.count >= limitPerDevice,
                let oldest = others.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                memory.remove(owner, oldest.key)
            }
            memory.connections[owner, default: [:]][key.name] = Connection(
                ticket: memory.count, lastSerial: last, lastUse: memory.count)
            return Opening(ticket: Ticket(key: key, id: memory.count), state: state, cache: SlidingCache())
        }
    }

    /// Goes on with a connection from one of its last two answers; `nil` if that is not known any more.
    func resume(_ key: Key, from serial: Int64) -> Opening? {
        let owner = Owner(user: key.user, device: key.device)
        return memory.withLock { memory in
            guard var connection = memory.connections[owner]?[key.name] else { return nil }
            if connection.next?.serial == serial {
                connection.base = connection.next
            } else if connection.base?.serial != serial {
                return nil
            }
            guard let base = connection.base else { return nil }
            // From here on the client cannot come back with an answer that it did not process.
            connection.next = nil
            memory.count += 1
            connection.ticket = memory.count
            connection.lastUse = memory.count
            memory.connections[owner]?[key.name] = connection
            return Opening(ticket: Ticket(key: key, id: memory.count), state: base.state, cache: connection.cache)
        }
    }

    /// Remembers the state after an answer.
    ///
    /// - Parameter cache: Makes the cache of the answer's serial number.
    /// - Returns: The answer's serial number; `nil` if the connection is gone, or another request has begun on it.
    func finish(_ ticket: Ticket, _ state: SlidingState, cache: (Int64) -> SlidingCache) -> Int64? {
        let owner = Owner(user: ticket.key.user, device: ticket.key.device)
        return memory.withLock { memory in
            guard var connection = memory.connections[owner]?[ticket.key.name], connection.ticket == ticket.id else {
                return nil
            }
            connection.lastSerial += 1
            connection.next = Step(serial: connection.lastSerial, state: state)
            connection.cache = cache(connection.lastSerial)
            // The two states share most of their memory.
            let cost = 512 + state.cost + connection.cache.cost
            memory.cost += cost - connection.cost
            connection.cost = cost
            memory.connections[owner]?[ticket.key.name] = connection
            if memory.cost > budgetBytes { evict(except: owner, &memory) }
            return connection.lastSerial
        }
    }

    /// How many connections are remembered, and about how many bytes they take.
    var usage: (count: Int, bytes: Int) {
        memory.withLock { ($0.connections.values.reduce(0) { $0 + $1.count }, $0.cost) }
    }

    /// Forgets those that were used longest ago, a quarter of the budget at once, so that it is seldom done.
    private func evict(except owner: Owner, _ memory: inout Memory) {
        let all = memory.connections.flatMap { owner, connections in
            connections.map { (owner: owner, name: $0.key, lastUse: $0.value.lastUse) }
        }
        for entry in all.sorted(by: { $0.lastUse < $1.lastUse }) where entry.owner != owner {
            if memory.cost <= budgetBytes / 4 * 3 { return }
            memory.remove(entry.owner, entry.name)
        }
    }
}
