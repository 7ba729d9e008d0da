/// Group commit on PostgreSQL.
///
/// A group is first sent as if nothing could fail: no savepoints, no waiting between jobs, the commit along with the last
/// statements. When something fails it is rolled back and run again job by job, each in a savepoint.
final class PostgresWriter: GroupWriter {
    private let connection: PostgresConnection

    init(_ connection: PostgresConnection) {
        self.connection = connection
    }

    func commit(_ jobs: [WriteJob]) {
        if !runTogether(jobs) { runCarefully(jobs) }
    }

    /// Answers false when a job failed after it had sent statements: the group is rolled back and no job has been answered.
    private func runTogether(_ jobs: [WriteJob]) -> Bool {
        var outcome = GroupOutcome(expecting: jobs.count)
        guard begin(jobs) else { return true }
        for job in jobs {
            connection.beginJob()
            do {
                outcome.succeeded(job, try run(job))
            } catch {
                outcome.failed(job, error)
                guard connection.failure != nil || connection.hasWritten else { continue }
                if jobs.count == 1 {
                    connection.rollback()
                    outcome.settle()
                    return true
                }
                return abandon(jobs, error)
            }
        }
        return finish(&outcome, jobs, mayRunAgain: jobs.count > 1)
    }

    /// Rolls back before any job was answered; answers whether all is settled because the connection is lost.
    private func abandon(_ jobs: [WriteJob], _ error: any Error) -> Bool {
        let isLost = connection.isLost
        connection.rollback()
        if isLost { for job in jobs { job.fail(error) } }
        return isLost
    }

    private func runCarefully(_ jobs: [WriteJob]) {
        var outcome = GroupOutcome(expecting: jobs.count)
        guard begin(jobs) else { return }
        for (index, job) in jobs.enumerated() {
            connection.beginJob()
            do {
                try connection.sendOwn("SAVEPOINT job")
                let actions = try run(job)
                try connection.settle()
                try connection.sendOwn("RELEASE SAVEPOINT job")
                outcome.succeeded(job, actions)
            } catch {
                outcome.failed(job, error)
                if !undoJob() {
                    connection.rollback()
                    // What came before is gone with the transaction.
                    outcome.fail(error)
                    for job in jobs[(index + 1)...] { job.fail(error) }
                    return
                }
            }
        }
        _ = finish(&outcome, jobs, mayRunAgain: false)
    }

    /// Undoes the last job's effects; false when the whole transaction is gone.
    private func undoJob() -> Bool {
        guard !connection.isLost else { return false }
        // The failure may be the job's own, with statements still under way: their errors concern nobody any more.
        _ = try? connection.settle()
        do {
            connection.beginJob()
            try connection.sendOwn("ROLLBACK TO SAVEPOINT job")
            try connection.sendOwn("RELEASE SAVEPOINT job")
            try connection.settle()
            return true
        } catch {
            return false
        }
    }

    private func begin(_ jobs: [WriteJob]) -> Bool {
        do {
            try connection.beginWrite()
            return true
        } catch {
            connection.close()
            for job in jobs { job.fail(error) }
            return false
        }
    }

    private func run(_ job: WriteJob) throws -> [@Sendable () -> Void] {
        let transaction = WriteTransaction(connection: connection)
        try job.run(transaction)
        if let failure = connection.failure { throw failure }
        return transaction.actions
    }

    private func finish(_ outcome: inout GroupOutcome, _ jobs: [WriteJob], mayRunAgain: Bool) -> Bool {
        switch connection.commit() {
        case .committed:
            outcome.settle()
        case .unknown(let error):
            connection.close()
            outcome.fail(DatabaseError.outcomeUnknown(reason: "the connection was lost during a commit: \(error)"))
        case .failed(let error):
            let isLost = connection.isLost
            connection.rollback()
            if mayRunAgain, !isLost { return false }
            outcome.fail(error)
        }
        return true
    }

    func runExclusively(_ job: WriteJob) {
        do {
            try connection.connect()
            connection.beginJob()
            try job.runExclusively(connection)
            connection.close()  // settings, locks and stale statements go with the session
            job.succeed()
        } catch {
            connection.close()
            job.fail(error)
        }
    }

    func idle() {}

    func close() { connection.close() }
}
