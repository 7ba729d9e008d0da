import Database
import Matrix
import TestSupport
import Testing

@testable import Store

/// Nothing stays of a room that is removed, and nothing else goes, on both engines.
@Suite struct RoomPurgeTests {
    /// What tells of rooms and is to stay: who has closed them, what moderators were told, what administrators asked for.
    private static let staying: Set<String> = ["blocked_rooms", "reports"]
    /// Where a room is only while it goes.
    private static let own: Set<String> = ["room_purges"]

    @Test func nothingOfARoomStaysAndNothingElseGoes() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let (gone, other) = (
                try PurgedRoom(number: 1_000, name: "gone"), try PurgedRoom(number: 2_000, name: "other")
            )
            try await store.write { writer in
                try PurgedRoom.insertPeople(writer)
                for room in [gone, other] { try room.insert(writer) }
            }
            let places = try await store.read { try Self.places($0) }
            #expect(places.count > 25)
            let before = try await store.read { reader in try places.map { try $0.count(of: other, reader) } }
            for place in places where !Self.own.contains(place.table) {
                let count = try await store.read { try place.count(of: gone, $0) }
                #expect(count > 0, "the test puts nothing into \(place.table).\(place.column)")
            }
            // In the cache.
            #expect(try await store.event(gone.events[0].id) != nil)
            #expect(try await store.number(of: gone.id) == gone.number)

            let tombstone = try #require(RoomID("!nobody-knows"))
            let isForced = try await store.write { writer in
                try writer.roomPurges.begin(
                    gone.number, as: tombstone, of: ServerName(trusted: "example.org"), events: 4, evenIfJoined: false)
            }
            #expect(!isForced)
            let end = store.journal.end
            let hasBegun = try await store.write { writer in
                try writer.roomPurges.begin(
                    gone.number, as: tombstone, of: ServerName(trusted: "example.org"), events: 4, evenIfJoined: true)
            }
            #expect(hasBegun)
            #expect(try await store.number(of: gone.id) == nil && store.isGone(gone.number))
            #expect(try await store.read { try $0.rooms.rooms(after: nil, limit: 10) } == [other.number])
            // Its users are told, in the journal's order.
            #expect(store.journal.end.rawValue == end.rawValue + 1)
            // Nobody comes into it before all is gone.
            await #expect(throws: StoreError.self) {
                try await store.write { try $0.rooms.insert(RoomNumber(3_000), gone.id, version: .v12) }
            }

            var steps = 0
            while var purge = try await store.read({ try $0.roomPurges.purge(of: gone.id) }) {
                let current = purge
                guard let next = try await store.write({ try $0.roomPurges.advance(current) }) else { break }
                purge = next
                steps += 1
                try #require(steps < 1_000)
            }
            for place in places where !Self.staying.contains(place.table) {
                let count = try await store.read { try place.count(of: gone, $0) }
                #expect(count == 0, "\(place.table).\(place.column) still tells of the room")
            }
            let after = try await store.read { reader in try places.map { try $0.count(of: other, reader) } }
            #expect(after == before)
            let names = try await store.read { reader in
                try reader.sql.all("SELECT room_id FROM rooms ORDER BY num") { try $0.text(0) }
            }
            #expect(names == [other.id.string])
            // Positions have no gaps, and those of the others say what they said.
            let positions = try await store.read { reader in
                try reader.sql.all("SELECT position FROM journal ORDER BY position") { try $0.int(0) }
            }
            #expect(positions == Array(1...store.journal.end.rawValue))
            #expect(try await store.read { try $0.roomPurges.purge(of: gone.id) } == nil)
            // Of the user's backup only the other room's keys are left, and it says so.
            let backup = try await store.read {
                try $0.keyBackups.backup(KeyBackupVersion(rawValue: 1), of: UserNumber(1))
            }
            #expect(backup?.count == 1)

            // It comes back with the same events, under other numbers.
            #expect(try await store.event(gone.events[0].id) == nil)
            let again = try PurgedRoom(number: 4_000, name: "gone")
            try await store.write { try again.insert($0) }
            #expect(try await store.event(gone.events[0].id)?.number == again.events[0].number)
            #expect(try await store.number(of: gone.id) == again.number)
        }
    }

    @Test func aRoomGoesInSmallSteps() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let room = try PurgedRoom(number: 1_000, name: "large")
            try await store.write { writer in
                try PurgedRoom.insertPeople(writer)
                try room.insert(writer)
                try room.insertMessages(450, writer)
            }
            _ = try await store.write { writer in
                try writer.roomPurges.begin(
                    room.number, as: try #require(RoomID("!nobody-knows")), of: ServerName(trusted: "example.org"),
                    events: 454, evenIfJoined: true)
            }
            var removed: [Int64] = []
            while let purge = try await store.read({ try $0.roomPurges.purge(of: room.id) }) {
                let next = try await store.write { try $0.roomPurges.advance(purge) }
                removed.append((next ?? purge).removed - purge.removed)
            }
            #expect(removed.max() == 100 && removed.reduce(0, +) == 454)
            // Who comes after a stop goes on where it ended: what is left is in the database.
            #expect(try await store.read { try $0.roomPurges.eventCount(of: room.number) } == 0)
        }
    }

    /// A column that says of which room a row is.
    private struct Place: Sendable, Hashable {
        let table: String
        let column: String

        func count(of room: PurgedRoom, _ reader: StoreReader) throws -> Int64 {
            let sql = "SELECT COUNT(*) FROM \(table) WHERE \(column)"
            func first(_ text: String, _ values: any SQLBindable) throws -> Int64 {
                try reader.sql.first(SQL(text), values) { try $0.int(0) } ?? 0
            }
            switch column {
            case "room_num": return try first("\(sql) = $1", room.number)
            case "room_id": return try first("\(sql) = $1", room.id)
            case "state": return try first("\(sql) IN list($1)", [room.number.rawValue + 1, room.number.rawValue + 2])
            default: return try first("\(sql) IN list($1)", room.events.map(\.number).sqlList)
            }
        }
    }

    private static func places(_ reader: StoreReader) throws -> [Place] {
        let sql: SQL =
            switch reader.sql.engine {
            case .sqlite:
                """
                SELECT tables.name, columns.name FROM sqlite_master AS tables
                JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'
                """
            case .postgres:
                """
                SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns
                WHERE table_schema = current_schema()
                """
            }
        return try reader.sql.all(sql) { Place(table: try $0.text(0), column: try $0.text(1)) }.filter { place in
            ["room_num", "room_id", "event_num", "redaction_num"].contains(place.column)
                || place == Place(table: "state_entries", column: "state")
        }
    }
}

