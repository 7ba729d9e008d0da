import Collections
import Matrix

/// State resolution of room versions [2 to 11](https://spec.matrix.org/v1.19/rooms/v2/#state-resolution) and, with the conflicted state
/// subgraph and an empty start, of [version 12](https://spec.matrix.org/v1.19/rooms/v12/#state-resolution).
enum StateResolutionV2 {
    static func resolve<Source>(
        _ states: [StateMap], _ workspace: ResolutionWorkspace<Source>, withSubgraph: Bool
    ) -> Resolution {
        let conflict = StateConflict(states)
        guard !conflict.keys.isEmpty else { return .resolved(conflict.unconflicted) }

        var numbers = conflict.events
        numbers.formUnion(workspace.source.authDifference(of: states) ?? AuthDifference.walk(conflict, workspace))
        if withSubgraph { numbers.formUnion(ConflictedSubgraph.walk(conflict.events, workspace)) }
        var full: [EventNumber: Event] = [:]
        full.reserveCapacity(numbers.count)
        for number in numbers { full[number] = workspace.event(number) }
        if let needs = workspace.needs { return needs }

        var checks = IterativeAuthChecks(withSubgraph ? [:] : conflict.unconflicted, workspace)
        let power = PowerOrdering.sorted(full, workspace)
        checks.apply(power, full)
        if let needs = workspace.needs { return needs }

        let powerLevels = workspace.powerLevelsKey.flatMap { checks.state[$0] }
        var mainline = MainlineOrdering(basedOn: powerLevels, workspace)
        let done = Set(power)
        let rest = mainline.sorted(full.filter { !done.contains($0.key) })
        checks.apply(rest, full)
        if let needs = workspace.needs { return needs }

        // What all states agreed on stays, whatever the checks made of it.
        var result = withSubgraph ? conflict.unconflicted : checks.state
        for key in checks.changedKeys { result[key] = conflict.unconflicted[key] ?? checks.state[key] }
        return .resolved(result)
    }
}
