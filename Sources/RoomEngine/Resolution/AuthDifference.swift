import Collections
import Matrix

/// The [auth difference](https://spec.matrix.org/v1.19/rooms/v2/#definitions) of several states, found by walking auth chains.
enum AuthDifference {
    /// The events in the auth chain of one of the states but not of all, without the conflicted events themselves.
    ///
    /// Whatever is in the chain of what the states agree on is in all chains. So the walk starts at what they differ in and ends
    /// where it meets what they agree on; only for events that remain does it look through the chains of the rest.
    static func walk<Source>(_ conflict: StateConflict, _ workspace: ResolutionWorkspace<Source>) -> Set<EventNumber> {
        let agreed = Set(conflict.unconflicted.values)
        var counts: [EventNumber: Int] = [:]
        for events in conflict.eventsByState {
            var seen = Set(events)
            var open = events
            while let number = open.popLast() {
                counts[number, default: 0] += 1
                for next in workspace.authEvents(of: number) where !agreed.contains(next) && seen.insert(next).inserted
                {
                    open.append(next)
                }
            }
        }
        let stateCount = conflict.eventsByState.count
        var candidates: Set<EventNumber> = []
        for (number, count) in counts where count < stateCount && !conflict.events.contains(number) {
            candidates.insert(number)
        }
        if !candidates.isEmpty { removeAgreed(from: &candidates, conflict, workspace) }
        return candidates
    }

    /// Removes the candidates that are in the chain of something the states agree on.
    private static func removeAgreed<Source>(
        from candidates: inout Set<EventNumber>, _ conflict: StateConflict, _ workspace: ResolutionWorkspace<Source>
    ) {
        var seen: Set<EventNumber> = []
        func walk(from start: EventNumber) {
            guard seen.insert(start).inserted else { return }
            var open = [start]
            while let number = open.popLast() {
                for next in workspace.authEvents(of: number) where seen.insert(next).inserted {
                    candidates.remove(next)
                    if candidates.isEmpty { return }
                    open.append(next)
                }
            }
        }
        // What a candidate was replaced by usually builds on it: those first, so that most walks end early.
        var keys = candidates.compactMap { workspace.event($0)?.state }.compactMap { workspace.source.number(of: $0) }
        if let key = workspace.powerLevelsKey { keys.append(key) }
        for start in keys.compactMap({ conflict.unconflicted[$0] }) where !candidates.isEmpty { walk(from: start) }
        for start in conflict.unconflicted.values where !candidates.isEmpty { walk(from: start) }
    }
}
