import Matrix
import RoomEngine
import Store

/// A state of a room while a batch is decided: what it is, and how it is stored or will be.
struct WorkingState: Sendable {
    /// How a state is stored.
    enum Place: Hashable, Sendable {
        /// There is no state yet.
        case none
        /// It is in the database.
        case stored(StateNumber)
        /// The batch makes it: its index among the batch's states.
        case planned(Int)
    }

    /// How it is stored.
    let place: Place
    /// The events by key.
    let map: StateMap

    static let empty = WorkingState(place: .none, map: StateMap())
}

/// A state that a batch makes.
struct PlannedState: Sendable {
    /// The state that it differs from.
    let base: WorkingState.Place
    /// In what; `nil` where a key has no event any more.
    let changes: [StateKeyNumber: EventNumber?]
    /// The whole of it.
    let map: StateMap
}

extension StateMap {
    /// What has to be changed to make another state of this one.
    func changes(to other: StateMap) -> [StateKeyNumber: EventNumber?] {
        var changes: [StateKeyNumber: EventNumber?] = [:]
        for (key, event) in other where self[key] != event { changes.updateValue(event, forKey: key) }
        for key in keys where other[key] == nil { changes.updateValue(nil, forKey: key) }
        return changes
    }
}
