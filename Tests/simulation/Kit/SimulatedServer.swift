import Database
import Foundation
import Homeserver
import Matrix
import Store

/// A homeserver of the simulation: what survives the ends of its processes.
final class SimulatedServer: @unchecked Sendable {
    let name: ServerName
    let key: SigningKey
    let users: [UserID]
    let clockErrorMilliseconds: Int64
    private let directory: String
    private var starts = 0

    private(set) var process: SimulatedProcess?
    private var life: SimulatedProcess.Life?
    private var steps: DatabaseSteps?

    /// That the process ends at a commit.
    struct Trap: Sendable {
        /// How many commits there are before that one.
        var commitsLeft: Int
        /// Whether what that one commits is there afterwards; nobody hears of it either way.
        let isAfterCommit: Bool
    }

    var trap: Trap?

    init(name: ServerName, key: SigningKey, users: [UserID], clockErrorMilliseconds: Int64, directory: String) {
        self.name = name
        self.key = key
        self.users = users
        self.clockErrorMilliseconds = clockErrorMilliseconds
        self.directory = directory
    }

    private func path(_ start: Int) -> String { "\(directory)/\(name.host)-\(start).db" }

    // MARK: Starting and ending

    /// Starts a process on what the one before has left on disk.
    func start(_ world: SimulatedWorld) throws {
        var options = DatabaseOptions()
        options.readers = 1
        options.cacheKibibytes = 1024
        options.mmapBytes = 0
        let (database, steps) = try Database.openWithoutThreads(.sqlite(path: path(starts)), options: options)
        let life = SimulatedProcess.Life(name)
        self.steps = steps
        self.life = life
        let isFirst = starts == 0
        let users = users
        let started = try world.wait { [self] in
            let process = try await SimulatedProcess(self, life, database: database, world: world)
            if isFirst {
                try await process.store.write { writer in
                    for user in users {
                        _ = try writer.accounts.insert(
                            user, passwordHash: nil, flags: [], appService: nil, createdAt: SimulatedTime.start)
                    }
                }
            }
            return process
        }
        process = started
        world.network.processes[name] = started
    }

    /// Ends the process as a power failure would: what it had only in memory is gone.
    func crash(_ world: SimulatedWorld) throws {
        guard let life else { return }
        life.isAlive = false
        world.network.processes[name] = nil
        process = nil
        self.life = nil
        trap = nil
        // The files as they are at this moment: closing a connection would tidy up.
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: path(starts) + suffix) {
            try FileManager.default.copyItem(atPath: path(starts) + suffix, toPath: path(starts + 1) + suffix)
        }
        steps?.close()
        steps = nil
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path(starts) + suffix) }
        starts += 1
    }

    // MARK: Its database

    /// Commits what waits to be written.
    ///
    /// - Returns: Whether anything has.
    func write(_ world: SimulatedWorld) throws -> Bool {
        guard let steps else { return false }
        guard var trap else { return steps.write() }
        if trap.commitsLeft > 0 {
            let hasWritten = steps.write()
            if hasWritten { trap.commitsLeft -= 1 }
            self.trap = trap
            return hasWritten
        }
        guard steps.hasWrites else { return false }
        if trap.isAfterCommit { _ = steps.write() }
        world.trace.note("\(name) crashes \(trap.isAfterCommit ? "after" : "before") a commit")
        try crash(world)
        world.restartLater(self)
        return true
    }

    /// Reads what is first in line to be read.
    ///
    /// - Returns: Whether there was anything.
    func read() -> Bool { steps?.read() ?? false }
}
