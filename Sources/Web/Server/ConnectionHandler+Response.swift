import Matrix
import NIOCore
import NIOHTTP1

extension ConnectionHandler {
    /// Bodies above this are written piece by piece, so that neither compressing nor buffering them holds up other connections.
    static let pieceBytes = 64 << 10

    /// Writes a handler's response. Called from the request's task.
    func deliver(_ response: HTTPResponse, for exchange: Exchange) async {
        switch response.body {
        case .empty: onLoop { self.send(response, for: exchange) }
        case .parked(let parked): onLoop { self.park(parked, exchange) }
        case .bytes(let bytes) where bytes.count <= Self.pieceBytes || exchange.method == .head:
            onLoop { self.send(response, for: exchange) }
        case .bytes(let bytes):
            await stream(response, length: bytes.count, for: exchange) { writer in
                var start = 0
                while start < bytes.count {
                    let end = min(start + Self.pieceBytes, bytes.count)
                    try await writer.write(Array(bytes[start..<end]))
                    start = end
                }
            }
        case .stream(let length, let produce):
            await stream(response, length: length, for: exchange, produce)
        case .file(let path, let range):
            guard let file = FileReader(path: path, range: range) else {
                let missing = HTTPResponse.error(.notFound("There is no such file"))
                return onLoop { self.send(missing, for: exchange) }
            }
            await stream(response, length: range.count, for: exchange) { try await file.send(to: $0) }
        }
    }

    /// Writes a whole response whose body is in memory.
    func send(_ response: HTTPResponse, for exchange: Exchange) {
        guard let context, current === exchange, !exchange.responseStarted else { return }
        var body: [UInt8] = []
        if case .bytes(let bytes) = response.body { body = bytes }
        var head = head(for: response, exchange: exchange)
        head.framing = Self.hasBody(response.status) ? .length(body.count) : .none
        if head.isGzipped {
            if let compressed = loop.gzip(body) {
                body = compressed
                head.framing = .length(body.count)
            } else {
                head.isGzipped = false
            }
        }
        let isBodyLeftOut = exchange.method == .head || !Self.hasBody(response.status)
        var buffer = context.channel.allocator.buffer(capacity: 512 + (isBodyLeftOut ? 0 : body.count))
        head.write(to: &buffer, loop: loop)
        if !isBodyLeftOut {
            buffer.writeBytes(body)
            exchange.sentBytes = body.count
        }
        begin(exchange, head)
        context.writeAndFlush(Self.wrapOutboundOut(buffer), promise: nil)
        endResponse(exchange)
    }

    // MARK: Streams

    private func stream(
        _ response: HTTPResponse, length: Int?, for exchange: Exchange,
        _ produce: @Sendable (any ResponseWriter) async throws -> Void
    ) async {
        let writer = StreamWriter(connection: self, exchange: exchange)
        do {
            let wantsBody = try await writer.begin(response, length: length)
            if wantsBody {
                try await produce(writer)
                try await writer.finish()
            }
            onLoop { self.endStream(exchange) }
        } catch {
            if !(error is ClientGone) && !(error is CancellationError) {
                server.accessLog.logger.warning(
                    "response broken off",
                    metadata: ["request": "\(exchange.id)", "error": "\(type(of: error))"])
            }
            // The status is out already: only closing tells the client that the body is not whole.
            onLoop { if self.current === exchange { self.abort() } }
        }
    }

    /// Writes a streamed response's head; answers whether its body is wanted, and compressed.
    func beginStream(_ response: HTTPResponse, length: Int?, for exchange: Exchange) throws -> (body: Bool, gzip: Bool)
    {
        guard let context, current === exchange, !exchange.responseStarted else { throw ClientGone() }
        var head = head(for: response, exchange: exchange)
        let hasBody = Self.hasBody(response.status)
        if !hasBody {
            head.framing = .none
        } else if let length, !head.isGzipped {
            head.framing = .length(length)
            exchange.remainingBytes = length
        } else if exchange.isHTTP10 {
            head.framing = .untilClose
            head.keepAlive = false
        } else {
            head.framing = .chunked
            exchange.isChunked = true
        }
        var buffer = context.channel.allocator.buffer(capacity: 512)
        head.write(to: &buffer, loop: loop)
        begin(exchange, head)
        // The first piece of the body follows at once and takes the head along.
        context.write(Self.wrapOutboundOut(buffer), promise: nil)
        let wantsBody = hasBody && exchange.method != .head
        if !wantsBody { exchange.remainingBytes = nil }
        if !wantsBody { exchange.isChunked = false }
        return (wantsBody, head.isGzipped)
    }

