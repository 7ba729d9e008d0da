import Collections
import Matrix

/// State resolution of [room version 1](https://spec.matrix.org/v1.19/rooms/v1/#state-resolution).
enum StateResolutionV1 {
    static func resolve<Source>(_ states: [StateMap], _ workspace: ResolutionWorkspace<Source>) -> Resolution {
        var resolved: StateMap = [:]
        var conflicts = Conflicts()
        for key in Set(states.lazy.flatMap(\.keys)) {
            // A state without any event for the key is not in conflict with the others.
            let numbers = Set(states.lazy.compactMap { $0[key] })
            if numbers.count == 1 {
                resolved[key] = numbers.first
            } else {
                let entries = numbers.compactMap { number in workspace.event(number).map { Entry(number, $0) } }
                conflicts.add(key, entries)
            }
        }
        if let needs = workspace.needs { return needs }
        for group in [conflicts.powerLevels, conflicts.joinRules, conflicts.members] {
            // Conflicts of one kind are settled side by side, on what was settled before them.
            let base = resolved
            for (key, entries) in group { resolved[key] = settleAuth(entries, key: key, on: base, workspace) }
        }
        let base = resolved
        for (key, entries) in conflicts.others { resolved[key] = settleOther(entries, on: base, workspace) }
        return workspace.needs ?? .resolved(resolved)
    }

    /// From the lowest depth upwards, as long as each event is allowed by the one before.
    private static func settleAuth<Source>(
        _ entries: [Entry], key: StateKeyNumber, on base: StateMap, _ workspace: ResolutionWorkspace<Source>
    ) -> EventNumber? {
        var state = base
        var winner: EventNumber?
        for entry in entries.sorted(by: { Entry.precedes($1, $0) }) {
            if winner != nil {
                guard isAllowed(entry, on: state, workspace) else { break }
            }
            winner = entry.number
            state[key] = entry.number
        }
        return winner
    }

    /// The highest that is allowed; if none is, the lowest.
    private static func settleOther<Source>(
        _ entries: [Entry], on base: StateMap, _ workspace: ResolutionWorkspace<Source>
    ) -> EventNumber? {
        let ordered = entries.sorted(by: Entry.precedes)
        return (ordered.first { isAllowed($0, on: base, workspace) } ?? ordered.last)?.number
    }

    private static func isAllowed<Source>(
        _ entry: Entry, on state: StateMap, _ workspace: ResolutionWorkspace<Source>
    ) -> Bool {
        IterativeAuthChecks(state, workspace).isAllowed(entry.event, entry.number, fillingGaps: false)
    }

    private struct Entry {
        let number: EventNumber
        let event: Event
        let digest: [UInt8]

        init(_ number: EventNumber, _ event: Event) {
            self.number = number
            self.event = event
            digest = SHA1.digest(of: Array(event.eventID.string.utf8))
        }

        /// Descending by depth, then ascending by hash.
        static func precedes(_ left: Entry, _ right: Entry) -> Bool {
            if left.event.depth != right.event.depth { return left.event.depth > right.event.depth }
            return left.digest.lexicographicallyPrecedes(right.digest)
        }
    }

    private struct Conflicts {
        var powerLevels: [(StateKeyNumber, [Entry])] = []
        var joinRules: [(StateKeyNumber, [Entry])] = []
        var members: [(StateKeyNumber, [Entry])] = []
        var others: [(StateKeyNumber, [Entry])] = []

        mutating func add(_ key: StateKeyNumber, _ entries: [Entry]) {
            switch entries.first?.event.type {
            case .powerLevels?: powerLevels.append((key, entries))
            case .joinRules?: joinRules.append((key, entries))
            case .member?: members.append((key, entries))
            default: others.append((key, entries))
            }
        }
    }
}
