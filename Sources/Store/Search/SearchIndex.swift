import Database
import Matrix

/// The text of an event that is searched, as the database has it. Never renumber.
public enum SearchKey: Int64, Sendable, CaseIterable {
    /// The `body` of an `m.room.message`.
    case body = 1
    /// The `name` of an `m.room.name`.
    case name = 2
    /// The `topic` of an `m.room.topic`.
    case topic = 3

    /// The text of an event that can be searched for: which it is, and the text.
    public static func text(of event: Event) -> (key: SearchKey, text: String)? {
        let key: SearchKey
        switch event.type {
        case .message where !event.isState: key = .body
        case .name where event.isState: key = .name
        case .topic where event.isState: key = .topic
        default: return nil
        }
        guard let text = event.content[key.member]?.string, !text.isEmpty else { return nil }
        return (key, text)
    }

    /// The member of the content.
    private var member: String {
        switch self {
        case .body: "body"
        case .name: "name"
        case .topic: "topic"
        }
    }
}

/// What is searched for.
public struct SearchTerms: Sendable {
    /// Words that must all occur, or others that begin with them.
    public let words: [String]
    /// Rooms that are searched.
    public let rooms: [RoomNumber]
    /// Texts that are searched.
    public let keys: [SearchKey]

    private static let maximumWords = 20
    /// Shorter words are looked for as they are.
    private static let shortestPrefix = 3

    /// Terms.
    ///
    /// - Parameter text: The words, separated by anything that is no letter and no digit.
    public init(_ text: String, rooms: [RoomNumber], keys: [SearchKey]) {
        words = Words.words(of: text, limit: Self.maximumWords)
        self.rooms = rooms
        self.keys = keys
    }

    /// Whether a word of a text is one of those that are looked for.
    public func matches(_ word: String) -> Bool {
        words.contains { wanted in
            Self.isPrefix(wanted)
                ? word.utf8.starts(with: wanted.utf8) : ExactString(word) == ExactString(wanted)
        }
    }

    private static func isPrefix(_ word: String) -> Bool { word.unicodeScalars.count >= shortestPrefix }

    /// The terms in the engine's language. Words hold neither quotes nor backslashes.
    func expression(for engine: DatabaseEngine) -> String {
        switch engine {
        case .sqlite: words.map { Self.isPrefix($0) ? "\"\($0)\" *" : "\"\($0)\"" }.joined(separator: " AND ")
        case .postgres: words.map { Self.isPrefix($0) ? "'\($0)':*" : "'\($0)'" }.joined(separator: " & ")
        }
    }
}

/// An event that has been found.
public struct SearchHit: Sendable {
    /// The event.
    public let event: EventNumber
    /// How well it matches, in millionths; the more the better.
    public let rank: Int64
    /// When it was sent, in milliseconds since 1970.
    public let originServerTS: Int64
}

/// Finds events by their words.
public struct SearchReader {
    let sql: ReadTransaction

    /// Events that match, the best first.
    public func best(_ terms: SearchTerms, offset: Int, limit: Int) throws -> [SearchHit] {
        try sql.all(
            sql.engine == .sqlite ? Self.bestOfSQLite : Self.bestOfPostgres, terms.expression(for: sql.engine),
            terms.rooms.sqlList, terms.keys.map(\.rawValue), limit, offset, map: Self.hit)
    }

    /// Events that match, the latest first.
    ///
    /// - Parameter before: The last one of the page before.
    public func latest(
        _ terms: SearchTerms, before: (originServerTS: Int64, event: EventNumber)?, limit: Int
    ) throws -> [SearchHit] {
        try sql.all(
            sql.engine == .sqlite ? Self.latestOfSQLite : Self.latestOfPostgres, terms.expression(for: sql.engine),
            terms.rooms.sqlList, terms.keys.map(\.rawValue), limit, before?.originServerTS ?? Int64.max,
            before?.event ?? EventNumber(Int64.max), map: Self.hit)
    }

    /// How many events match in each room, counting up to `limit` of them.
    public func counts(_ terms: SearchTerms, limit: Int) throws -> [(room: RoomNumber, count: Int)] {
        try sql.all(
            sql.engine == .sqlite ? Self.countsOfSQLite : Self.countsOfPostgres, terms.expression(for: sql.engine),
            terms.rooms.sqlList, terms.keys.map(\.rawValue), limit
        ) { (room: try $0.number(0), count: Int(try $0.int(1))) }
    }

    /// History that has not been looked at yet.
    public func backlog(limit: Int) throws -> [EventNumber] {
        try sql.all("SELECT event_num FROM search_backlog ORDER BY event_num LIMIT $1", limit) { try $0.number(0) }
    }

    private static func hit(_ row: Row) throws -> SearchHit {
        SearchHit(event: try row.number(0), rank: try row.int(1), originServerTS: try row.int(2))
    }

