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
            guard !batch.isEmpty else { break }
            perform(batch)
        }
        writer.close()
    }

    /// Commits what waits as one group, for whoever has no thread for it.
    ///
    /// - Returns: Whether anything has waited.
    func step() -> Bool {
        let batch = takeBatch(wait: false)
        perform(batch)
        return !batch.isEmpty
    }

    func close() { writer.close() }

    private func perform(_ batch: [WriteJob]) {
        guard let first = batch.first else { return }
        if first.isExclusive {
            writer.runExclusively(first)
        } else {
            writer.commit(batch)
        }
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
        while let (job, lastSequence) = take() { perform(job, lastSequence) }
        connection.close()
    }

    /// Runs the first read that waits, for whoever has no thread for it.
    ///
    /// - Returns: Whether anything has waited.
    func step() -> Bool {
        guard let (job, lastSequence) = queue.take(wait: false) else {
            endSnapshot()
            return false
        }
        perform(job, lastSequence)
        return true
    }

    func close() {
        endSnapshot()
        connection.close()
    }

    private func perform(_ job: ReadJob, _ lastSequence: UInt64) {
        if job.sequence > snapshotSequence {
            endSnapshot()
            do {
                try connection.beginRead()
                snapshotSequence = lastSequence
            } catch {
                job.fail(error)
                return
            }
        }
        connection.beginJob()
        job.run(ReadTransaction(connection: connection))
        if connection.failure != nil { endSnapshot() }
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
