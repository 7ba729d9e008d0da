import Matrix

/// The [mainline ordering](https://spec.matrix.org/v1.19/rooms/v12/#definitions) based on a power-levels event.
struct MainlineOrdering<Source: ResolutionSource> {
    private let workspace: ResolutionWorkspace<Source>
    /// The mainline position of the power-levels events met so far; `nil` stands for the position beyond all.
    private var positions: [EventNumber: Int?] = [:]

    /// The ordering based on `powerLevels`; without such an event, all events have the same position.
    init(basedOn powerLevels: EventNumber?, _ workspace: ResolutionWorkspace<Source>) {
        self.workspace = workspace
        var next = powerLevels
        var index = 0
        while let number = next, positions[number] == nil {
            positions[number] = .some(index)
            index += 1
            next = workspace.powerLevels(of: number)
        }
    }

    /// The events, earliest first.
    mutating func sorted(_ events: some Sequence<(key: EventNumber, value: Event)>) -> [EventNumber] {
        var entries: [(number: EventNumber, position: Int, event: Event)] = []
        for (number, event) in events { entries.append((number, position(of: number) ?? .max, event)) }
        entries.sort { left, right in
            if left.position != right.position { return left.position > right.position }
            if left.event.originServerTS != right.event.originServerTS {
                return left.event.originServerTS < right.event.originServerTS
            }
            return left.event.eventID < right.event.eventID
        }
        return entries.map(\.number)
    }

    private mutating func position(of number: EventNumber) -> Int? {
        var walked: [EventNumber] = []
        var found: Int?
        var next = workspace.powerLevels(of: number)
        while let number = next {
            if let known = positions[number] {
                found = known
                break
            }
            // Marks it as seen too, so that not even a cycle of forged identifiers holds us up.
            positions[number] = .some(nil)
            walked.append(number)
            next = workspace.powerLevels(of: number)
        }
        for number in walked { positions[number] = .some(found) }
        return found
    }
}
