import NIOCore

/// Runs tasks on an event loop, so that a request's handler shares the thread of its connection.
///
/// Without it every request costs two hops between threads, which is more than all the rest of the server does for it.
final class EventLoopTaskExecutor: TaskExecutor {
    let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// What the connections of one event loop share. Used on that loop only.
final class LoopContext: @unchecked Sendable {
    let loop: any EventLoop
    let executor: EventLoopTaskExecutor
    private var connections: [ObjectIdentifier: ConnectionHandler] = [:]
    private var date = HTTPDate()
    private var compressor: GzipCompressor?
    private var sweeping: RepeatedTask?
    /// Set once the server drains.
    private(set) var isShuttingDown = false

    init(_ loop: any EventLoop) {
        self.loop = loop
        executor = EventLoopTaskExecutor(loop)
    }

    func startSweeping(every interval: TimeAmount) {
        sweeping = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            guard let self else { return }
            let now = NIODeadline.now()
            for connection in self.connections.values { connection.checkDeadline(now) }
        }
    }

    func add(_ connection: ConnectionHandler) { connections[ObjectIdentifier(connection)] = connection }
    func remove(_ connection: ConnectionHandler) { connections[ObjectIdentifier(connection)] = nil }

    /// Lets every connection finish what it does.
    func drain() {
        isShuttingDown = true
        for connection in connections.values { connection.drain() }
    }

    /// Closes what is left.
    func closeAll() {
        sweeping?.cancel()
        for connection in connections.values { connection.abort() }
    }

    func withDate<Result>(_ body: ([UInt8]) -> Result) -> Result { body(date.now()) }

    /// The whole of `bytes`, compressed, or `nil` if zlib has no memory.
    func gzip(_ bytes: [UInt8]) -> [UInt8]? {
        // zlib's state takes a quarter of a mebibyte: one is kept per loop rather than made per response.
        guard let compressor = compressor ?? GzipCompressor() else { return nil }
        self.compressor = compressor
        compressor.reset()
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count / 3 + 64)
        return compressor.compress(bytes, flush: .finish, into: &out) ? out : nil
    }
}
