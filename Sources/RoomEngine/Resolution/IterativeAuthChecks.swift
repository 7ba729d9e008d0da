import Collections
import Matrix

/// The [iterative auth checks](https://spec.matrix.org/v1.19/rooms/v12/#definitions): a state that grows by the events it allows.
struct IterativeAuthChecks<Source: ResolutionSource> {
    private let workspace: ResolutionWorkspace<Source>
    /// The state so far.
    private(set) var state: StateMap
    /// The keys that have been set.
    private(set) var changedKeys: Set<StateKeyNumber> = []

    init(_ state: StateMap, _ workspace: ResolutionWorkspace<Source>) {
        self.state = state
        self.workspace = workspace
    }

    /// Applies the events in their order, each if the state so far allows it.
    mutating func apply(_ order: [EventNumber], _ events: [EventNumber: Event]) {
        for number in order {
            guard let event = events[number], let key = event.state, let keyNumber = workspace.source.number(of: key),
                isAllowed(event, number)
            else { continue }
            state[keyNumber] = number
            changedKeys.insert(keyNumber)
        }
    }

    /// Whether an event may be put on top of the state so far.
    ///
    /// - Parameter fillingGaps: Whether what the event lists itself stands in for what the state does not have.
    func isAllowed(_ event: Event, _ number: EventNumber, fillingGaps: Bool = true) -> Bool {
        let candidate = CandidateState(state, workspace, authEventsOf: fillingGaps ? number : nil)
        if case .success = Authorization.check(event, against: candidate) { return true }
        return false
    }
}

/// The state so far; where it has nothing, what the event itself lists.
private final class CandidateState<Source: ResolutionSource>: AuthState {
    private let state: StateMap
    private let workspace: ResolutionWorkspace<Source>
    private let number: EventNumber?
    /// Read only when there is a gap.
    private lazy var own: [StateKey: EventNumber] = {
        guard let number else { return [:] }
        var own: [StateKey: EventNumber] = [:]
        for authEvent in workspace.authEvents(of: number) where !workspace.source.isRejected(authEvent) {
            if let key = workspace.event(authEvent)?.state { own[key] = authEvent }
        }
        return own
    }()

    init(_ state: StateMap, _ workspace: ResolutionWorkspace<Source>, authEventsOf number: EventNumber?) {
        self.state = state
        self.workspace = workspace
        self.number = number
    }

    func event(_ key: StateKey) -> Event? {
        let number = workspace.source.number(of: key).flatMap { state[$0] } ?? own[key]
        return number.flatMap(workspace.event)
    }

    /// A room has one creation event, which no event is without: it need not be looked for in the state so far.
    var creation: RoomCreation? { workspace.creation }

    var powerLevelContent: PowerLevelContent? {
        let number = workspace.powerLevelsKey.flatMap { state[$0] } ?? own[StateKey(.powerLevels)]
        return number.flatMap(workspace.powerLevelContent)
    }
}