    private static let sqlite = """
        FROM search_words JOIN search_entries AS entries ON entries.event_num = search_words.rowid
        WHERE search_words MATCH $1 AND entries.room_num IN list($2) AND entries.key IN list($3)
        """
    private static let postgres = """
        FROM search_words JOIN search_entries AS entries ON entries.event_num = search_words.event_num
        WHERE search_words.words @@ CAST($1 AS TSQUERY) AND entries.room_num IN list($2) AND entries.key IN list($3)
        """
    private static let columnsOfSQLite = """
        SELECT entries.event_num, CAST(-bm25(search_words) * 1000000 AS INTEGER) AS weight, entries.origin_server_ts
        """
    private static let columnsOfPostgres = """
        SELECT entries.event_num, CAST(ts_rank(search_words.words, CAST($1 AS TSQUERY)) * 1000000 AS BIGINT) AS weight,
            entries.origin_server_ts
        """
    private static let byRank = "ORDER BY weight DESC, entries.event_num DESC LIMIT $4 OFFSET $5"
    private static let byTime = """
        AND (entries.origin_server_ts < $5 OR (entries.origin_server_ts = $5 AND entries.event_num < $6))
        ORDER BY entries.origin_server_ts DESC, entries.event_num DESC LIMIT $4
        """
    private static let bestOfSQLite = SQL("\(columnsOfSQLite) \(sqlite) \(byRank)")
    private static let bestOfPostgres = SQL("\(columnsOfPostgres) \(postgres) \(byRank)")
    private static let latestOfSQLite = SQL("\(columnsOfSQLite) \(sqlite) \(byTime)")
    private static let latestOfPostgres = SQL("\(columnsOfPostgres) \(postgres) \(byTime)")
    private static let countsOfSQLite = SQL("\(rooms) \(sqlite) \(byRoom)")
    private static let countsOfPostgres = SQL("\(rooms) \(postgres) \(byRoom)")
    private static let rooms = "SELECT room_num, COUNT(*) FROM (SELECT entries.room_num"
    private static let byRoom = "LIMIT $4) AS found GROUP BY room_num"
}

/// Stores the words of events.
public struct SearchWriter {
    let writer: StoreWriter

    /// Words of one event that are kept at the most.
    private static let maximumWords = 5_000

    /// Lets an event be found by its words, unless it has been redacted.
    public func add(_ event: StoredEvent) throws {
        guard event.status == .accepted, event.redactedBy == nil, event.event.expiresAt == nil,
            let (key, text) = SearchKey.text(of: event.event)
        else { return }
        let words = Words.words(of: text, limit: Self.maximumWords)
        guard !words.isEmpty else { return }
        // What was read a moment ago may be gone by now.
        let inserted = try writer.sql.executeCounting(
            """
            INSERT INTO search_entries (event_num, room_num, key, origin_server_ts)
            SELECT num, room_num, $2, origin_server_ts FROM events WHERE num = $1 AND redacted_by IS NULL AND status = 0
            ON CONFLICT (event_num) DO NOTHING
            """, event.number, key.rawValue
        )
        guard inserted == 1 else { return }
        switch writer.sql.engine {
        case .sqlite:
            try writer.sql.execute(
                "INSERT INTO search_words (rowid, words) VALUES ($1, $2)", event.number, words.joined(separator: " "))
        case .postgres:
            try writer.sql.execute(
                "INSERT INTO search_words (event_num, words) VALUES ($1, CAST($2 AS TSVECTOR))", event.number,
                Self.vector(of: words))
        }
    }

    /// Lets an event be found no more.
    public func remove(_ event: EventNumber) throws {
        let removed = try writer.sql.executeCounting("DELETE FROM search_entries WHERE event_num = $1", event)
        // PostgreSQL has removed its words with it.
        guard removed > 0, writer.sql.engine == .sqlite else { return }
        try writer.sql.execute("DELETE FROM search_words WHERE rowid = $1", event)
    }

    /// Takes the words of events out, before those go.
    func removeWords(of events: [EventNumber]) throws {
        // PostgreSQL removes them with the events.
        guard writer.sql.engine == .sqlite else { return }
        let found = try writer.sql.all(
            "SELECT event_num FROM search_entries WHERE event_num IN list($1)", events.sqlList
        ) { try $0.number(0, as: EventNumber.self) }
        for event in found { try writer.sql.execute("DELETE FROM search_words WHERE rowid = $1", event) }
    }

    /// Notes that an event is to be looked at which the journal does not announce.
    public func addBacklog(_ event: StoredEvent) throws {
        guard SearchKey.text(of: event.event) != nil else { return }
        try writer.sql.execute(
            "INSERT INTO search_backlog (event_num) VALUES ($1) ON CONFLICT (event_num) DO NOTHING", event.number)
    }

    /// Notes that events have been looked at.
    public func removeBacklog(_ events: [EventNumber]) throws {
        try writer.sql.execute("DELETE FROM search_backlog WHERE event_num IN list($1)", events.sqlList)
    }

    /// Words and their places as PostgreSQL reads them.
    private static func vector(of words: [String]) -> String {
        var places: [ExactString: [Int]] = [:]
        for (index, word) in words.enumerated() where places[ExactString(word)]?.count ?? 0 < 20 {
            places[ExactString(word), default: []].append(index + 1)
        }
        return places.map { "'\($0.key)':\($0.value.map(String.init).joined(separator: ","))" }.joined(separator: " ")
    }
}

extension StoreReader {
    /// Finds events by their words.
    public var search: SearchReader { SearchReader(sql: sql) }
}

extension StoreWriter {
    /// The words of events.
    public var search: SearchWriter { SearchWriter(writer: self) }
}
