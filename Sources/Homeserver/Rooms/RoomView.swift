import Matrix
import RoomEngine
import Store
import Synchronization

/// A room's state at one moment, with look-ups by name.
///
/// Inside a lane it includes what the lane has decided but not yet stored, so that a request is judged on top of the one before.
public struct RoomView: Sendable {
    /// Where the room stands.
    public let head: RoomHead
    let store: Store
    /// Events decided in the same batch.
    let pending: [EventNumber: StoredEvent]

    init(head: RoomHead, store: Store, pending: [EventNumber: StoredEvent] = [:]) {
        self.head = head
        self.store = store
        self.pending = pending
    }

    /// The state's event of that key, or `nil`.
    public func event(_ key: StateKey) async throws -> StoredEvent? {
        guard let number = try await keyNumber(key), let event = head.state[number] else { return nil }
        if let event = pending[event] { return event }
        return try await store.event(event)
    }

    /// The state's events of those keys that it has.
    public func events(_ keys: [StateKey]) async throws -> [StateKey: StoredEvent] {
        var found: [StateKey: StoredEvent] = [:]
        for key in keys { found[key] = try await event(key) }
        return found
    }

    /// Every event of the state, in no particular order.
    public func allEvents() async throws -> [StoredEvent] {
        var events = head.state.compactMap { pending[$0.value] }
        let rest = head.state.map(\.value).filter { pending[$0] == nil }
        events += try await store.events(rest).values
        return events
    }

    /// A user's membership, or `nil` if the room has never heard of them.
    public func membership(of user: UserID) async throws -> Membership? {
        try await event(.member(user)).flatMap { Membership(of: $0.event) }
    }

    /// Who may do what.
    public var powerLevels: PowerLevels? {
        head.creation.map { PowerLevels(head.powerLevels?.content, creation: $0) }
    }

    /// The state as the authorization rules ask for it, with the events of `keys`.
    func authState(_ keys: [StateKey]) async throws -> LaneAuthState {
        LaneAuthState(
            events: try await events(keys), creation: head.creation, powerLevelContent: head.powerLevels?.content
        )
    }

    private func keyNumber(_ key: StateKey) async throws -> StateKeyNumber? {
        try await store.number(of: key)
    }
}

/// A state with the events that one authorization needs, already loaded.
struct LaneAuthState: AuthState {
    let events: [StateKey: StoredEvent]
    let creation: RoomCreation?
    let powerLevelContent: PowerLevelContent?

    func event(_ key: StateKey) -> Event? { events[key]?.event }
}
