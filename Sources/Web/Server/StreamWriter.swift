import Synchronization

/// The writing end of a streamed response: compresses, and passes pieces on to the connection.
final class StreamWriter: ResponseWriter {
    private let connection: ConnectionHandler
    private let exchange: Exchange
    private let state = Mutex(Compression())

    private struct Compression: ~Copyable {
        var compressor: GzipCompressor?
    }

    init(connection: ConnectionHandler, exchange: Exchange) {
        self.connection = connection
        self.exchange = exchange
    }

    /// Sends the head; false if no body is to follow.
    func begin(_ response: HTTPResponse, length: Int?) async throws -> Bool {
        let (body, gzip) = try await withUnsafeThrowingContinuation {
            (continuation: UnsafeContinuation<(body: Bool, gzip: Bool), any Error>) in
            connection.onLoop { [connection, exchange] in
                continuation.resume(
                    with: Result { try connection.beginStream(response, length: length, for: exchange) })
            }
        }
        if body && gzip {
            let hasMemory = state.withLock { state in
                state.compressor = GzipCompressor()
                return state.compressor != nil
            }
            guard hasMemory else { throw CompressionFailed() }
        }
        return body
    }

    func write(_ bytes: [UInt8]) async throws {
        try await pass(try compress(bytes, flush: .none))
    }

    func finish() async throws {
        try await pass(try compress([], flush: .finish))
    }

    private func pass(_ bytes: [UInt8]) async throws {
        try await withUnsafeThrowingContinuation { continuation in
            connection.onLoop { [connection, exchange] in
                connection.writePiece(bytes, for: exchange, continuation)
            }
        }
    }

    private func compress(_ bytes: [UInt8], flush: GzipCompressor.Flush) throws -> [UInt8] {
        try state.withLock { state in
            guard let compressor = state.compressor else { return bytes }
            var out: [UInt8] = []
            guard compressor.compress(bytes, flush: flush, into: &out) else { throw CompressionFailed() }
            return out
        }
    }
}

/// zlib refused, for want of memory.
struct CompressionFailed: Error {}
