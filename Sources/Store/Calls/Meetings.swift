import Database
import Matrix

/// The meeting that a room has at a conference service: made once, and used for each of the room's calls.
public struct Meeting: Sendable {
    /// The room.
    public let room: RoomNumber
    /// The service, as the configuration calls it.
    public let service: String
    /// What Matrix calls it: the state key of the event that points to it.
    public let callID: String
    /// What the service calls it; `nil` until it has been made.
    public let meetingID: String?
    /// Where people go; `nil` until it has been made.
    public let url: String?
    /// Whom the service lets in.
    public let accessLevel: String
    /// The newest meetings that the service had when it was asked to make this one; `nil` unless an answer is still missing.
    public let known: [String]?
    /// Who started the last call; `nil` if there has been none.
    public let startedBy: UserNumber?
    /// When, in milliseconds since 1970.
    public let startedTS: Int64?
    /// When it ended, in milliseconds since 1970; `nil` if it is under way.
    public let endedTS: Int64?
    /// Why it ended.
    public let endReason: String?
    /// Whether it is for seeing or only for hearing each other.
    public let isVideo: Bool
    /// When the server ends it, in milliseconds since 1970; `nil` if it does not.
    public let endsTS: Int64?
    /// How many calls there have been.
    public let calls: Int64
    /// The events that announced the call under way, by what they are: the text of a JSON object.
    public let events: String?
    /// Where its recordings are: the text of a JSON array.
    public let recordings: String?

    /// Whether there is a call.
    public var isUnderWay: Bool { startedTS != nil && endedTS == nil }
}

/// Somebody in a meeting.
public struct MeetingParticipant: Sendable, Hashable {
    /// What the service calls them.
    public let identity: String
    /// The name that others see there.
    public let name: String
    /// Since when they are there, in milliseconds since 1970.
    public let joinedTS: Int64

    /// Somebody in a meeting.
    public init(identity: String, name: String, joinedTS: Int64) {
        self.identity = identity
        self.name = name
        self.joinedTS = joinedTS
    }
}

/// Look-ups of rooms' meetings.
public struct MeetingReader {
    let sql: ReadTransaction

    /// A room's meeting at a service.
    public func meeting(of room: RoomNumber, at service: String) throws -> Meeting? {
        try sql.first(
            """
            SELECT room_num, service, call_id, meeting_id, url, access_level, known, started_by, started_ts, ends_ts, calls,
                events, recordings, ended_ts, end_reason, is_video
            FROM meetings WHERE room_num = $1 AND service = $2
            """, room, service, map: Self.decode)
    }

    /// A room's meetings at all services.
    public func meetings(of room: RoomNumber) throws -> [Meeting] {
        try sql.all(
            """
            SELECT room_num, service, call_id, meeting_id, url, access_level, known, started_by, started_ts, ends_ts, calls,
                events, recordings, ended_ts, end_reason, is_video
            FROM meetings WHERE room_num = $1 ORDER BY service
            """, room, map: Self.decode)
    }

    /// The meeting that a service calls so.
    public func meeting(named name: String, at service: String) throws -> Meeting? {
        try sql.first(
            """
            SELECT room_num, service, call_id, meeting_id, url, access_level, known, started_by, started_ts, ends_ts, calls,
                events, recordings, ended_ts, end_reason, is_video
            FROM meetings WHERE service = $1 AND meeting_id = $2
            """, service, name, map: Self.decode)
    }

    /// Calls that the server is to end, the longest overdue first.
    public func ending(by now: Int64, limit: Int) throws -> [Meeting] {
        try sql.all(
            """
            SELECT room_num, service, call_id, meeting_id, url, access_level, known, started_by, started_ts, ends_ts, calls,
                events, recordings, ended_ts, end_reason, is_video
            FROM meetings WHERE started_ts IS NOT NULL AND ended_ts IS NULL AND ends_ts <= $1
            ORDER BY ends_ts LIMIT $2
            """, now, limit, map: Self.decode)
    }

    /// When the next call is to be ended, in milliseconds since 1970.
    public func nextEnd() throws -> Int64? {
        try sql.first(
            """
            SELECT ends_ts FROM meetings WHERE started_ts IS NOT NULL AND ended_ts IS NULL AND ends_ts IS NOT NULL
            ORDER BY ends_ts LIMIT 1
            """
        ) { try $0.int(0) }
    }