/// A room with something in every table that can tell of rooms.
private struct PurgedRoom: Sendable {
    let number: RoomNumber
    let id: RoomID
    let name: String
    let events: [(number: EventNumber, id: EventID)]

    init(number: Int64, name: String) throws {
        self.number = RoomNumber(number)
        self.name = name
        id = try #require(RoomID("!\(name):example.org"))
        events = try ["create", "join", "said", "answer"].enumerated().map { index, event in
            (number: EventNumber(number + Int64(index)), id: try #require(EventID("$\(name)-\(event)")))
        }
    }

    static func insertPeople(_ writer: StoreWriter) throws {
        for statement: SQL in [
            "INSERT INTO users (num, user_id, server) VALUES (1, '@alice:example.org', 'example.org')",
            "INSERT INTO users (num, user_id, server) VALUES (2, '@bob:elsewhere.example', 'elsewhere.example')",
            "INSERT INTO accounts (user_num, created_ts) VALUES (1, 1)",
            "INSERT INTO devices (user_num, device_id, created_ts) VALUES (1, 'DEVICE', 1)",
            "UPDATE counters SET value = 2 WHERE name = 'user'",
            """
            INSERT INTO pushers (user_num, app_id, push_key, device_id, kind, app_name, device_name, language, data, created_ts)
            VALUES (1, 'app', 'key', 'DEVICE', 'http', 'App', 'Device', 'en', '{}', 1)
            """,
            "INSERT INTO app_services (id, since, txn) VALUES ('bridge', 0, 0)",

        ] { try writer.sql.execute(statement) }
        try writer.sql.execute(
            "INSERT INTO key_backups (user_num, version, algorithm, auth_data, session_count) VALUES (1, 1, 'x', $1, 2)",
            blob)
    }

    func insert(_ writer: StoreWriter) throws {
        let alice = UserNumber(1)
        try writer.rooms.insert(number, id, version: .v12)
        for (event, content) in zip(events, ["", "", #""body":"secret words""#, #""body":"more words""#]) {
            try put(event.number, event.id, content, alice, writer)
        }
        for user in [1, 2] as [Int64] {
            try writer.sql.execute(
                "INSERT INTO memberships (room_num, user_num, membership, event_num, position) VALUES ($1, $2, 1, $3, 1)",
                number, user, events[1].number)
        }
        let first = number.rawValue + 1
        try writer.sql.execute("INSERT INTO states (num, room_num, place) VALUES ($1, $2, 0)", first, number)
        try writer.sql.execute(
            "INSERT INTO states (num, room_num, parent, place) VALUES ($1, $2, $3, 1)", first + 1, number, first)
        for state in [first, first + 1] {
            try writer.sql.execute(
                "INSERT INTO state_entries (state, state_key_num, event_num) VALUES ($1, 1, $2)", state,
                events[0].number)
        }
        try writer.sql.execute("UPDATE rooms SET head = 4, state = $2 WHERE num = $1", number, first + 1)
        for statement in Self.byRoom {
            if statement.contains("$2") {
                try writer.sql.execute(SQL(statement), number, Self.blob)
            } else {
                try writer.sql.execute(SQL(statement), number)
            }
        }
        for statement in Self.byEvent { try writer.sql.execute(SQL(statement), number, events[2].number) }
        for statement in Self.byName {
            if statement.contains("$3") {
                try writer.sql.execute(SQL(statement), number, name, Self.blob)
            } else {
                try writer.sql.execute(SQL(statement), number, name)
            }
        }
        try writer.sql.execute(
            "INSERT INTO blocked_rooms (room_id, blocked_by, blocked_ts) VALUES ($1, 'x', 1) ON CONFLICT DO NOTHING", id
        )
        try writer.sql.execute(
            "INSERT INTO reports (reporter_num, room_id, reason, received_ts) VALUES (1, $1, '', 1)", id)
        try writer.sql.execute(
            """
            INSERT INTO key_backup_sessions
                (user_num, version, room_id, session_id, is_verified, first_message_index, forwarded_count, json)
            VALUES (1, 1, $1, 's', 0, 0, 0, $2)
            """, id, Self.blob)
        try writer.journal.append(
            .accountData(AccountDataRecord(user: alice, room: number, type: "m.tag", content: Array("{}".utf8))))
        try writer.journal.append(.presence(alice))
    }

    func insertMessages(_ count: Int, _ writer: StoreWriter) throws {
        for index in 0..<count {
            let id = try #require(EventID("$more-\(index)"))
            try put(EventNumber(number.rawValue + 100 + Int64(index)), id, "", UserNumber(1), writer)
        }
    }

    private func put(
        _ number: EventNumber, _ id: EventID, _ content: String, _ sender: UserNumber, _ writer: StoreWriter
    ) throws {
        let text = """
            {"auth_events":[],"content":{\(content)},"depth":1,"hashes":{},"origin_server_ts":1,"prev_events":[],\
            "room_id":"\(self.id)","sender":"@alice:example.org","type":"m.room.message"}
            """
        let position = try writer.journal.reserve(1)
        let stored = StoredEvent(
            number: number, event: try Event(trusted: Array(text.utf8), version: .v12, eventID: id), room: self.number,
            sender: sender, stateKey: nil, position: position, state: nil, replaces: nil, redactedBy: nil,
            status: .accepted, receivedTimestamp: 1, transaction: nil)
        try writer.events.insert(stored)
        if !content.isEmpty { try writer.search.add(stored) }
        try writer.journal.append(.event(stored, subject: nil), at: position)
    }

    private static let blob = Array("{}".utf8)
    private static let byRoom = [
        "INSERT INTO account_data (user_num, room_num, type, content, position) VALUES (1, $1, 'm.tag', $2, 1)",
        "INSERT INTO unread_counts (user_num, room_num, position, receipts, counts) VALUES (1, $1, 1, 1, '{}')",
        """
        INSERT INTO thread_subscriptions (user_num, room_num, root_id, is_subscribed, is_automatic, position)
        VALUES (1, $1, '$root', 1, 0, 1)
        """,
        "INSERT INTO receipts (room_num, user_num, type, thread, event_id, ts, position) VALUES ($1, 1, 'm.read', '', '$e', 1, 1)",
        "INSERT INTO stripped_states (room_num, user_num, json) VALUES ($1, 1, $2)",
        "INSERT INTO backward_extremities (room_num, event_id) VALUES ($1, '$before')",
        "INSERT INTO threads (room_num, root_id, last_position) VALUES ($1, '$root', 1)",
        "INSERT INTO open_rooms (room_num) VALUES ($1)", "INSERT INTO room_retention (room_num) VALUES ($1)",
        "INSERT INTO app_service_rooms (service, network, room_num) VALUES ('bridge', 'irc', $1)",
        "INSERT INTO app_service_queue (service, position, kind, room_num) VALUES ('bridge', $1, 1, $1)",
        "INSERT INTO meetings (room_num, service, call_id, access_level) VALUES ($1, 'visio', 'call-' || $1, 'open')",
        """
        INSERT INTO meeting_participants (room_num, service, identity, name, joined_ts) VALUES ($1, 'visio', 'i', 'N', 1)
        """,
        "INSERT INTO server_notice_rooms (user_num, room_num) SELECT CASE WHEN num = 2000 THEN 2 ELSE 1 END, num FROM rooms WHERE num = $1",
    ]
    private static let byEvent = [
        "INSERT INTO forward_extremities (room_num, event_num) VALUES ($1, $2)",
        "INSERT INTO partial_joins (room_num, event_num, via, servers) VALUES ($1, $2, 'elsewhere.example', '')",
        "INSERT INTO sticky_events (event_num, room_num, position, expires_ts) VALUES ($2, $1, 1, 1)",
        """
        INSERT INTO relations (event_num, room_num, target_id, rel_type, type, sender_num, position, origin_server_ts)
        VALUES ($2, $1, '$root', 'm.thread', 'm.room.message', 1, 1, 1)
        """,
        "INSERT INTO expiring_events (event_num, expires_ts) SELECT num, 1 FROM events WHERE room_num = $1 AND num = $2",
        "INSERT INTO relayed_events (event_num) SELECT num FROM events WHERE room_num = $1 AND num = $2",
        "INSERT INTO search_backlog (event_num) SELECT num FROM events WHERE room_num = $1 AND num = $2",
        "INSERT INTO pending_redactions (target_id, redaction_num) SELECT '$unknown', num FROM events WHERE room_num = $1 AND num = $2",
        """
        INSERT INTO pending_pushes (user_num, app_id, push_key, position, event_num, actions, added_ts)
        SELECT 1, 'app', 'key', num, num, '[]', 1 FROM events WHERE room_num = $1 AND num = $2
        """,
        """
        INSERT INTO app_service_queue (service, position, kind, room_num, event_num) VALUES ('bridge', $1 + 1, 1, $1, $2)
        """,
    ]
    private static let byName = [
        "INSERT INTO room_aliases (alias, room_num, creator_num, created_ts) VALUES ('#' || $2 || ':example.org', $1, 1, 1)",
        """
        INSERT INTO delayed_events
            (delay_id, user_num, room_num, type, content, delay_ms, running_since_ts, send_ts, position)
        VALUES ($2 || $1, 1, $1, 'm.room.message', '{}', 1, 1, 1, 1)
        """,
        "INSERT INTO inbox (room_num, event_id, origin, received_ts, json) VALUES ($1, '$new-' || $2, 'elsewhere.example', 1, $3)",
    ]
}
