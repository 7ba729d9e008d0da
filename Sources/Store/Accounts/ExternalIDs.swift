import Database
import Matrix

/// Who a user is to a service where users sign in.
public struct ExternalID: Sendable, Hashable {
    /// The service.
    public let provider: String
    /// What it calls the user.
    public let id: String

    /// An identifier.
    public init(provider: String, id: String) {
        self.provider = provider
        self.id = id
    }
}

/// Look-ups of external identifiers.
public struct ExternalIDReader {
    let sql: ReadTransaction

    /// Whom a service means; `nil` if nobody is known.
    public func user(_ external: ExternalID) throws -> UserNumber? {
        try sql.first(
            "SELECT user_num FROM external_ids WHERE provider = $1 AND external_id = $2", external.provider, external.id
        ) { try $0.number(0) }
    }

    /// Who a user is elsewhere.
    public func identifiers(of user: UserNumber) throws -> [ExternalID] {
        try sql.all(
            "SELECT provider, external_id FROM external_ids WHERE user_num = $1 ORDER BY provider, external_id", user
        ) { ExternalID(provider: try $0.text(0), id: try $0.text(1)) }
    }
}

/// Stores external identifiers.
public struct ExternalIDWriter {
    let writer: StoreWriter

    /// Gives an identifier to a user.
    ///
    /// - Returns: Whether it is theirs now; not if it is somebody else's.
    public func add(_ external: ExternalID, to user: UserNumber) throws -> Bool {
        try writer.sql.execute(
            """
            INSERT INTO external_ids (provider, external_id, user_num) VALUES ($1, $2, $3)
            ON CONFLICT (provider, external_id) DO NOTHING
            """, external.provider, external.id, user)
        return try writer.read.externalIDs.user(external) == user
    }

    /// Takes an identifier from a user, if it is theirs.
    public func remove(_ external: ExternalID, of user: UserNumber) throws {
        try writer.sql.execute(
            "DELETE FROM external_ids WHERE provider = $1 AND external_id = $2 AND user_num = $3", external.provider,
            external.id, user)
    }

    /// Takes all identifiers from a user.
    public func removeAll(of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM external_ids WHERE user_num = $1", user)
    }
}

extension StoreReader {
    /// Who users are to services where they sign in.
    public var externalIDs: ExternalIDReader { ExternalIDReader(sql: sql) }
}

extension StoreWriter {
    /// Who users are to services where they sign in.
    public var externalIDs: ExternalIDWriter { ExternalIDWriter(writer: self) }
}
