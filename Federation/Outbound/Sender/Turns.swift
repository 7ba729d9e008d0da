import Matrix

/// Whose turn it is to send. Servers that answer and servers that did not last time have places of their own, so that
/// those who wait in vain hold up nobody else; among each it is first come, first served.
struct Turns: Sendable {
    enum Lane: Sendable { case healthy, failing }

    private struct Line: Sendable {
        var waiting: [ServerName] = []
        /// Where in `waiting` the first one stands.
        var first = 0
        var free: Int

        mutating func next() -> ServerName? {
            guard free > 0, first < waiting.count else { return nil }
            free -= 1
            let server = waiting[first]
            first += 1
            if first > 1_000 || first == waiting.count {
                waiting.removeFirst(first)
                first = 0
            }
            return server
        }
    }

    private var healthy: Line
    private var failing: Line
    private var queued: Set<ServerName> = []

    init(healthy: Int, failing: Int) {
        self.healthy = Line(free: max(1, healthy))
        self.failing = Line(free: max(1, failing))
    }

    mutating func enqueue(_ server: ServerName, isFailing: Bool) {
        guard queued.insert(server).inserted else { return }
        if isFailing { failing.waiting.append(server) } else { healthy.waiting.append(server) }
    }

    /// The server whose turn it is, if there is a place for it.
    mutating func next() -> (ServerName, Lane)? {
        if let server = healthy.next() {
            queued.remove(server)
            return (server, .healthy)
        }
        guard let server = failing.next() else { return nil }
        queued.remove(server)
        return (server, .failing)
    }

    mutating func end(_ lane: Lane) {
        switch lane {
        case .healthy: healthy.free += 1
        case .failing: failing.free += 1
        }
    }
}
