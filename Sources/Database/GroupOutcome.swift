/// How the jobs of a group fared, until the commit tells whether that stands.
///
/// A refusal waits for the commit like a success: it may rest on what an earlier job of the same group wrote.
struct GroupOutcome {
    private struct Entry {
        let job: WriteJob
        let result: Result<[@Sendable () -> Void], any Error>
    }

    private var entries: [Entry] = []

    /// Whether any job has something to commit.
    private(set) var hasSuccess = false

    /// Expects that many jobs.
    init(expecting count: Int) { entries.reserveCapacity(count) }

    mutating func succeeded(_ job: WriteJob, _ actions: [@Sendable () -> Void]) {
        hasSuccess = true
        entries.append(Entry(job: job, result: .success(actions)))
    }

    mutating func failed(_ job: WriteJob, _ error: any Error) {
        entries.append(Entry(job: job, result: .failure(error)))
    }

    /// The commit is on disk (or there was nothing to commit): run the actions in order, then answer every job.
    mutating func settle() {
        for entry in entries {
            if case .success(let actions) = entry.result { for action in actions { action() } }
        }
        for entry in entries {
            switch entry.result {
            case .success: entry.job.succeed()
            case .failure(let error): entry.job.fail(error)
            }
        }
        self = GroupOutcome(expecting: 0)
    }

    /// The transaction is gone: no job has succeeded.
    mutating func fail(_ error: any Error) {
        for entry in entries { entry.job.fail(error) }
        self = GroupOutcome(expecting: 0)
    }
}
