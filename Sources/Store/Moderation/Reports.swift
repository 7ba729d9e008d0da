import Database
import Matrix

/// What a user has told moderators.
public struct Report: Sendable, Hashable {
    /// What a report is about.
    public enum Subject: Sendable, Hashable {
        /// A room.
        case room(RoomID)
        /// An event of a room, and its sender.
        case event(EventID, RoomID, sender: UserID)
        /// A user.
        case user(UserID)
    }

    /// What kind of thing a report is about.
    public enum Kind: String, Sendable {
        /// A room.
        case room
        /// An event.
        case event
        /// A user.
        case user

        fileprivate var condition: String {
            switch self {
            case .room: "reports.event_id IS NULL AND reports.room_id IS NOT NULL"
            case .event: "reports.event_id IS NOT NULL"
            case .user: "reports.room_id IS NULL AND reports.user_id IS NOT NULL"
            }
        }
    }

    /// Its number: the later, the greater.
    public let number: Int64
    /// Who reports.
    public let reporter: UserID
    /// What.
    public let subject: Subject
    /// Why; may be empty.
    public let reason: String
    /// How bad it is, from -100 (most offensive) to 0, as older clients say.
    public let score: Int64?
    /// When it came, in milliseconds since 1970.
    public let received: Int64
}

/// Which reports are wanted.
public struct ReportSelection: Sendable {
    /// Only about this room or events of it, if not `nil`.
    public var room: RoomID?
    /// Only about this user or events of theirs, if not `nil`.
    public var user: UserID?
    /// Only by this user, if not `nil`.
    public var reporter: UserID?

    /// A selection.
    public init(room: RoomID? = nil, user: UserID? = nil, reporter: UserID? = nil) {
        self.room = room
        self.user = user
        self.reporter = reporter
    }
}

/// Look-ups of what moderators have been told.
public struct ReportReader {
    let sql: ReadTransaction

    private static let columns = """
        reports.num, users.user_id, reports.room_id, reports.event_id, reports.user_id, reports.reason, reports.score, \
        reports.received_ts
        """
    private static let source = "reports JOIN users ON users.num = reports.reporter_num"
    private static let condition = """
        COALESCE($1, reports.room_id, '') = COALESCE(reports.room_id, '')
            AND COALESCE($2, reports.user_id, '') = COALESCE(reports.user_id, '')
            AND COALESCE($3, users.user_id) = users.user_id
        """
    private static let page = SQL(
        "SELECT \(columns) FROM \(source) WHERE \(condition) AND reports.num < $4 ORDER BY reports.num DESC LIMIT $5")
    private static let total = SQL("SELECT COUNT(*) FROM \(source) WHERE \(condition)")
    private static let one = SQL("SELECT \(columns) FROM \(source) WHERE reports.num = $1")

    /// A page of reports, the latest first.
    ///
    /// - Parameter before: Only reports with smaller numbers; all if `nil`.
    public func reports(_ selection: ReportSelection = .init(), before: Int64? = nil, limit: Int) throws -> [Report] {
        try sql.all(
            Self.page, selection.room, selection.user, selection.reporter, before ?? Int64.max, limit, map: Self.decode)
    }

    /// How many reports there are.
    public func count(_ selection: ReportSelection = .init()) throws -> Int {
        try sql.first(Self.total, selection.room, selection.user, selection.reporter) { Int(try $0.int(0)) } ?? 0
    }

    /// A page of the reports of a kind.
    ///
    /// - Parameters:
    ///   - kind: What they are about.
    ///   - selection: Which ones.
    ///   - isAscending: Whether the oldest comes first.
    ///   - offset: How many are left out before.
    ///   - limit: The most to return.
    public func page(
        of kind: Report.Kind, _ selection: ReportSelection, isAscending: Bool, offset: Int, limit: Int
    ) throws -> [Report] {
        let order = isAscending ? "reports.num" : "reports.num DESC"
        return try sql.all(
            SQL(
                """
                SELECT \(Self.columns) FROM \(Self.source) WHERE \(Self.condition) AND \(kind.condition)
                ORDER BY \(order) LIMIT $4 OFFSET $5
                """), selection.room, selection.user, selection.reporter, limit, offset, map: Self.decode)
    }

    /// How many reports of a kind there are.
    public func count(of kind: Report.Kind, _ selection: ReportSelection) throws -> Int {
        try sql.first(
            SQL("SELECT COUNT(*) FROM \(Self.source) WHERE \(Self.condition) AND \(kind.condition)"), selection.room,
            selection.user, selection.reporter
        ) { Int(try $0.int(0)) } ?? 0
    }

    /// The report of that number, or `nil`.
    public func report(_ number: Int64) throws -> Report? { try sql.first(Self.one, number, map: Self.decode) }

    /// How many reports a user has made since a time in milliseconds since 1970.
    public func count(by reporter: UserNumber, since time: Int64) throws -> Int {
        try sql.first(
            "SELECT COUNT(*) FROM reports WHERE reporter_num = $1 AND received_ts >= $2", reporter, time
        ) { Int(try $0.int(0)) } ?? 0
    }

    private static func decode(_ row: Row) throws -> Report {
        let room = try row.identifierOrNil(2, as: RoomID.self)
        let event = try row.identifierOrNil(3, as: EventID.self)
        let user = try row.identifierOrNil(4, as: UserID.self)
        let subject: Report.Subject
        switch (room, event, user) {
        case (let room?, let event?, let sender?): subject = .event(event, room, sender: sender)
        case (let room?, nil, nil): subject = .room(room)
        case (nil, nil, let user?): subject = .user(user)
        default: throw StoreError.inconsistent("report \(try row.int(0)) is about nothing")
        }
        return Report(
            number: try row.int(0), reporter: try row.identifier(1), subject: subject, reason: try row.text(5),
            score: try row.intOrNil(6), received: try row.int(7))
    }
}

/// Stores what moderators are told.
public struct ReportWriter {
    let writer: StoreWriter

    /// Keeps a report.
    public func add(
        _ subject: Report.Subject, by reporter: UserNumber, reason: String, score: Int64?, received: Int64
    ) throws {
        let (room, event, user): (RoomID?, EventID?, UserID?) =
            switch subject {
            case .room(let room): (room, nil, nil)
            case .event(let event, let room, let sender): (room, event, sender)
            case .user(let user): (nil, nil, user)
            }
        try writer.sql.execute(
            """
            INSERT INTO reports (reporter_num, room_id, event_id, user_id, reason, score, received_ts)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """, reporter, room, event, user, reason, score, received)
    }

    /// Removes a report that has been dealt with.
    ///
    /// - Returns: Whether there was one.
    public func remove(_ number: Int64) throws -> Bool {
        try writer.sql.executeCounting("DELETE FROM reports WHERE num = $1", number) == 1
    }
}

extension StoreReader {
    /// What moderators have been told.
    public var reports: ReportReader { ReportReader(sql: sql) }
}

extension StoreWriter {
    /// What moderators are told.
    public var reports: ReportWriter { ReportWriter(writer: self) }
}
