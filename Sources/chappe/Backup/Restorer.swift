import Adapters
import Database
import Foundation
import Homeserver
import Matrix
import Schema
import Store

/// Puts a backup where the configuration says that a server's data are.
struct Restorer {
    let configuration: Configuration
    let directory: String
    let manifest: BackupManifest

    /// Positions left out after a restoration: more than are used in years, and few enough that no number outgrows JSON's.
    private static let leap: Int64 = 1 << 32

    private var mediaPath: String { configuration.path(configuration.media.store) }
    private var keyPath: String {
        (configuration.path(configuration.signingKey) as NSString).resolvingSymlinksInPath
    }
    private var backupKey: String { "\(directory)/\(BackupManifest.key)" }

    /// Finds out whether it can be done, and what would be replaced.
    ///
    /// - Returns: What is there already, a sentence each.
    /// - Throws: ``CommandFailure`` if it cannot be done whatever is asked for.
    func check() throws -> [String] {
        guard !AdministrationSocket(configuration).isServed else {
            throw CommandFailure("the server runs: stop it first")
        }
        guard manifest.serverName == configuration.serverName else {
            throw CommandFailure(
                "the backup is of \(manifest.serverName), the configuration of \(configuration.serverName)")
        }
        guard manifest.schemaVersion <= Schema.migrations.count else {
            throw CommandFailure(
                "the backup is of a newer version (schema \(manifest.schemaVersion); this program knows up to "
                    + "\(Schema.migrations.count)): install that version")
        }
        var found: [String] = []
        let location = try ServerFiles.database(of: configuration)
        switch location {
        case .sqlite(let path) where BackupFiles.isFile(path): found.append("there is a database at \(path)")
        case .sqlite: break
        case .postgres:
            let version: Int
            do { version = try DatabaseCopy.schemaVersion(of: location) } catch {
                throw CommandFailure("the database cannot be reached: \(error)")
            }
            if version > 0 { found.append("there are tables in the database") }
        }
        if !BackupFiles.list(mediaPath).isEmpty { found.append("there are files in \(mediaPath)") }
        let key = FileManager.default.contents(atPath: keyPath)
        if manifest.hasKey {
            if let key, key != FileManager.default.contents(atPath: backupKey) {
                found.append("there is another signing key at \(keyPath)")
            }
        } else if key == nil {
            throw CommandFailure("the backup was made without the signing key, and there is none at \(keyPath)")
        }
        return found
    }

    /// Does it. The signing key comes last: a server does not start on half a restoration.
    func restore() async throws -> RenewalReport {
        try BackupFiles.makeDirectory(configuration.dataDirectory)
        let suffix = ".before-restore-\(SystemClock().now / 1_000)"
        if manifest.hasKey, FileManager.default.fileExists(atPath: keyPath) { try setAside(keyPath, suffix) }
        try restoreMedia(suffix)
        let keys = try signingKeys()
        let report: RenewalReport
        let location = try ServerFiles.database(of: configuration)
        switch location {
        case .sqlite(let path):
            let new = path + ".restoring"
            Database.removeSnapshot(at: new)
            _ = try BackupFiles.copy("\(directory)/\(BackupManifest.database)", to: new)
            report = try await renew(.sqlite(path: new), keys)
            do { try Database.settle(new) } catch { throw CommandFailure("\(new) cannot be finished: \(error)") }
            for part in [path, path + "-wal", path + "-shm"] where FileManager.default.fileExists(atPath: part) {
                try setAside(part, suffix)
            }
            try BackupFiles.move(new, to: path)
            BackupFiles.giveAway([path], toOwnerOf: configuration.dataDirectory)
        case .postgres:
            var progress = Progress("Filling tables", of: manifest.tables.count)
            do {
                try await DatabaseCopy.load(
                    "\(directory)/\(BackupManifest.database)", into: location, migrations: Schema.migrations
                ) { _ in progress.advance(by: 1) }
            } catch { throw CommandFailure("the database cannot be filled: \(error)") }
            progress.end()
            report = try await renew(location, keys)
        }
        if manifest.hasKey {
            _ = try BackupFiles.copy(backupKey, to: keyPath)
            BackupFiles.giveAway([keyPath], toOwnerOf: configuration.dataDirectory)
        }
        return report
    }

    private func signingKeys() throws -> SigningKeyFile {
        let path = manifest.hasKey ? backupKey : keyPath
        guard let data = FileManager.default.contents(atPath: path),
            let keys = SigningKeyFile(parsing: String(decoding: data, as: UTF8.self))
        else { throw CommandFailure("\(path) holds no signing key") }
        return keys
    }

    private func restoreMedia(_ suffix: String) throws {
        let new = mediaPath + ".restoring"
        try? FileManager.default.removeItem(atPath: new)
        try BackupFiles.makeDirectory(new)
        let source = "\(directory)/\(BackupManifest.media)"
        let files = BackupFiles.list(source)
        var progress = Progress("Copying files", of: files.count)
        for file in files {
            try BackupFiles.makeDirectory(("\(new)/\(file)" as NSString).deletingLastPathComponent)
            _ = try BackupFiles.copy("\(source)/\(file)", to: "\(new)/\(file)")
            progress.advance(by: 1)
        }
        progress.end()
        if FileManager.default.fileExists(atPath: mediaPath) {
            // An empty one is nobody's.
            if BackupFiles.list(mediaPath).isEmpty {
                try? FileManager.default.removeItem(atPath: mediaPath)
            } else {
                try setAside(mediaPath, suffix)
            }
        }
        try BackupFiles.move(new, to: mediaPath)
        BackupFiles.giveAway([mediaPath], toOwnerOf: configuration.dataDirectory)
    }

    private func setAside(_ path: String, _ suffix: String) throws { try BackupFiles.move(path, to: path + suffix) }

    /// Brings the schema up to date, sees to it that nothing is said twice, and notes what was done.
    private func renew(_ location: DatabaseLocation, _ keys: SigningKeyFile) async throws -> RenewalReport {
        do {
            let database = try Database.open(location)
            do {
                let store = try await Store.open(database, cacheBytes: 8 << 20)
                let clock = SystemClock()
                let audit = AuditTrail(store: store, clock: clock, keys: SigningKeyring(keys))
                let manifest = manifest
                let report = try await store.write { writer in
                    let report = try writer.renew(leap: Self.leap, now: clock.now)
                    try audit.note(
                        .backupRestore, by: AuditActor(name: AuditActor.socket, address: ""), on: nil,
                        detail: [
                            "created_ts": .integer(manifest.createdTS), "sums_sha256": .string(manifest.sumsHash),
                        ],
                        in: writer)
                    return report
                }
                await database.close()
                return report
            } catch {
                await database.close()
                throw error
            }
        } catch { throw CommandFailure("the restored database cannot be prepared: \(error)") }
    }
}
