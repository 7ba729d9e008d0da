import Collections
import Matrix

/// The [reverse topological power ordering](https://spec.matrix.org/v1.19/rooms/v12/#definitions) of power events.
enum PowerOrdering {
    /// The power events among the full conflicted set and what they depend on within it, earliest first.
    static func sorted<Source>(
        _ full: [EventNumber: Event], _ workspace: ResolutionWorkspace<Source>
    ) -> [EventNumber] {
        let graph = graph(full, workspace)
        var waiting: [EventNumber: Int] = [:]
        var followers: [EventNumber: [EventNumber]] = [:]
        var ready = Heap<Candidate>()
        for (number, authEvents) in graph {
            waiting[number] = authEvents.count
            for authEvent in authEvents { followers[authEvent, default: []].append(number) }
            guard authEvents.isEmpty, let event = full[number] else { continue }
            ready.insert(Candidate(number, event, level: workspace.senderLevel(of: number, event)))
        }
        var order: [EventNumber] = []
        order.reserveCapacity(graph.count)
        while let next = ready.popMin() {
            order.append(next.number)
            for follower in followers[next.number] ?? [] {
                let left = (waiting[follower] ?? 0) - 1
                waiting[follower] = left
                guard left == 0, let event = full[follower] else { continue }
                ready.insert(Candidate(follower, event, level: workspace.senderLevel(of: follower, event)))
            }
        }
        return order
    }

    /// A state event that might take away what someone can do. As in other servers, whose results must be the same, the state key
    /// must be empty where power levels and join rules mean anything only then.
    static func isPowerEvent(_ event: Event) -> Bool {
        guard let key = event.stateKey else { return false }
        if event.type == .powerLevels || event.type == .joinRules || event.type == .create { return key.string.isEmpty }
        guard event.type == .member, key != ExactString(event.sender.string) else { return false }
        let membership = Membership(of: event)
        return membership == .leave || membership == .ban
    }

    /// The events to sort, each with those it depends on.
    private static func graph<Source>(
        _ full: [EventNumber: Event], _ workspace: ResolutionWorkspace<Source>
    ) -> [EventNumber: [EventNumber]] {
        var graph: [EventNumber: [EventNumber]] = [:]
        var open = full.filter { isPowerEvent($0.value) }.map(\.key)
        while let number = open.popLast() {
            guard graph[number] == nil else { continue }
            var within: [EventNumber] = []
            for authEvent in workspace.authEvents(of: number) where full[authEvent] != nil {
                if !within.contains(authEvent) { within.append(authEvent) }
            }
            graph[number] = within
            open += within
        }
        return graph
    }

    private struct Candidate: Comparable {
        let number: EventNumber
        let level: PowerLevel
        let originServerTS: Int64
        let eventID: EventID

        init(_ number: EventNumber, _ event: Event, level: PowerLevel) {
            self.number = number
            self.level = level
            originServerTS = event.originServerTS
            eventID = event.eventID
        }

        static func < (left: Candidate, right: Candidate) -> Bool {
            if left.level != right.level { return left.level > right.level }
            if left.originServerTS != right.originServerTS { return left.originServerTS < right.originServerTS }
            return left.eventID < right.eventID
        }
    }
}
