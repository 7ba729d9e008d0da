/// A read that waits for a reader thread. Its continuation is resumed exactly once, by ``run(_:)`` or ``fail(_:)``.
class ReadJob: QueuedJob, @unchecked Sendable {
    func run(_ transaction: ReadTransaction) {}
    func fail(_ error: any Error) {}
}

final class TypedReadJob<T: Sendable>: ReadJob, @unchecked Sendable {
    private let body: @Sendable (ReadTransaction) throws -> T
    private let continuation: UnsafeContinuation<T, any Error>

    init(
        body: @escaping @Sendable (ReadTransaction) throws -> T, continuation: UnsafeContinuation<T, any Error>
    ) {
        self.body = body
        self.continuation = continuation
    }

    override func run(_ transaction: ReadTransaction) {
        let result = Result { try body(transaction) }
        transaction.finish()
        continuation.resume(with: result)
    }

    override func fail(_ error: any Error) { continuation.resume(throwing: error) }
}

/// A write that waits for the writer thread. Its continuation is resumed exactly once, by ``succeed()`` or ``fail(_:)``.
class WriteJob: QueuedJob, @unchecked Sendable {
    /// Whether the job wants the connection to itself, outside any transaction.
    var isExclusive: Bool { false }

    /// Runs the body and keeps its result until the commit; a second run replaces it.
    func run(_ transaction: WriteTransaction) throws {}
    func runExclusively(_ connection: any EngineConnection) throws {}
    func succeed() {}
    func fail(_ error: any Error) {}
}

final class TypedWriteJob<T: Sendable>: WriteJob, @unchecked Sendable {
    private let body: @Sendable (WriteTransaction) throws -> T
    private let continuation: UnsafeContinuation<T, any Error>
    private var value: T?

    init(
        body: @escaping @Sendable (WriteTransaction) throws -> T, continuation: UnsafeContinuation<T, any Error>
    ) {
        self.body = body
        self.continuation = continuation
    }

    override func run(_ transaction: WriteTransaction) throws {
        defer { transaction.finish() }
        value = try body(transaction)
    }

    override func succeed() {
        guard let value else {
            return fail(DatabaseError.unavailable(reason: "the write never ran"))
        }
        continuation.resume(returning: value)
    }

    override func fail(_ error: any Error) { continuation.resume(throwing: error) }
}

final class ExclusiveJob<T: Sendable>: WriteJob, @unchecked Sendable {
    private let body: @Sendable (any EngineConnection) throws -> T
    private let continuation: UnsafeContinuation<T, any Error>
    private var value: T?

    init(
        body: @escaping @Sendable (any EngineConnection) throws -> T, continuation: UnsafeContinuation<T, any Error>
    ) {
        self.body = body
        self.continuation = continuation
    }

    override var isExclusive: Bool { true }

    override func runExclusively(_ connection: any EngineConnection) throws { value = try body(connection) }

    override func succeed() {
        guard let value else {
            return fail(DatabaseError.unavailable(reason: "the job never ran"))
        }
        continuation.resume(returning: value)
    }

    override func fail(_ error: any Error) { continuation.resume(throwing: error) }
}
