/// What the writer thread does: take everything that waits, commit it as one group, again.
final class WriterLoop: @unchecked Sendable {
    private let queue: JobQueue<WriteJob>
    private let writer: any GroupWriter
    private let maxBatchJobs: Int

    init(queue: JobQueue<WriteJob>, writer: any GroupWriter, maxBatchJobs: Int) {
        self.queue = queue
        self.writer = writer
        self.maxBatchJobs = maxBatchJobs
    }

    func run() {
        while true {
            var batch = takeBatch(wait: false)
            if batch.isEmpty {
                writer.idle()
                batch = takeBatch(wait: true)
            }
            guard let first = batch.first else { break }
            if first.isExclusive {
                writer.runExclusively(first)
            } else {
                writer.commit(batch)
            }
        }
        writer.close()
    }

    private func takeBatch(wait: Bool) -> [WriteJob] {
        queue.takeBatch(upTo: maxBatchJobs, wait: wait) { first, next in !first.isExclusive && !next.isExclusive }
    }
}

/// What a reader thread does: run reads one by one, sharing a snapshot among those that waited when it was taken.
final class ReaderLoop: @unchecked Sendable {
    private let queue: JobQueue<ReadJob>
    private let connection: any EngineConnection
    /// The last job that had been queued when the open snapshot was taken: up to there, jobs may share it and still see
    /// every write that was acknowledged before they were queued.
    private var snapshotSequence: UInt64 = 0

    init(queue: JobQueue<ReadJob>, connection: any EngineConnection) {
        self.queue = queue
        self.connection = connection
    }

    func run() {
        while let (job, lastSequence) = take() {
            if job.sequence > snapshotSequence {
                endSnapshot()
                do {
                    try connection.beginRead()
                    snapshotSequence = lastSequence
                } catch {
                    job.fail(error)
                    continue
                }
            }
            connection.beginJob()
            job.run(ReadTransaction(connection: connection))
            if connection.failure != nil { endSnapshot() }
        }
        connection.close()
    }

    private func take() -> (job: ReadJob, lastSequence: UInt64)? {
        if let next = queue.take(wait: false) { return next }
        // An idle reader must not hold back the write-ahead log or PostgreSQL's vacuum.
        endSnapshot()
        return queue.take(wait: true)
    }

    private func endSnapshot() {
        guard snapshotSequence > 0 else { return }
        connection.endRead()
        snapshotSequence = 0
    }
}
