import Glibc

/// What a queue numbers.
class QueuedJob: @unchecked Sendable {
    /// The position among everything ever queued, from 1. Set under the queue's lock, before any worker sees the job.
    fileprivate(set) var sequence: UInt64 = 0
}

/// A bounded queue between any thread and some workers that block on it.
///
/// A plain mutex and condition variable: handing over costs a fraction of what an actor on its own executor costs.
final class JobQueue<Job: QueuedJob>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private let capacity: Int
    private var jobs: [Job?] = Array(repeating: nil, count: 64)
    private var head = 0
    private var count = 0
    private var sequence: UInt64 = 0
    private var isClosed = false

    init(capacity: Int) {
        self.capacity = capacity
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Adds a job; answers why not when closed or full.
    func enqueue(_ job: Job) -> DatabaseError? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !isClosed else { return .unavailable(reason: "the database is closed") }
        guard count < capacity else { return .unavailable(reason: "too many operations wait for the database") }
        if count == jobs.count { grow() }
        sequence += 1
        job.sequence = sequence
        jobs[(head + count) & (jobs.count - 1)] = job
        count += 1
        pthread_cond_signal(condition)
        return nil
    }

    /// How many jobs wait for a worker.
    var waiting: Int {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return count
    }

    /// Refuses new jobs; workers end once the queue is empty.
    func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// The next job and the number of the last one queued so far.
    ///
    /// - Parameter wait: whether to block until there is one.
    /// - Returns: nil when the queue is empty (and, if waiting, closed).
    func take(wait: Bool) -> (job: Job, lastSequence: UInt64)? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while count == 0 {
            guard wait, !isClosed else { return nil }
            pthread_cond_wait(condition, mutex)
        }
        return (removeFirst(), sequence)
    }

    /// Takes what waits, in order, up to a number and before the first job that does not go with the first.
    ///
    /// - Returns: an empty array when the queue is empty (and, if waiting, closed).
    func takeBatch(upTo limit: Int, wait: Bool, together: (Job, Job) -> Bool) -> [Job] {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while count == 0 {
            guard wait, !isClosed else { return [] }
            pthread_cond_wait(condition, mutex)
        }
        var batch: [Job] = []
        batch.reserveCapacity(min(limit, count))
        while count > 0, batch.count < limit {
            if let first = batch.first, let next = jobs[head], !together(first, next) { break }
            batch.append(removeFirst())
        }
        return batch
    }

    private func removeFirst() -> Job {
        guard let job = jobs[head] else {
            preconditionFailure("the ring holds a job at its head while count is positive")
        }
        jobs[head] = nil
        head = (head + 1) & (jobs.count - 1)
        count -= 1
        return job
    }

    private func grow() {
        var larger: [Job?] = []
        larger.reserveCapacity(jobs.count * 2)
        for offset in 0..<count { larger.append(jobs[(head + offset) & (jobs.count - 1)]) }
        larger.append(contentsOf: repeatElement(nil, count: jobs.count * 2 - count))
        jobs = larger
        head = 0
    }
}
