import Database
import Matrix
import Testing

@testable import Store

/// A room of two users whose events are put in one by one.
struct TestRoom {
    let store: Store
    let number = RoomNumber(1)
    let alice: UserNumber
    let bob: UserNumber

    init(_ database: Database) async throws {
        let store = try await Store.open(database)
        self.store = store
        (alice, bob) = try await store.write { writer in
            let room = try #require(RoomID("!room:example.org"))
            try writer.rooms.insert(RoomNumber(1), room, version: .v12)
            let users = try ["@alice:example.org", "@bob:example.org"].map { name in
                try writer.identifiers.intern(try #require(UserID(name)))
            }
            return (users[0], users[1])
        }
    }

    /// Puts an event at a place, or nowhere.
    ///
    /// - Parameters:
    ///   - name: What comes after the `$` of its identifier.
    ///   - content: Members of the content, as they are written.
    @discardableResult
    func put(
        _ name: String, at position: Int64?, by sender: UserNumber? = nil, _ content: String = "",
        type: String = "m.room.message", stateKey: String? = nil, more: String = "", timestamp: Int64 = 1
    ) async throws -> StoredEvent {
        let sender = sender ?? alice
        let id = sender == alice ? "@alice:example.org" : "@bob:example.org"
        let state = stateKey.map { "\"state_key\":\"\($0)\"," } ?? ""
        let text = """
            {"auth_events":[],"content":{\(content)\(more)},"depth":1,"hashes":{},"origin_server_ts":\(timestamp),\
            "prev_events":[],"room_id":"!room:example.org","sender":"\(id)",\(state)"type":"\(type)"}
            """
        let number = EventNumber(Int64(Array(name.utf8).reduce(0) { $0 * 31 + Int($1) }))
        let event = try Event(trusted: Array(text.utf8), version: .v12, eventID: try #require(EventID("$" + name)))
        let stored = StoredEvent(
            number: number, event: event, room: self.number, sender: sender, stateKey: nil,
            position: position.map { StreamPosition($0) }, state: nil, replaces: nil, redactedBy: nil,
            status: .accepted, receivedTimestamp: 1, transaction: nil)
        try await store.write { writer in
            try writer.events.insert(stored)
            try writer.relations.note(stored)
        }
        return stored
    }
}
