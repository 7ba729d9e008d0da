import Matrix
import Store

/// Gives out event numbers before the events are stored: takes them from the store in blocks. Those of a block that a restart
/// interrupts are never used.
actor NumberAllocator {
    private let store: Store
    private let blockSize: Int
    private var next_: Int64 = 0
    private var end: Int64 = 0
    private var refill: Task<Int64, any Error>?

    init(store: Store, blockSize: Int = 1_000) {
        self.store = store
        self.blockSize = blockSize
    }

    /// A number that nobody else has.
    func next() async throws -> EventNumber {
        while next_ >= end {
            let task: Task<Int64, any Error>
            if let refill {
                task = refill
            } else {
                let store = store
                let blockSize = blockSize
                task = Task { try await store.write { try $0.events.reserveNumbers(blockSize).rawValue } }
                refill = task
            }
            let outcome = await task.result
            // Of several who waited, the first takes the block in.
            if refill == task {
                refill = nil
                let first = try outcome.get()
                next_ = first
                end = first + Int64(blockSize)
            } else if case .failure(let error) = outcome {
                throw error
            }
        }
        defer { next_ += 1 }
        return EventNumber(next_)
    }
}
