import Database
import Matrix

/// A user-interactive authentication under way.
public struct InteractiveSessionRecord: Sendable {
    /// What it authorizes, and nothing else.
    public let operation: String
    /// Who authenticates, where that is known already.
    public let user: UserNumber?
    /// What the first request asked for, a JSON text, where later ones need not repeat it.
    public let parameters: [UInt8]?
    /// The stages that have been completed.
    public var completed: [String]
    /// The registration token that was shown.
    public var registrationToken: String?
    /// What came of the operation, once it is done.
    public var result: String?
    /// The proof that was given for a mail address.
    public var addressProof: String?
    /// Whether somebody else has shown who they are: it can authorize nothing any more.
    public var isRefused: Bool
    /// When it expires, in milliseconds since 1970.
    public let expiresAt: Int64

    /// A session.
    public init(
        operation: String, user: UserNumber?, parameters: [UInt8]?, completed: [String] = [],
        registrationToken: String? = nil, result: String? = nil, addressProof: String? = nil, isRefused: Bool = false,
        expiresAt: Int64
    ) {
        self.operation = operation
        self.user = user
        self.parameters = parameters
        self.completed = completed
        self.registrationToken = registrationToken
        self.result = result
        self.addressProof = addressProof
        self.isRefused = isRefused
        self.expiresAt = expiresAt
    }
}

/// Look-ups of user-interactive authentications.
public struct InteractiveSessionReader {
    let sql: ReadTransaction

    /// The session behind the hash of its identifier, or `nil` if there is none or it has expired at `now`.
    public func session(_ hash: TokenHash, now: Int64) throws -> InteractiveSessionRecord? {
        try sql.first(
            """
            SELECT operation, user_num, parameters, completed, registration_token, result, refused, expires_ts,
                address_proof
            FROM interactive_sessions WHERE hash = $1 AND expires_ts > $2
            """, hash, now
        ) { row in
            InteractiveSessionRecord(
                operation: try row.text(0), user: try row.numberOrNil(1), parameters: try row.blobOrNil(2),
                completed: try row.text(3).split(separator: " ").map(String.init),
                registrationToken: try row.textOrNil(4), result: try row.textOrNil(5),
                addressProof: try row.textOrNil(8), isRefused: try row.bool(6), expiresAt: try row.int(7)
            )
        }
    }
}

/// Stores user-interactive authentications.
public struct InteractiveSessionWriter {
    let writer: StoreWriter

    /// Stores a session, and forgets those that have expired.
    public func insert(_ session: InteractiveSessionRecord, _ hash: TokenHash, now: Int64) throws {
        try writer.sql.execute("DELETE FROM interactive_sessions WHERE expires_ts <= $1", now)
        try writer.sql.execute(
            """
            INSERT INTO interactive_sessions (hash, operation, user_num, parameters, completed, registration_token, result,
                expires_ts, address_proof)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """, hash, session.operation, session.user,
            session.parameters.map { String(decoding: $0, as: UTF8.self) },
            session.completed.joined(separator: " "), session.registrationToken, session.result, session.expiresAt,
            session.addressProof
        )
    }

    /// Stores what has come about in a session.
    public func update(_ session: InteractiveSessionRecord, _ hash: TokenHash) throws {
        try writer.sql.execute(
            """
            UPDATE interactive_sessions SET completed = $2, registration_token = $3, result = $4, refused = $5,
                address_proof = $6
            WHERE hash = $1
            """, hash, session.completed.joined(separator: " "), session.registrationToken, session.result,
            session.isRefused, session.addressProof
        )
    }

    /// Ends a session.
    ///
    /// - Returns: Whether there was one: of several requests that end one, only one is told so.
    public func delete(_ hash: TokenHash) throws -> Bool {
        try writer.sql.executeCounting("DELETE FROM interactive_sessions WHERE hash = $1", hash) == 1
    }
}

extension StoreReader {
    /// User-interactive authentications.
    public var interactiveSessions: InteractiveSessionReader { InteractiveSessionReader(sql: sql) }
}

extension StoreWriter {
    /// User-interactive authentications.
    public var interactiveSessions: InteractiveSessionWriter { InteractiveSessionWriter(writer: self) }
}