    /// Writes a piece, and resumes when the client is ready for more.
    func writePiece(_ bytes: [UInt8], for exchange: Exchange, _ continuation: UnsafeContinuation<Void, any Error>) {
        // A handler that writes from two tasks at once would get a body in no particular order.
        guard let context, current === exchange, blockedWriter == nil else {
            return continuation.resume(throwing: ClientGone())
        }
        guard !bytes.isEmpty else { return continuation.resume() }
        if let remaining = exchange.remainingBytes {
            guard bytes.count <= remaining else { return continuation.resume(throwing: WrongBodyLength()) }
            exchange.remainingBytes = remaining - bytes.count
        }
        exchange.sentBytes += bytes.count
        var buffer = context.channel.allocator.buffer(capacity: bytes.count + 16)
        if exchange.isChunked { buffer.writeString("\(String(bytes.count, radix: 16))\r\n") }
        buffer.writeBytes(bytes)
        if exchange.isChunked { buffer.writeString("\r\n") }
        context.writeAndFlush(Self.wrapOutboundOut(buffer), promise: nil)
        if context.channel.isWritable {
            continuation.resume()
        } else {
            blockedWriter = continuation
            enter(.writing, server.timeouts.write)
        }
    }

    private func endStream(_ exchange: Exchange) {
        guard let context, current === exchange else { return }
        guard exchange.remainingBytes ?? 0 == 0 else { return abort() }
        if exchange.isChunked {
            context.write(Self.wrapOutboundOut(ByteBuffer(string: "0\r\n\r\n")), promise: nil)
        }
        context.flush()
        endResponse(exchange)
    }

    // MARK: Both

    /// Answers bytes that never became a request, and closes.
    func answerWithoutRequest(_ error: MatrixError) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 512)
        let body = error.body
        ResponseHead(
            status: error.status, headers: HTTPResponse.jsonHeaders, framing: .length(body.count), keepAlive: false
        ).write(to: &buffer, loop: loop)
        buffer.writeBytes(body)
        context.writeAndFlush(Self.wrapOutboundOut(buffer), promise: nil)
        closeAfterFlush(unreadInput: true)
    }

    private func head(for response: HTTPResponse, exchange: Exchange) -> ResponseHead {
        // Part of a request that nobody reads would be taken for the next one.
        if !exchange.requestEnded || loop.isShuttingDown { exchange.keepAlive = false }
        let isCompressible = server.configuration.compression && isCompressible(response)
        return ResponseHead(
            status: response.status, headers: response.headers, framing: .none, keepAlive: exchange.keepAlive,
            isHTTP10: exchange.isHTTP10, isGzipped: isCompressible && exchange.acceptsGzip,
            variesByEncoding: isCompressible)
    }

    private func isCompressible(_ response: HTTPResponse) -> Bool {
        let minimum = server.configuration.compressionMinimumBytes
        switch response.body {
        case .empty, .file, .parked: return false
        case .bytes(let bytes) where bytes.count < minimum: return false
        case .stream(let length?, _) where length < minimum: return false
        default: break
        }
        guard let type = response.headers["Content-Type"], !response.headers.contains("Content-Encoding") else {
            return false
        }
        return type.hasPrefix("application/json") || type.hasPrefix("text/")
    }

    private func begin(_ exchange: Exchange, _ head: ResponseHead) {
        exchange.responseStarted = true
        exchange.status = head.status
        exchange.keepAlive = head.keepAlive
    }

    private func endResponse(_ exchange: Exchange) {
        exchange.responseEnded = true
        exchange.discardsBody = true
        exchange.task = nil
        let microseconds = (NIODeadline.now() - exchange.start).nanoseconds / 1000
        exchange.entry.metrics.record(status: exchange.status, microseconds: microseconds)
        server.metrics.end(exchange.entry)
        server.accessLog.record(
            exchange, status: exchange.status, microseconds: microseconds, peerAddress: origin.peerAddress)
        if !exchange.keepAlive {
            closeAfterFlush(unreadInput: !exchange.requestEnded)
        } else {
            finish(exchange)
        }
    }

    private static func hasBody(_ status: Int) -> Bool { status >= 200 && status != 204 && status != 304 }
}

/// A handler wrote more than the length it had announced.
struct WrongBodyLength: Error {}
