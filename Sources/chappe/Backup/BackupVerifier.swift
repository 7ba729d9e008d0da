import Database
import Foundation
import Matrix

/// Goes through a backup and finds what is not as it was written.
struct BackupVerifier {
    let directory: String

    /// Flaws that are told; of a backup that is lost nobody reads a million lines.
    private static let maximumFlaws = 100

    /// Checks every file and the database.
    ///
    /// - Returns: The manifest, and what is wrong; nothing if the list is empty.
    /// - Throws: ``CommandFailure`` if there is no backup, or one that cannot be read at all.
    func verify() throws -> (manifest: BackupManifest, flaws: [String]) {
        let manifest = try BackupManifest(in: directory)
        let sums = try manifest.sums(in: directory)
        var flaws: [String] = []
        var unknown = BackupFiles.list(directory).subtracting(BackupManifest.unlisted)
        var progress = Progress("Checking files", of: sums.count)
        var known: [String: String] = [:]
        for (path, hash) in sums {
            unknown.remove(path)
            known[path] = hash
            do {
                if try BackupFiles.hash(of: "\(directory)/\(path)") != hash { flaws.append("\(path) was changed") }
            } catch { flaws.append("\(path) is missing, or cannot be read") }
            progress.advance(by: 1)
        }
        progress.end()
        flaws += unknown.sorted().map { "\($0) does not belong to the backup" }
        if known[BackupManifest.database] == nil { flaws.append("the backup has no database") }
        if manifest.hasKey != (known[BackupManifest.key] != nil) { flaws.append("the signing key is missing") }
        if manifest.hasKey, !Self.isKey("\(directory)/\(BackupManifest.key)") {
            flaws.append("\(BackupManifest.key) holds no signing key")
        }
        // A file that is not what was written need not be looked into.
        if flaws.isEmpty { flaws += try databaseFlaws(manifest, known) }
        return (manifest, Array(flaws.prefix(Self.maximumFlaws)))
    }

    private static func isKey(_ path: String) -> Bool {
        guard let data = FileManager.default.contents(atPath: path) else { return false }
        return SigningKeyFile(parsing: String(decoding: data, as: UTF8.self)) != nil
    }

    private func databaseFlaws(_ manifest: BackupManifest, _ sums: [String: String]) throws -> [String] {
        do {
            let archive = try DatabaseArchive(path: "\(directory)/\(BackupManifest.database)")
            defer { archive.close() }
            var flaws = try archive.flaws().map { "the database: \($0)" }
            let version = try archive.schemaVersion()
            if version != manifest.schemaVersion {
                flaws.append("the database is at version \(version), not \(manifest.schemaVersion)")
            }
            let counts = try archive.rowCounts()
            let expected = Dictionary(manifest.tables.map { ($0.table, $0.rows) }) { first, _ in first }
            for (table, rows) in counts where expected[table] != rows {
                flaws.append("the table \(table) has \(rows) rows, not \(expected[table] ?? 0)")
            }
            if counts.count != expected.count { flaws.append("the database has not the tables that it had") }
            let excused = Set(manifest.missing + manifest.damaged)
            try archive.forEachBlob { name, sha256, _ in
                let hash = sums["\(BackupManifest.media)/\(BackupFiles.place(ofMedia: name))"]
                guard hash != BackupFiles.hexadecimal(sha256), !excused.contains(name) else { return }
                flaws.append("the file \(name) is not what the database says")
            }
            return flaws
        } catch {
            return ["the database cannot be read: \(error)"]
        }
    }
}
