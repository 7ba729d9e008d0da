import Database
import Matrix

/// A key of another server.
public struct ServerKeyRecord: Sendable, Hashable {
    /// Whose key it is.
    public let server: ServerName
    /// Its identifier.
    public let keyID: SigningKeyID
    /// The key.
    public let key: VerifyKey
    /// Until when what it signs counts, in milliseconds since 1970.
    public let validUntilTS: Int64
    /// Whether the server uses it no longer: then only what it has signed in rooms counts.
    public let isOld: Bool
    /// Whether the server itself said so; else a notary did.
    public let isDirect: Bool
    /// When, in milliseconds since 1970.
    public let fetchedTS: Int64

    /// A key.
    public init(
        server: ServerName, keyID: SigningKeyID, key: VerifyKey, validUntilTS: Int64, isOld: Bool, isDirect: Bool,
        fetchedTS: Int64
    ) {
        self.server = server
        self.keyID = keyID
        self.key = key
        self.validUntilTS = validUntilTS
        self.isOld = isOld
        self.isDirect = isDirect
        self.fetchedTS = fetchedTS
    }
}

/// The document that a server gave out.
public struct ServerKeyDocumentRecord: Sendable, Hashable {
    /// Whose it is.
    public let server: ServerName
    /// The keys that it names, old ones too, in order.
    public let keyIDs: [SigningKeyID]
    /// Its text, with that server's signatures.
    public let document: [UInt8]
    /// Until when that server vouches for it, in milliseconds since 1970.
    public let validUntilTS: Int64
    /// When it was fetched, in milliseconds since 1970.
    public let fetchedTS: Int64

    /// A document.
    public init(
        server: ServerName, keyIDs: some Collection<SigningKeyID>, document: [UInt8], validUntilTS: Int64,
        fetchedTS: Int64
    ) {
        self.server = server
        self.keyIDs = keyIDs.sorted()
        self.document = document
        self.validUntilTS = validUntilTS
        self.fetchedTS = fetchedTS
    }
}

/// Look-ups of other servers' keys.
public struct ServerKeyReader {
    let sql: ReadTransaction

    /// All keys that are known of those servers.
    public func keys(of servers: [ServerName]) throws -> [ServerKeyRecord] {
        try sql.all(
            """
            SELECT server_name, key_id, public_key, valid_until_ts, is_old, is_direct, fetched_ts FROM server_keys
            WHERE server_name IN textlist($1) ORDER BY server_name, key_id
            """, servers.map(\.string)
        ) { row in
            guard let key = VerifyKey(try row.blob(2)) else { throw StoreError.inconsistent("stored key is damaged") }
            return ServerKeyRecord(
                server: try row.identifier(0), keyID: try row.identifier(1), key: key, validUntilTS: try row.int(3),
                isOld: try row.int(4) != 0, isDirect: try row.int(5) != 0, fetchedTS: try row.int(6)
            )
        }
    }

    /// The documents of those servers, of each server's those first that were fetched last.
    public func documents(of servers: [ServerName]) throws -> [ServerKeyDocumentRecord] {
        try sql.all(
            """
            SELECT server_name, key_ids, document, valid_until_ts, fetched_ts FROM server_key_documents
            WHERE server_name IN textlist($1) ORDER BY server_name, fetched_ts DESC, valid_until_ts DESC, key_ids
            """, servers.map(\.string)
        ) { row in
            ServerKeyDocumentRecord(
                server: try row.identifier(0),
                keyIDs: try row.text(1).split(separator: " ").compactMap { SigningKeyID(String($0)) },
                document: try row.blob(2), validUntilTS: try row.int(3), fetchedTS: try row.int(4)
            )
        }
    }
}

/// Stores other servers' keys.
public struct ServerKeyWriter {
    let writer: StoreWriter

    /// The most keys that are kept of one server: those learned of last. No honest server has had so many.
    public static let maximumKeysPerServer = 500
    /// The most documents that are kept, each of some kilobytes: those fetched last.
    public static let maximumDocuments = 10_000
    /// The most documents that are kept of one server, each of which names other keys: those fetched last.
    public static let maximumDocumentsPerServer = 10

    /// Stores what was learned of a server's keys. A notary's word never replaces the server's own, unless it is about the same key and
    /// reaches further.
    public func learn(_ keys: [ServerKeyRecord], of server: ServerName) throws {
        for key in keys where key.server == server {
            try writer.sql.execute(
                """
                INSERT INTO server_keys
                    (server_name, key_id, public_key, valid_until_ts, is_old, is_direct, fetched_ts)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT (server_name, key_id) DO UPDATE SET
                    public_key = excluded.public_key, valid_until_ts = excluded.valid_until_ts,
                    is_old = excluded.is_old, is_direct = excluded.is_direct, fetched_ts = excluded.fetched_ts
                WHERE excluded.is_direct = 1
                    OR (excluded.valid_until_ts > server_keys.valid_until_ts
                        AND (server_keys.is_direct = 0 OR server_keys.public_key = excluded.public_key))
                """, key.server, key.keyID, key.key.bytes, key.validUntilTS, key.isOld, key.isDirect, key.fetchedTS
            )
        }
        try writer.sql.execute(
            """
            DELETE FROM server_keys WHERE server_name = $1 AND key_id NOT IN (
                SELECT key_id FROM server_keys WHERE server_name = $1
                ORDER BY fetched_ts DESC, valid_until_ts DESC, key_id LIMIT $2)
            """, server, Self.maximumKeysPerServer
        )
    }

    /// Keeps a document, in place of the server's last one that names the same keys.
    public func keep(_ document: ServerKeyDocumentRecord) throws {
        try writer.sql.execute(
            """
            INSERT INTO server_key_documents (server_name, key_ids, document, valid_until_ts, fetched_ts)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (server_name, key_ids) DO UPDATE SET
                document = excluded.document, valid_until_ts = excluded.valid_until_ts,
                fetched_ts = excluded.fetched_ts
            """, document.server, document.keyIDs.map(\.string).joined(separator: " "), document.document,
            document.validUntilTS, document.fetchedTS
        )
        try writer.sql.execute(
            """
            DELETE FROM server_key_documents WHERE server_name = $1 AND key_ids NOT IN (
                SELECT key_ids FROM server_key_documents WHERE server_name = $1
                ORDER BY fetched_ts DESC, valid_until_ts DESC, key_ids LIMIT $2)
            """, document.server, Self.maximumDocumentsPerServer
        )
        try writer.sql.execute(
            """
            DELETE FROM server_key_documents WHERE fetched_ts < (
                SELECT fetched_ts FROM server_key_documents ORDER BY fetched_ts DESC LIMIT 1 OFFSET $1)
            """, Self.maximumDocuments
        )
    }
}

extension StoreReader {
    /// Other servers' keys.
    public var serverKeys: ServerKeyReader { ServerKeyReader(sql: sql) }
}

extension StoreWriter {
    /// Other servers' keys.
    public var serverKeys: ServerKeyWriter { ServerKeyWriter(writer: self) }
}
