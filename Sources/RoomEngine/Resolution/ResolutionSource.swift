import Collections
import Matrix

/// A state of a room: the event of each key. Successive states share structure.
public typealias StateMap = TreeDictionary<StateKeyNumber, EventNumber>

/// What state resolution looks up, held ready in memory.
///
/// Numbers stand for the events of one room and for the keys of its state; every event's key has a number.
public protocol ResolutionSource {
    /// The event of that number, or `nil` if it is not at hand.
    func event(_ number: EventNumber) -> Event?

    /// The `auth_events` of an event, or `nil` if they are not at hand.
    func authEvents(of number: EventNumber) -> [EventNumber]?

    /// The number of a key, or `nil` if no event of the room has that key.
    func number(of key: StateKey) -> StateKeyNumber?

    /// Whether an event has been rejected.
    func isRejected(_ number: EventNumber) -> Bool

    /// The events that are in the auth chain of one of the states but not of all, a state's own events counting as part of it.
    ///
    /// For a source that has an index of auth chains; `nil`, the default, lets the resolver walk them.
    func authDifference(of states: [StateMap]) -> Set<EventNumber>?
}

extension ResolutionSource {
    /// Leaves it to the resolver to walk the chains.
    public func authDifference(of states: [StateMap]) -> Set<EventNumber>? { nil }
}

/// What comes of resolving several states.
public enum Resolution: Sendable, Hashable {
    /// The state that holds.
    case resolved(StateMap)
    /// These events and their auth chains must be at hand first; then try again.
    case needs([EventNumber])
}
