import Crypto
import Database
import Matrix

/// Look-ups of the filters that clients have uploaded.
public struct FilterReader {
    let sql: ReadTransaction

    /// The text of a user's filter, or `nil`.
    public func json(of user: UserNumber, number: Int64) throws -> [UInt8]? {
        try sql.first("SELECT json FROM filters WHERE user_num = $1 AND num = $2", user, number) { try $0.blob(0) }
    }

    /// The number of a filter that the user has uploaded before, or `nil`.
    public func number(of user: UserNumber, json: JSON) throws -> Int64? {
        try sql.first(
            "SELECT num FROM filters WHERE user_num = $1 AND digest = $2", user, FilterWriter.digest(json)
        ) { try $0.int(0) }
    }
}

/// Stores filters.
public struct FilterWriter {
    let writer: StoreWriter

    /// Stores a filter, unless the user has the same one already, and returns its number.
    ///
    /// - Parameters:
    ///   - json: The filter.
    ///   - user: Whose.
    ///   - limit: How many a user may keep: beyond it the oldest is forgotten.
    public func intern(_ json: JSON, of user: UserNumber, limit: Int) throws -> Int64 {
        if let known = try writer.read.filters.number(of: user, json: json) { return known }
        let last = try writer.sql.first("SELECT MAX(num) FROM filters WHERE user_num = $1", user) { try $0.intOrNil(0) }
        let number = (last ?? nil).map { $0 + 1 } ?? 0
        try writer.sql.execute(
            "INSERT INTO filters (user_num, num, digest, json) VALUES ($1, $2, $3, $4)", user, number,
            Self.digest(json),
            json.bytes)
        try writer.sql.execute("DELETE FROM filters WHERE user_num = $1 AND num <= $2", user, number - Int64(limit))
        return number
    }

    static func digest(_ json: JSON) -> [UInt8] { Array(SHA256.hash(data: CanonicalJSON.text(of: json))) }
}

extension StoreReader {
    /// Filters.
    public var filters: FilterReader { FilterReader(sql: sql) }
}

extension StoreWriter {
    /// Filters.
    public var filters: FilterWriter { FilterWriter(writer: self) }
}