    /// Calls under way, a page at a time, in the order of their rooms.
    public func underWay(after room: RoomNumber, limit: Int) throws -> [Meeting] {
        try sql.all(
            """
            SELECT room_num, service, call_id, meeting_id, url, access_level, known, started_by, started_ts, ends_ts, calls,
                events, recordings, ended_ts, end_reason, is_video
            FROM meetings WHERE started_ts IS NOT NULL AND ended_ts IS NULL AND room_num > $1
            ORDER BY room_num LIMIT $2
            """, room, limit, map: Self.decode)
    }

    /// Who is in a room's meeting, in the order in which they came.
    public func participants(of room: RoomNumber, at service: String) throws -> [MeetingParticipant] {
        try sql.all(
            """
            SELECT identity, name, joined_ts FROM meeting_participants WHERE room_num = $1 AND service = $2
            ORDER BY joined_ts, identity
            """, room, service
        ) { MeetingParticipant(identity: try $0.text(0), name: try $0.text(1), joinedTS: try $0.int(2)) }
    }

    /// Whether some of those names are those of meetings that rooms have.
    public func taken(_ names: [String], at service: String) throws -> Set<String> {
        var taken: Set<String> = []
        for name in names where try meeting(named: name, at: service) != nil { taken.insert(name) }
        return taken
    }

    private static func decode(_ row: Row) throws -> Meeting {
        let known = try row.textOrNil(6).flatMap { try? JSON(parsing: $0) }
        return Meeting(
            room: try row.number(0), service: try row.text(1), callID: try row.text(2),
            meetingID: try row.textOrNil(3), url: try row.textOrNil(4), accessLevel: try row.text(5),
            known: known.map { $0.elements.compactMap(\.string) }, startedBy: try row.numberOrNil(7),
            startedTS: try row.intOrNil(8), endedTS: try row.intOrNil(13), endReason: try row.textOrNil(14),
            isVideo: try row.int(15) != 0, endsTS: try row.intOrNil(9), calls: try row.int(10),
            events: try row.textOrNil(11), recordings: try row.textOrNil(12))
    }
}

/// Stores rooms' meetings.
public struct MeetingWriter {
    let writer: StoreWriter

    /// The most people of one meeting that are kept.
    public static let maximumParticipants = 500

    /// Begins a room's meeting, if it has none at that service, and lets one process see to it.
    ///
    /// - Parameters:
    ///   - callID: What Matrix is to call it.
    ///   - claim: Who sees to it.
    ///   - until: How long it is theirs, in milliseconds since 1970.
    /// - Returns: Whether it is the caller's now.
    public func claim(
        _ room: RoomNumber, at service: String, callID: String, accessLevel: String, claim: String, until: Int64,
        now: Int64
    ) throws -> Bool {
        try writer.sql.execute(
            """
            INSERT INTO meetings (room_num, service, call_id, access_level) VALUES ($1, $2, $3, $4)
            ON CONFLICT (room_num, service) DO NOTHING
            """, room, service, callID, accessLevel)
        return try writer.sql.executeCounting(
            """
            UPDATE meetings SET claim = $3, claimed_until_ts = $4
            WHERE room_num = $1 AND service = $2 AND (claimed_until_ts IS NULL OR claimed_until_ts <= $5)
            """, room, service, claim, until, now) == 1
    }

    /// Gives it up.
    public func release(_ room: RoomNumber, at service: String, claim: String) throws {
        try writer.sql.execute(
            """
            UPDATE meetings SET claim = NULL, claimed_until_ts = NULL WHERE room_num = $1 AND service = $2 AND claim = $3
            """, room, service, claim)
    }

    /// Takes all of them from processes that are no more: where there is only one, when it starts.
    public func releaseAll() throws {
        try writer.sql.execute("UPDATE meetings SET claim = NULL, claimed_until_ts = NULL WHERE claim IS NOT NULL")
    }

    /// Notes what the service had before it is asked to make the meeting; `nil` once it is known what came of it.
    public func setKnown(_ known: [String]?, of room: RoomNumber, at service: String) throws {
        let text = known.map { list in
            String(decoding: JSONValue.array(list.map { .string($0) }).serialized(), as: UTF8.self)
        }
        try writer.sql.execute(
            "UPDATE meetings SET known = $3 WHERE room_num = $1 AND service = $2", room, service, text)
    }

