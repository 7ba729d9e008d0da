import Glibc
import Synchronization

/// The threads of a database, so that closing can wait for them.
final class ThreadGroup: Sendable {
    private struct State {
        var running = 0
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Starts a thread that is counted until its body returns.
    ///
    /// - Parameter name: at most 15 characters, shown by debuggers.
    /// - Throws: ``DatabaseError/unavailable(reason:)`` when the system has no thread left.
    func start(name: String, _ body: @escaping @Sendable () -> Void) throws {
        state.withLock { $0.running += 1 }
        let start = ThreadStart(name: name) { [self] in
            body()
            ended()
        }
        let argument = Unmanaged.passRetained(start)
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, runThread, argument.toOpaque())
        guard status == 0 else {
            argument.release()
            ended()
            throw DatabaseError.unavailable(reason: "no thread can be started (error \(status))")
        }
        pthread_detach(thread)
    }

    /// Waits until every thread has ended.
    func join() async {
        await withUnsafeContinuation { continuation in
            let isDone = state.withLock { state in
                if state.running > 0 { state.waiters.append(continuation) }
                return state.running == 0
            }
            if isDone { continuation.resume() }
        }
    }

    private func ended() {
        let waiters = state.withLock { state in
            state.running -= 1
            guard state.running == 0 else { return [UnsafeContinuation<Void, Never>]() }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    nameThread(start.name)
    // Signals belong to the threads that know what to do with them.
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_SETMASK, &signals, nil)
    start.body()
    return nil
}

/// Names the calling thread for debuggers; `pthread_setname_np` is not visible to Swift.
private func nameThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = write(file, name, min(name.utf8.count, 15))
    close(file)
}
