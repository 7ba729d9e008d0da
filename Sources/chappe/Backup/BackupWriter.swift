import Adapters
import Crypto
import Database
import Foundation
import Homeserver
import Matrix
import Schema

/// Makes a backup, of a server that runs or of one that does not.
struct BackupWriter {
    let configuration: Configuration
    /// Where the finished backup will be.
    let target: String
    /// An earlier backup, whose files are used again.
    let previous: String?
    let includesKey: Bool

    /// Makes it. It gets its name when it is complete.
    func write() async throws -> BackupManifest {
        let directory = target + ".partial"
        try? FileManager.default.removeItem(atPath: directory)
        guard !FileManager.default.fileExists(atPath: target) else { throw CommandFailure("\(target) exists already") }
        try BackupFiles.makeDirectory(directory)
        do {
            let manifest = try await write(into: directory)
            try BackupFiles.move(directory, to: target)
            return manifest
        } catch {
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
    }

    private func write(into directory: String) async throws -> BackupManifest {
        let location = try ServerFiles.database(of: configuration)
        var manifest = BackupManifest(
            serverName: configuration.serverName, createdTS: SystemClock().now, engine: location.engine.rawValue)
        let session = try BackupSession(configuration)
        defer { session?.end() }
        var sums: [String] = []
        sums.append(try await copyDatabase(location, session, to: "\(directory)/\(BackupManifest.database)"))

        let archive: DatabaseArchive
        do { archive = try DatabaseArchive(path: "\(directory)/\(BackupManifest.database)") } catch {
            throw CommandFailure("the copy of the database cannot be read: \(error)")
        }
        defer { archive.close() }
        manifest.schemaVersion = try archive.schemaVersion()
        manifest.tables = try archive.rowCounts()
        let count = manifest.tables.first { $0.table == "blobs" }?.rows ?? 0
        var progress = Progress("Copying files", of: Int(count))
        try archive.forEachBlob { name, sha256, size in
            try copyMedia(name, sha256, size, to: directory, &manifest, &sums)
            progress.advance(by: 1)
            session?.renewNowAndThen()
        }
        progress.end()

        if includesKey {
            let key = configuration.path(configuration.signingKey)
            let hash = try BackupFiles.copy(
                (key as NSString).resolvingSymlinksInPath, to: "\(directory)/\(BackupManifest.key)")
            sums.append("\(hash)  \(BackupManifest.key)")
            manifest.hasKey = true
        }
        let list = sums.map { $0 + "\n" }.joined()
        try ServerFiles.writeSecret(list, to: "\(directory)/\(BackupManifest.sums)")
        manifest.sumsHash = BackupFiles.hexadecimal(SHA256.hash(data: Array(list.utf8)))
        try manifest.write(to: directory)
        return manifest
    }

    /// - Returns: Its line in the list of sums.
    private func copyDatabase(
        _ location: DatabaseLocation, _ session: BackupSession?, to path: String
    ) async throws -> String {
        do {
            if let snapshot = session?.snapshot {
                return "\(try BackupFiles.copy(snapshot, to: path))  \(BackupManifest.database)"
            }
            switch location {
            case .sqlite(let file):
                guard BackupFiles.isFile(file) else { throw CommandFailure("there is no database at \(file)") }
                var options = DatabaseOptions()
                options.readers = 1
                let database = try Database.open(location, options: options)
                do { try await database.snapshot(to: path) } catch {
                    await database.close()
                    throw error
                }
                await database.close()
            case .postgres:
                var progress = Progress("Copying tables", of: Schema.migrations.count * 3)
                try await DatabaseCopy.archive(location, to: path, migrations: Schema.migrations) { _ in
                    progress.advance(by: 1)
                    session?.renewNowAndThen()
                }
                progress.end()
            }
            return "\(try BackupFiles.hash(of: path))  \(BackupManifest.database)"
        } catch let error as CommandFailure { throw error } catch {
            throw CommandFailure("the database cannot be copied: \(error)")
        }
    }

    private func copyMedia(
        _ name: String, _ sha256: [UInt8], _ size: Int64, to directory: String, _ manifest: inout BackupManifest,
        _ sums: inout [String]
    ) throws {
        let place = BackupFiles.place(ofMedia: name)
        let source = "\(configuration.path(configuration.media.store))/\(place)"
        let copy = "\(directory)/\(BackupManifest.media)/\(place)"
        try BackupFiles.makeDirectory((copy as NSString).deletingLastPathComponent)
        var hash = BackupFiles.hexadecimal(sha256)
        let earlier = previous.map { "\($0)/\(BackupManifest.media)/\(place)" }
        if let earlier, BackupFiles.size(of: earlier) == size, link(earlier, copy) == 0 {
            // Files of a name never change; whether this one is still what it was, `verify` says.
        } else if BackupFiles.isFile(source) {
            let found = try BackupFiles.copy(source, to: copy)
            if found != hash { manifest.damaged.append(name) }
            hash = found
        } else {
            manifest.missing.append(name)
            return
        }
        manifest.mediaFiles += 1
        manifest.mediaBytes += size
        sums.append("\(hash)  \(BackupManifest.media)/\(place)")
    }
}

/// What a running server does for a backup: it deletes no files meanwhile, and copies its database where it is SQLite.
final class BackupSession {
    private let socket: AdministrationSocket
    private let id: String
    private var renewed = ContinuousClock.now
    /// The file with the copy of the database.
    let snapshot: String?

    private static let path = "/_chappe/admin/v1/backups"

    /// Begins one; `nil` if no server runs.
    init?(_ configuration: Configuration) throws {
        socket = AdministrationSocket(configuration)
        guard socket.isServed else { return nil }
        let answer = try socket.request("POST", Self.path, body: [:], reason: nil)
        guard let id = answer["id"]?.string else { throw CommandFailure("the running server is of another version") }
        self.id = id
        snapshot = answer["snapshot"]?.string
    }

    /// Says every minute that files are still being copied.
    func renewNowAndThen() {
        guard ContinuousClock.now - renewed > .seconds(60) else { return }
        renewed = .now
        // A server that has stopped meanwhile deletes nothing either.
        _ = try? socket.request("PUT", "\(Self.path)/\(AdministrationServer.segment(id))", body: [:], reason: nil)
    }

    /// Ends it.
    func end() {
        _ = try? socket.request("DELETE", "\(Self.path)/\(AdministrationServer.segment(id))", reason: nil)
    }
}
