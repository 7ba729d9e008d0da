import Collections
import Matrix

/// Several states, divided into what they agree on and what they do not.
///
/// [Definitions](https://spec.matrix.org/v1.19/rooms/v2/#definitions).
struct StateConflict {
    /// The *unconflicted state map*: what all the states have alike.
    let unconflicted: StateMap
    /// The keys about which they differ.
    let keys: [StateKeyNumber]
    /// The *conflicted state set*.
    let events: Set<EventNumber>
    /// The same, by state.
    let eventsByState: [[EventNumber]]

    init(_ states: [StateMap]) {
        var keys: [StateKeyNumber] = []
        let others = states.dropFirst()
        // Keys of the first state that another has too: if it has more of its own, the first lacks these.
        var shared = Array(repeating: 0, count: states.count)
        let first = states.first ?? [:]
        for (key, event) in first {
            var agrees = true
            for (index, other) in zip(others.indices, others) {
                guard let otherEvent = other[key] else {
                    agrees = false
                    continue
                }
                shared[index] += 1
                if otherEvent != event { agrees = false }
            }
            if !agrees { keys.append(key) }
        }
        var unconflicted = first
        for key in keys { unconflicted[key] = nil }
        var lacking: Set<StateKeyNumber> = []
        for (index, other) in zip(others.indices, others) where other.count > shared[index] {
            for key in other.keys where first[key] == nil { lacking.insert(key) }
        }
        keys += lacking
        self.keys = keys
        self.unconflicted = unconflicted
        eventsByState = states.map { state in keys.compactMap { state[$0] } }
        events = Set(eventsByState.joined())
    }
}
