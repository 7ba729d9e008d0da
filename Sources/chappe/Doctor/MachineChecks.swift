import Database
import Foundation
import Homeserver
import Matrix
import Schema

/// What can be found out on the machine itself.
struct MachineChecks {
    let configuration: Configuration
    /// Whether large databases are gone through too.
    let isThorough: Bool

    private static let quickBytes: Int64 = 2 << 30
    private static let leastFreeBytes: UInt64 = 1 << 30

    func findings() -> [Finding] { [files, dataDirectory, signingKey, diskSpace, database, running] }

    private var files: Finding {
        var problems = ServerFiles.problems(of: configuration).map { "\($0)" }
        do { _ = try AppServiceRegistrations.load(configuration) } catch { problems.append(error.description) }
        guard problems.isEmpty else {
            return .failed(
                "configuration", problems.joined(separator: "; "), "Make them readable for the server's user.")
        }
        return .fine("configuration", "valid, for \(configuration.serverName)")
    }

    private var dataDirectory: Finding {
        let path = configuration.dataDirectory
        var status = stat()
        guard stat(path, &status) == 0 else {
            return .failed("data directory", "\(path) is not there", "Make it, or correct data_dir.")
        }
        guard access(path, W_OK) == 0 else {
            return .failed(
                "data directory", "\(path) cannot be written to", "Run this as the server's user, or chown it.")
        }
        guard status.st_mode & 0o007 == 0 else {
            return .failed("data directory", "everybody on this machine may look into \(path)", "chmod 700 \(path)")
        }
        return .fine("data directory", "\(path) belongs to the server alone")
    }

    private var signingKey: Finding {
        let path = configuration.path(configuration.signingKey)
        do {
            let keys = try ServerFiles.signingKeys(of: configuration)
            var status = stat()
            if stat(path, &status) == 0, status.st_mode & 0o077 != 0 {
                return .failed("signing key", "others may read \(path)", "chmod 600 \(path)")
            }
            return .fine("signing key", keys.active.keyID.string)
        } catch {
            return .failed(
                "signing key", (error as? CommandFailure)?.message ?? "\(error)",
                "Take it from a backup: without it other servers do not know this one any more.")
        }
    }

    private var diskSpace: Finding {
        var texts: [String] = []
        for path in Set([configuration.dataDirectory, configuration.path(configuration.media.store)]).sorted() {
            var status = statvfs()
            guard statvfs(path, &status) == 0, status.f_blocks > 0 else { continue }
            let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
            let percent = 100 * UInt64(status.f_bavail) / UInt64(status.f_blocks)
            let text = "\(free >> 20) MiB (\(percent) %) are free below \(path)"
            if free < Self.leastFreeBytes {
                return .failed("disk", text, "Make room: a server without any refuses every message.")
            }
            if percent < 10 { return .warning("disk", text, "Make room soon.") }
            texts.append(text)
        }
        return texts.first.map { .fine("disk", $0) } ?? .skipped("disk", "there is no data directory")
    }

    private var database: Finding {
        do {
            let location = try ServerFiles.database(of: configuration)
            var isThorough = isThorough
            if case .sqlite(let path) = location {
                guard let size = BackupFiles.size(of: path) else {
                    return .warning("database", "there is none at \(path) yet", "The server makes it when it starts.")
                }
                isThorough = isThorough || size <= Self.quickBytes
            }
            let check = try DatabaseCheck(location, isThorough: isThorough)
            if let flaw = check.flaws.first {
                return .failed("database", "\(check.engine): \(flaw)", "Restore a backup, or correct what is said.")
            }
            let version = Schema.migrations.count
            if check.schemaVersion > version {
                return .failed(
                    "database", "its schema \(check.schemaVersion) is newer than this program's (\(version))",
                    "Install the newer version again.")
            }
            if check.schemaVersion < version {
                return .warning(
                    "database", "its schema is \(check.schemaVersion), this program's \(version)",
                    "The server migrates it when it starts: make a backup before.")
            }
            return .fine("database", "\(check.engine), schema \(version)" + (isThorough ? ", nothing damaged" : ""))
        } catch {
            return .failed("database", "\(error)", "Correct `database` in the configuration, or start the database.")
        }
    }

    private var running: Finding {
        guard AdministrationSocket(configuration).isServed else {
            return .warning("server", "it does not run", "systemctl start chappe")
        }
        return .fine("server", "it runs, and answers at \(configuration.socketPath)")
    }
}
