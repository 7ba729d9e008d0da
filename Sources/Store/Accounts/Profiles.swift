import Database
import Matrix

/// One field of a user's profile.
public struct ProfileField: Sendable, Equatable {
    /// Its name, such as `displayname`.
    public let name: String
    /// Its value, a JSON text.
    public let value: [UInt8]

    /// A field.
    public init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// Look-ups of profiles.
public struct ProfileReader {
    let sql: ReadTransaction

    /// A field's value as JSON text, or `nil` if the user has no such field.
    public func field(_ name: String, of user: UserNumber) throws -> [UInt8]? {
        try sql.first("SELECT value FROM profile_fields WHERE user_num = $1 AND name = $2", user, name) {
            try $0.blob(0)
        }
    }

    /// The values of a field of all users, as JSON texts.
    public func values(of name: String) throws -> [[UInt8]] {
        try sql.all("SELECT value FROM profile_fields WHERE name = $1", name) { try $0.blob(0) }
    }

    /// All fields, in the order of their names.
    public func fields(of user: UserNumber) throws -> [ProfileField] {
        try sql.all("SELECT name, value FROM profile_fields WHERE user_num = $1 ORDER BY name", user) {
            ProfileField(name: try $0.text(0), value: try $0.blob(1))
        }
    }
}

/// Stores profiles.
public struct ProfileWriter {
    let writer: StoreWriter

    /// Sets a field.
    public func set(_ field: ProfileField, of user: UserNumber) throws {
        try writer.sql.execute(
            """
            INSERT INTO profile_fields (user_num, name, value) VALUES ($1, $2, $3)
            ON CONFLICT (user_num, name) DO UPDATE SET value = excluded.value
            """, user, field.name, String(decoding: field.value, as: UTF8.self)
        )
        try writer.userDirectory.refresh(user)
    }

    /// Removes a field.
    ///
    /// - Returns: Whether there was one.
    public func delete(_ name: String, of user: UserNumber) throws -> Bool {
        let deleted = try writer.sql.executeCounting(
            "DELETE FROM profile_fields WHERE user_num = $1 AND name = $2", user, name
        )
        try writer.userDirectory.refresh(user)
        return deleted == 1
    }

    /// Removes every field.
    public func deleteAll(of user: UserNumber) throws {
        try writer.sql.execute("DELETE FROM profile_fields WHERE user_num = $1", user)
        try writer.userDirectory.refresh(user)
    }
}

extension StoreReader {
    /// Profiles of this server's users.
    public var profiles: ProfileReader { ProfileReader(sql: sql) }
}

extension StoreWriter {
    /// Profiles of this server's users.
    public var profiles: ProfileWriter { ProfileWriter(writer: self) }
}
