/// Group commit on SQLite: one transaction and one fsync for all jobs of a group.
final class SQLiteWriter: GroupWriter {
    private static let undone = DatabaseError.unavailable(reason: "the transaction was undone by an earlier failure")

    private let connection: SQLiteConnection
    private let options: DatabaseOptions
    /// Size of the write-ahead log after the last commit, in pages.
    private let logPages: UnsafeMutablePointer<Int>
    /// Size of the log when it was last copied back whole; what follows is new.
    private var copiedPages = 0

    init(_ connection: SQLiteConnection, options: DatabaseOptions) {
        self.connection = connection
        self.options = options
        logPages = .allocate(capacity: 1)
        logPages.initialize(to: 0)
        connection.onLogGrowth(logPages)
    }

    deinit {
        connection.close()  // before what its hook points to
        logPages.deallocate()
    }

    func commit(_ jobs: [WriteJob]) {
        var outcome = GroupOutcome(expecting: jobs.count)
        for (index, job) in jobs.enumerated() {
            if connection.isAutocommit {
                // The first job, or SQLite ended the transaction by itself: what it held is gone and must not succeed.
                outcome.fail(Self.undone)
                do {
                    try connection.run("BEGIN IMMEDIATE")
                } catch {
                    for job in jobs[index...] { job.fail(error) }
                    return
                }
            }
            do {
                outcome.succeeded(job, try run(job, alone: jobs.count == 1))
            } catch {
                outcome.failed(job, error)
            }
        }
        finish(&outcome)
        keepLogBounded()
    }

    /// Runs a job so that only its own effects are undone if it fails.
    private func run(_ job: WriteJob, alone: Bool) throws -> [@Sendable () -> Void] {
        var hasSavepoint = false
        connection.beginJob()
        if !alone {
            // Jobs that only read, or refuse before they write, need none.
            connection.beforeFirstWrite = { [connection] in
                try connection.run("SAVEPOINT job")
                hasSavepoint = true
            }
        }
        defer { connection.beforeFirstWrite = nil }
        let transaction = WriteTransaction(connection: connection)
        do {
            try job.run(transaction)
            if let failure = connection.failure { throw failure }
            if hasSavepoint { try connection.run("RELEASE job") }
            return transaction.actions
        } catch {
            undo(hasSavepoint: hasSavepoint, alone: alone)
            throw error
        }
    }

    private func undo(hasSavepoint: Bool, alone: Bool) {
        if alone { return connection.rollback() }
        guard hasSavepoint, !connection.isAutocommit else { return }
        do {
            try connection.run("ROLLBACK TO job")
            try connection.run("RELEASE job")
        } catch {
            connection.rollback()  // the next job, or the commit, finds no transaction and fails what was done
        }
    }

    private func finish(_ outcome: inout GroupOutcome) {
        guard outcome.hasSuccess else {
            connection.rollback()
            return outcome.settle()
        }
        guard !connection.isAutocommit else { return outcome.fail(Self.undone) }
        do {
            try connection.run("COMMIT")
        } catch {
            connection.rollback()
            let isUnknown = SQLiteErrors.leavesCommitUnknown(error)
            return outcome.fail(
                isUnknown ? DatabaseError.outcomeUnknown(reason: "the disk failed to synchronize") : error)
        }
        outcome.settle()
    }

    func runExclusively(_ job: WriteJob) {
        do {
            connection.beginJob()
            try job.runExclusively(connection)
            connection.rollback()  // in case the body left a transaction open
            job.succeed()
        } catch {
            connection.rollback()
            job.fail(error)
        }
    }

    func close() {
        // SQLite does this itself when the last connection closes, but not when several close at once. What a reader
        // still holds is found in the log at the next start.
        _ = connection.checkpoint(.truncate)
        connection.close()
    }

    // MARK: Write-ahead log

    func idle() {
        if newLogPages >= options.checkpointPages { checkpoint(.passive) }
    }

    /// Copying back costs disk time, so it waits for a pause, but never so long that the log fills the disk.
    private func keepLogBounded() {
        if logPages.pointee >= options.maxLogPages {
            checkpoint(.restart)
        } else if newLogPages >= options.checkpointUnderLoadPages {
            checkpoint(.passive)
        }
    }

    /// Pages written since the log was last copied back. A log that started again is shorter than before.
    private var newLogPages: Int {
        let pages = logPages.pointee
        return pages >= copiedPages ? pages - copiedPages : pages
    }

    private func checkpoint(_ kind: SQLiteConnection.Checkpoint) {
        guard let pages = connection.checkpoint(kind) else { return }
        // What a reader still needed is left for the next time, after as many pages again.
        copiedPages = pages
        if kind == .restart { logPages.pointee = 0 }
    }
}
