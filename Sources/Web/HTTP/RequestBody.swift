import Matrix
import Synchronization

/// A request's body.
public enum RequestBody: Sendable {
    /// The whole body, within the route's limit.
    case bytes([UInt8])
    /// A body that is read while it arrives.
    case stream(RequestBodyStream)

    /// The whole body, whether it is there already or still arrives.
    ///
    /// - Throws: ``MatrixError`` 413 beyond the route's limit; `CancellationError` when the client goes away.
    public func collect() async throws -> [UInt8] {
        switch self {
        case .bytes(let bytes): return bytes
        case .stream(let stream):
            var collected: [UInt8] = []
            while let chunk = try await stream.next() { collected += chunk }
            return collected
        }
    }
}

/// A body that arrives piece by piece. The client is held back while nobody reads.
///
/// There is one reader. The server keeps at most about a quarter of a mebibyte that has not been read.
public final class RequestBodyStream: Sendable {
    private struct State {
        var chunks: [[UInt8]] = []
        var buffered = 0
        var end: Result<Void, any Error>?
        var waiter: UnsafeContinuation<[UInt8]?, any Error>?
    }

    /// Above this many unread bytes the connection is not read from.
    static let highWaterBytes = 128 << 10

    private let state = Mutex(State())
    private let demand: @Sendable () -> Void

    /// - Parameter demand: Called, from any thread, when the reader is waiting.
    init(demand: @escaping @Sendable () -> Void) { self.demand = demand }

    /// The next piece, never empty, or `nil` at the body's end.
    ///
    /// - Throws: ``MatrixError`` 413 beyond the route's limit; `CancellationError` when the client goes away.
    public func next() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let answer: Result<[UInt8]?, any Error>? = state.withLock { state in
                    if !state.chunks.isEmpty {
                        let chunk = state.chunks.removeFirst()
                        state.buffered -= chunk.count
                        return .success(chunk)
                    }
                    if let end = state.end { return end.map { nil } }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.waiter != nil { return .failure(CancellationError()) }
                    state.waiter = continuation
                    return nil
                }
                if let answer { continuation.resume(with: answer) } else { demand() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(throwing: CancellationError())
        }
    }

    /// Whether the connection should be read from.
    var wantsMore: Bool { state.withLock { $0.end == nil && $0.buffered < Self.highWaterBytes } }
    /// Whether a reader waits.
    var isAwaited: Bool { state.withLock { $0.waiter != nil } }

    func push(_ chunk: [UInt8]) {
        guard !chunk.isEmpty else { return }
        let waiter = state.withLock { state -> UnsafeContinuation<[UInt8]?, any Error>? in
            guard state.end == nil else { return nil }
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            state.chunks.append(chunk)
            state.buffered += chunk.count
            return nil
        }
        waiter?.resume(returning: chunk)
    }

    func finish(_ end: Result<Void, any Error>) {
        let waiter = state.withLock { state -> UnsafeContinuation<[UInt8]?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = end
            // What arrived before a failure is of no use to anyone.
            if case .failure = end { state.chunks = [] }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(with: end.map { nil })
    }
}
