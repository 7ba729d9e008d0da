import Crypto
import Foundation
import Matrix

/// What a backup says of itself. A backup is a directory:
///
/// - `manifest.json`: this, with the SHA-256 of the next.
/// - `SHA256SUMS`: the SHA-256 of every other file, as `sha256sum -c` reads it.
/// - `database.sqlite`: the database, always as a SQLite file, whichever engine it is from.
/// - `media/`: the files, as the media store has them.
/// - `signing.key`: the server's signing keys, unless they were left out.
struct BackupManifest: Sendable {
    /// Backups of later formats are refused.
    static let format: Int64 = 1
    static let database = "database.sqlite"
    static let key = "signing.key"
    static let sums = "SHA256SUMS"
    static let media = "media"
    private static let file = "manifest.json"

    var serverName: ServerName
    /// When the database was copied, in milliseconds since 1970.
    var createdTS: Int64
    /// The engine that the database was on.
    var engine: String
    var schemaVersion: Int
    var hasKey: Bool
    /// Rows by table.
    var tables: [(table: String, rows: Int64)]
    var mediaFiles: Int64
    var mediaBytes: Int64
    /// Files that the database refers to and the media store did not have.
    var missing: [String]
    /// Files whose content was not what the database says.
    var damaged: [String]
    /// The SHA-256 of the list of sums, in hexadecimal digits.
    var sumsHash: String

    /// Reads the manifest of a backup.
    ///
    /// - Throws: ``CommandFailure`` if there is none, or one that this program cannot read.
    init(in directory: String) throws {
        guard let data = FileManager.default.contents(atPath: "\(directory)/\(Self.file)") else {
            throw CommandFailure("\(directory) is no backup: it has no \(Self.file)")
        }
        guard let json = try? JSON(parsing: Array(data)), let format = json["format"]?.int else {
            throw CommandFailure("\(directory)/\(Self.file) cannot be read")
        }
        guard format == Self.format else {
            throw CommandFailure("the backup is of format \(format); this program reads \(Self.format)")
        }
        guard let name = json["server_name"]?.string.flatMap({ ServerName($0) }), let created = json["created_ts"]?.int,
            let schema = json["schema_version"]?.int, let hash = json["sums_sha256"]?.string,
            let tables = json["tables"]?.members
        else { throw CommandFailure("\(directory)/\(Self.file) is not complete") }
        serverName = name
        createdTS = created
        engine = json["engine"]?.string ?? ""
        schemaVersion = Int(schema)
        hasKey = json["signing_key"]?.bool ?? false
        self.tables = tables.map { ($0.name, $0.value.int ?? -1) }
        mediaFiles = json["media_files"]?.int ?? 0
        mediaBytes = json["media_bytes"]?.int ?? 0
        missing = json["missing"]?.elements.compactMap { $0.string } ?? []
        damaged = json["damaged"]?.elements.compactMap { $0.string } ?? []
        sumsHash = hash
    }

    init(serverName: ServerName, createdTS: Int64, engine: String) {
        self.serverName = serverName
        self.createdTS = createdTS
        self.engine = engine
        schemaVersion = 0
        hasKey = false
        tables = []
        (mediaFiles, mediaBytes) = (0, 0)
        (missing, damaged) = ([], [])
        sumsHash = ""
    }

    var json: JSONValue {
        [
            "format": .integer(Self.format), "server_name": .string(serverName.string),
            "created_ts": .integer(createdTS), "chappe_version": .string(Chappe.version), "engine": .string(engine),
            "schema_version": .integer(Int64(schemaVersion)), "signing_key": .bool(hasKey),
            "tables": .object(JSONObject(tables.map { ($0.table, .integer($0.rows)) })),
            "media_files": .integer(mediaFiles), "media_bytes": .integer(mediaBytes),
            "missing": .array(missing.map { .string($0) }), "damaged": .array(damaged.map { .string($0) }),
            "sums_sha256": .string(sumsHash),
        ]
    }

    /// Writes the manifest into a backup: the last of its files.
    func write(to directory: String) throws {
        try ServerFiles.writeSecret(
            String(decoding: json.serialized(), as: UTF8.self) + "\n", to: "\(directory)/\(Self.file)")
        BackupFiles.flushDirectory(directory)
    }

    /// The files of a backup that the list of sums does not name.
    static let unlisted: Set<String> = [file, sums]

    /// The sums of a backup's files, by path.
    ///
    /// - Throws: ``CommandFailure`` if the list is not the one that the manifest speaks of.
    func sums(in directory: String) throws -> [(path: String, hash: String)] {
        guard let data = FileManager.default.contents(atPath: "\(directory)/\(Self.sums)") else {
            throw CommandFailure("\(directory)/\(Self.sums) cannot be read")
        }
        guard BackupFiles.hexadecimal(SHA256.hash(data: data)) == sumsHash else {
            throw CommandFailure("\(directory)/\(Self.sums) is not the list that was written")
        }
        return try String(decoding: data, as: UTF8.self).split(separator: "\n").map { line in
            let path = String(line.dropFirst(66))
            guard line.utf8.count > 66, !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
                throw CommandFailure("\(directory)/\(Self.sums) has a line that names no file of a backup")
            }
            return (path, String(line.prefix(64)))
        }
    }
}