    /// Notes what the service has made.
    public func setMade(
        _ name: String, url: String, accessLevel: String, of room: RoomNumber, at service: String
    ) throws {
        try writer.sql.execute(
            """
            UPDATE meetings SET meeting_id = $3, url = $4, access_level = $5, known = NULL
            WHERE room_num = $1 AND service = $2
            """, room, service, name, url, accessLevel)
    }

    /// Begins a call.
    ///
    /// - Parameters:
    ///   - end: When the server ends it, if it does.
    ///   - events: The events that announce it, by what they are: the text of a JSON object.
    public func start(
        _ room: RoomNumber, at service: String, by user: UserNumber, isVideo: Bool, at time: Int64, endsAt end: Int64?,
        events: String
    ) throws {
        try writer.sql.execute(
            "DELETE FROM meeting_participants WHERE room_num = $1 AND service = $2", room, service)
        try writer.sql.execute(
            """
            UPDATE meetings SET started_by = $3, started_ts = $4, ends_ts = $5, is_video = $6, events = $7, calls = calls + 1,
                recordings = NULL, ended_ts = NULL, end_reason = NULL, claim = NULL, claimed_until_ts = NULL
            WHERE room_num = $1 AND service = $2
            """, room, service, user, time, end, isVideo ? 1 : 0, events)
    }

    /// Ends the call.
    ///
    /// - Returns: Whether there was one.
    public func end(_ room: RoomNumber, at service: String, reason: String, at time: Int64) throws -> Bool {
        try writer.sql.execute(
            "DELETE FROM meeting_participants WHERE room_num = $1 AND service = $2", room, service)
        return try writer.sql.executeCounting(
            """
            UPDATE meetings SET ended_ts = $3, end_reason = $4, ends_ts = NULL WHERE room_num = $1 AND service = $2
                AND started_ts IS NOT NULL AND ended_ts IS NULL
            """, room, service, time, reason) == 1
    }

    /// Notes where the call's recordings are.
    public func setRecordings(_ recordings: String, of room: RoomNumber, at service: String) throws {
        try writer.sql.execute(
            "UPDATE meetings SET recordings = $3 WHERE room_num = $1 AND service = $2", room, service, recordings)
    }

    /// Notes that somebody is in the meeting. Beyond ``maximumParticipants`` nobody is noted.
    public func add(_ participant: MeetingParticipant, to room: RoomNumber, at service: String) throws {
        let count = try writer.sql.first(
            "SELECT COUNT(*) FROM meeting_participants WHERE room_num = $1 AND service = $2", room, service
        ) { try $0.int(0) }
        guard count ?? 0 < Self.maximumParticipants else { return }
        try writer.sql.execute(
            """
            INSERT INTO meeting_participants (room_num, service, identity, name, joined_ts) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (room_num, service, identity) DO UPDATE SET name = excluded.name
            """, room, service, participant.identity, participant.name, participant.joinedTS)
    }

    /// Notes that somebody is not in the meeting any more.
    public func remove(_ identity: String, from room: RoomNumber, at service: String) throws {
        try writer.sql.execute(
            "DELETE FROM meeting_participants WHERE room_num = $1 AND service = $2 AND identity = $3", room, service,
            identity)
    }

    /// Notes that a service has told something, and forgets what it told before `forgotten`.
    ///
    /// - Returns: Whether it is heard for the first time.
    public func hear(_ report: String, from service: String, at now: Int64, forgetting forgotten: Int64) throws -> Bool
    {
        try writer.sql.execute("DELETE FROM conference_reports WHERE received_ts < $1", forgotten)
        return try writer.sql.executeCounting(
            """
            INSERT INTO conference_reports (service, report_id, received_ts) VALUES ($1, $2, $3)
            ON CONFLICT (service, report_id) DO NOTHING
            """, service, report, now) == 1
    }
}

extension StoreReader {
    /// Rooms' meetings at conference services.
    public var meetings: MeetingReader { MeetingReader(sql: sql) }
}

extension StoreWriter {
    /// Rooms' meetings at conference services.
    public var meetings: MeetingWriter { MeetingWriter(writer: self) }
}
