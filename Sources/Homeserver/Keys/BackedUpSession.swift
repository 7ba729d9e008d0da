import Matrix
import Store

/// Room keys for a backup: the members of a request.
///
/// [Key backup data](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeys).
public enum BackedUpSessions {
    /// The largest room key, in bytes.
    static let maximumSessionBytes = 65_536

    /// A room key of a request.
    ///
    /// - Throws: 400 `M_BAD_JSON` for a key of a wrong shape, `M_INVALID_PARAM` for names that cannot be, 413.
    public static func session(
        _ json: JSON, room: String, session: String
    ) throws(MatrixError) -> BackedUpSessionRecord {
        try check(room)
        try check(session)
        guard json.isObject, let index = json["first_message_index"]?.int, index >= 0,
            let forwarded = json["forwarded_count"]?.int, forwarded >= 0, let isVerified = json["is_verified"]?.bool,
            json["session_data"] != nil
        else {
            throw .badJSON("A room key needs first_message_index, forwarded_count, is_verified and session_data")
        }
        guard json.bytes.count <= maximumSessionBytes else { throw .tooLarge("A room key is too large") }
        return BackedUpSessionRecord(
            room: room, session: session, isVerified: isVerified, firstMessageIndex: index, forwardedCount: forwarded,
            json: Array(json.bytes)
        )
    }

    /// The room keys of one room, `{"sessions": {…}}`.
    public static func sessions(_ json: JSON, room: String) throws(MatrixError) -> [BackedUpSessionRecord] {
        guard let sessions = json["sessions"], sessions.isObject else { throw .badJSON("sessions must be an object") }
        var records: [BackedUpSessionRecord] = []
        for (name, session) in sessions.members {
            records.append(try Self.session(session, room: room, session: name))
        }
        return records
    }

    /// The room keys of several rooms, `{"rooms": {…}}`.
    public static func rooms(_ json: JSON) throws(MatrixError) -> [BackedUpSessionRecord] {
        guard let rooms = json["rooms"], rooms.isObject else { throw .badJSON("rooms must be an object") }
        var records: [BackedUpSessionRecord] = []
        for (name, room) in rooms.members { records += try sessions(room, room: name) }
        return records
    }

    private static func check(_ name: String) throws(MatrixError) {
        guard (1...255).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw .invalidParameter("Rooms and sessions have names of 1 to 255 bytes")
        }
    }
}
