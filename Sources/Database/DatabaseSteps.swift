/// Does the work of a database that was opened without threads, a step at a time. Used by one thread.
package final class DatabaseSteps {
    private let writer: WriterLoop
    private let reader: ReaderLoop
    private let writes: JobQueue<WriteJob>
    private var isClosed = false

    init(writes: JobQueue<WriteJob>, writer: WriterLoop, reader: ReaderLoop) {
        self.writes = writes
        self.writer = writer
        self.reader = reader
    }

    /// Whether any writes wait.
    package var hasWrites: Bool { !isClosed && writes.waiting > 0 }

    /// Commits the writes that wait as one group.
    ///
    /// - Returns: Whether there were any.
    package func write() -> Bool { !isClosed && writer.step() }

    /// Runs the first read that waits.
    ///
    /// - Returns: Whether there was one.
    package func read() -> Bool { !isClosed && reader.step() }

    /// Closes the connections. What waits then, and whatever comes after, is never answered: as when a process is killed.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        reader.close()
        writer.close()
    }
}
