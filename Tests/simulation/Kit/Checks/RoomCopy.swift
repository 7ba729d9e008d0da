import Homeserver
import Matrix
import Store

/// What one server knows of a room, read from its database when everything has come to rest.
struct RoomCopy: Sendable {
    struct Entry: Sendable {
        let stored: StoredEvent
        /// The state after it, if it is part of the graph.
        let stateAfter: [StateKey: EventID]?
    }

    let server: ServerName
    /// Whether the server takes part in the room, as far as it knows.
    let isInside: Bool
    let events: [EventID: Entry]
    let state: [StateKey: EventID]
    let extremities: Set<EventID>
    let backwardExtremities: Set<EventID>
    let memberships: [UserID: (membership: Membership, event: EventID)]
    let joinedCount: Int
    let invitedCount: Int
    /// The places in the journal at which events of the room are announced.
    let announcements: [EventID: [StreamPosition]]

    /// The events of the graph.
    var graph: [EventID: Entry] { events.filter { $0.value.stored.isInGraph } }
}

extension SimulatedProcess {
    /// What this server knows of a room; `nil` if it has never heard of it.
    func copy(of room: RoomID) async throws -> RoomCopy? {
        guard let number = try await store.number(of: room), let view = try? await rooms.view(number) else {
            return nil
        }
        let numbers = try await store.read { reader in
            try reader.sql.all("SELECT num FROM events WHERE room_num = $1 ORDER BY num", number) {
                EventNumber(try $0.int(0))
            }
        }
        let stored = try await store.events(numbers)
        let names = stored.mapValues(\.event.eventID)
        var states: [StateNumber: [StateKey: EventID]] = [:]
        for state in Set(stored.values.compactMap(\.state)) {
            states[state] = try await named(try await store.state(state), names)
        }
        var events: [EventID: RoomCopy.Entry] = [:]
        for event in stored.values {
            events[event.event.eventID] = .init(stored: event, stateAfter: event.state.flatMap { states[$0] })
        }
        let found = try await store.read { reader in
            (
                extremities: try reader.rooms.forwardExtremities(number),
                backward: try reader.graph.backwardExtremities(of: number, limit: .max),
                members: try reader.sql.all(
                    "SELECT user_num, membership, event_num FROM memberships WHERE room_num = $1 ORDER BY user_num",
                    number
                ) {
                    (
                        user: try reader.identifiers.user(UserNumber(try $0.int(0))), code: try $0.int(1),
                        event: EventNumber(try $0.int(2))
                    )
                },
                journal: try reader.sql.all(
                    "SELECT reference, position FROM journal WHERE kind = 1 AND room_num = $1", number
                ) { (event: EventNumber(try $0.int(0)), position: StreamPosition(try $0.int(1))) }
            )
        }
        var announcements: [EventID: [StreamPosition]] = [:]
        for row in found.journal {
            if let name = names[row.event] { announcements[name, default: []].append(row.position) }
        }
        var memberships: [UserID: (membership: Membership, event: EventID)] = [:]
        for row in found.members {
            guard let membership = Membership(code: row.code), let event = names[row.event] else {
                throw SimulationProblem("\(serverName) \(room): the membership of \(row.user) has no event")
            }
            memberships[row.user] = (membership, event)
        }
        return RoomCopy(
            server: serverName, isInside: try await rooms.participates(in: number), events: events,
            state: try await named(view.head.state, names),
            extremities: Set(found.extremities.compactMap { names[$0] }),
            backwardExtremities: Set(found.backward), memberships: memberships, joinedCount: view.head.joinedCount,
            invitedCount: view.head.invitedCount, announcements: announcements)
    }

    private func named(_ state: StateMap, _ names: [EventNumber: EventID]) async throws -> [StateKey: EventID] {
        var named: [StateKey: EventID] = [:]
        for (key, event) in state {
            guard let name = names[event] else {
                throw SimulationProblem("\(serverName): a state holds event \(event), which is not of its room")
            }
            named[try await store.stateKey(key)] = name
        }
        return named
    }
}
