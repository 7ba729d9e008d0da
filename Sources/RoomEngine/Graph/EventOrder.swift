import Collections
import Matrix

/// Orders events of a graph so that each comes after those of the same list that it refers to.
public enum EventOrder {
    /// By `prev_events`, the shallower first.
    public static func timeline(_ events: some Sequence<Event>) -> [Event] {
        sorted(events) { $0.prevEvents }
    }

    /// By what allows them: `auth_events` and, where rooms are named after it, the creation event.
    public static func authorization(_ events: some Sequence<Event>) -> [Event] {
        sorted(events, references: authEvents)
    }

    /// What an event's authorization is looked up in: its `auth_events` and, where rooms are named after it, the creation event.
    public static func authEvents(of event: Event) -> [EventID] {
        guard event.version.roomIDIsCreateHash, event.type != .create else { return event.authEvents }
        return event.authEvents + [EventID(createEventOf: event.roomID)]
    }

    /// For the same events always the same order. Those in a circle, which only a liar can make, and what follows them are left out.
    private static func sorted(_ events: some Sequence<Event>, references: (Event) -> [EventID]) -> [Event] {
        var byID: [EventID: Event] = [:]
        for event in events { byID[event.eventID] = event }
        var waiting: [EventID: Int] = [:]
        var followers: [EventID: [Event]] = [:]
        var ready = Heap<Candidate>()
        for event in byID.values {
            let inside = Set(references(event)).filter { byID[$0] != nil }
            waiting[event.eventID] = inside.count
            if inside.isEmpty { ready.insert(Candidate(event: event)) }
            for id in inside { followers[id, default: []].append(event) }
        }
        var sorted: [Event] = []
        sorted.reserveCapacity(byID.count)
        while let next = ready.popMin()?.event {
            sorted.append(next)
            for follower in followers[next.eventID] ?? [] {
                waiting[follower.eventID, default: 0] -= 1
                if waiting[follower.eventID] == 0 { ready.insert(Candidate(event: follower)) }
            }
        }
        return sorted
    }

    private struct Candidate: Comparable {
        let event: Event

        static func < (left: Candidate, right: Candidate) -> Bool {
            let (left, right) = (left.event, right.event)
            return (left.depth, left.originServerTS, left.eventID) < (right.depth, right.originServerTS, right.eventID)
        }
    }
}
