/// The engines that run our SQL.
public enum DatabaseEngine: String, Sendable, CaseIterable {
    /// SQLite, inside the process.
    case sqlite
    /// PostgreSQL 15 or later, through libpq.
    case postgres
}

/// Where a database lives.
public enum DatabaseLocation: Sendable, Equatable {
    /// A file of this machine.
    case sqlite(path: String)
    /// A server, as a libpq connection string or URI.
    case postgres(connectionString: String)

    /// Which engine serves this location.
    public var engine: DatabaseEngine {
        switch self {
        case .sqlite: .sqlite
        case .postgres: .postgres
        }
    }

    /// Reads the `database` key of the configuration.
    ///
    /// - Parameters:
    ///   - text: `sqlite:chappe.db`, `sqlite:/var/lib/chappe.db`, a plain path, or `postgres://user:password@host/database`
    ///     (also `postgresql://`).
    ///   - dataDirectory: what relative paths are relative to.
    /// - Throws: ``DatabaseLocationError`` saying what is wrong with the text.
    public init(parsing text: String, relativeTo dataDirectory: String) throws(DatabaseLocationError) {
        if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
            self = .postgres(connectionString: text)
            return
        }
        let path = text.hasPrefix("sqlite:") ? String(text.dropFirst("sqlite:".count)) : text
        guard !path.isEmpty else { throw .emptyPath }
        guard !path.utf8.contains(0) else { throw .nulInPath }
        // Readers have their own connections, which an in-memory database cannot be shared with.
        guard path != ":memory:" else { throw .inMemory }
        if let colon = path.range(ofScheme: "://") { throw .unknownScheme(String(path[..<colon])) }
        let isAbsolute = path.utf8.first == UInt8(ascii: "/")
        self = .sqlite(path: isAbsolute || dataDirectory.isEmpty ? path : joining(dataDirectory, path))
    }
}

/// What can be wrong with a database location.
public enum DatabaseLocationError: Error, Sendable, Equatable {
    /// Nothing follows `sqlite:`.
    case emptyPath
    /// A path cannot hold a NUL byte.
    case nulInPath
    /// `:memory:` cannot be shared by several connections.
    case inMemory
    /// Neither `sqlite:` nor `postgres://` nor a path; holds the scheme.
    case unknownScheme(String)
}

extension DatabaseLocationError: CustomStringConvertible {
    /// A sentence for the person who wrote the configuration.
    public var description: String {
        switch self {
        case .emptyPath: "the path of the database file is empty"
        case .nulInPath: "the path of the database file holds a NUL byte"
        case .inMemory: "an in-memory database is not supported: give the path of a file"
        case .unknownScheme(let scheme):
            "unknown database kind \(scheme): give sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE"
        }
    }
}

private func joining(_ directory: String, _ path: String) -> String {
    directory.utf8.last == UInt8(ascii: "/") ? directory + path : directory + "/" + path
}

extension String {
    /// Where `separator` starts, when what precedes it looks like a URL scheme.
    fileprivate func range(ofScheme separator: String) -> String.Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(separator) { return index == startIndex ? nil : index }
            guard self[index].isASCII, self[index].isLetter else { return nil }
            index = self.index(after: index)
        }
        return nil
    }
}
