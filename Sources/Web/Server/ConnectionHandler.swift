import Matrix
import NIOCore
import NIOHTTP1
import NIOSSL

/// A connection: takes requests one after the other, starts a task for each, and writes the responses.
///
/// Everything here happens on the connection's event loop. Handlers run in tasks that prefer the same loop; they reach the
/// connection through ``onLoop(_:)``. The socket is only read from when there is use for what comes, so a client that sends
/// faster than it is served is held back by TCP.
final class ConnectionHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Between requests.
        case idle
        case readingHead
        case readingBody
        case handling
        /// A response is ready, and the client does not take it.
        case writing
        /// All is said; what still comes is thrown away until the client closes.
        case lingering
    }

    let server: ServerContext
    let loop: LoopContext
    let router: Router
    let isTLS: Bool
    let number: UInt64
    let origin: RequestOrigin
    var context: ChannelHandlerContext?
    var current: Exchange?
    /// The writer of a streamed response, waiting for the client to take some.
    var blockedWriter: UnsafeContinuation<Void, any Error>?
    /// Empty for most clients.
    private var waiting = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 1)
    private var phase = Phase.readingHead
    private var deadline = NIODeadline.distantFuture
    private var requestCount: UInt64 = 0
    /// What to answer to bytes that are no HTTP, once it is their turn.
    private var failure: MatrixError?

    init(
        server: ServerContext, loop: LoopContext, router: Router, isTLS: Bool, number: UInt64, peerAddress: String
    ) {
        self.server = server
        self.loop = loop
        self.router = router
        self.isTLS = isTLS
        self.number = number
        origin = RequestOrigin(peerAddress: peerAddress, trustedProxies: server.configuration.trustedProxies)
    }

    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if loop.loop.inEventLoop { body() } else { loop.loop.execute(body) }
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
        enter(.readingHead, server.timeouts.head)
        if context.channel.isActive { context.read() }
    }

    func channelActive(context: ChannelHandlerContext) {
        // Accepted just before the listener was closed.
        if loop.isShuttingDown { return context.close(promise: nil) }
        context.read()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    private func leave() {
        guard context != nil else { return }
        context = nil
        loop.remove(self)
        server.metrics.closeConnection()
        waiting.removeAll()
        guard let exchange = current else { return }
        current = nil
        if !exchange.responseEnded {
            server.metrics.end(exchange.entry)
            server.metrics.countAbandoned()
        }
        exchange.bodyStream?.finish(.failure(CancellationError()))
        exchange.task?.cancel()
        exchange.parked.take()?.leave()
        blockedWriter.take()?.resume(throwing: ClientGone())
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .lingering else { return }
        let part = Self.unwrapInboundIn(data)
        if waiting.isEmpty, current?.requestEnded != true {
            receive(part)
        } else {
            // Requests sent ahead of their turn: no more than one read from the socket holds.
            waiting.append(part)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Bytes came, but no head's end: from here on it is a head that takes its time.
        if phase == .idle, current == nil { enter(.readingHead, server.timeouts.head) }
        readIfWanted()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        if let writer = blockedWriter.take() {
            enter(.handling, nil)
            writer.resume()
        } else if phase == .writing {
            advance()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as HTTPParserError: refuse(error)
        // Peers that close without a TLS goodbye are common; the end of the connection is reported anyway.
        case NIOSSLError.uncleanShutdown: break
        // What comes after bytes that were no HTTP.
        case is ByteToMessageDecoderError: break
        default: context.close(promise: nil)
        }
    }

    // MARK: Requests

    private func receive(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(let buffer): receive(buffer)
        case .end: endRequest()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        requestCount += 1
        let method = HTTPMethod(head.method)
        let exchange = Exchange(
            id: RequestID(connection: number, request: requestCount), head: head, method: method,
            target: router.resolve(method, target: head.uri))
        current = exchange
        server.metrics.begin(exchange.entry)
        let policy = exchange.entry.options.body
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > policy.limitBytes {
            return refuseBody(of: exchange)
        }
        enter(.readingBody, server.timeouts.body)
        switch policy {
        case .buffered:
            if exchange.awaitsContinue { sendContinue(exchange) }
        case .streamed:
            let stream = RequestBodyStream { [weak self] in
                guard let self else { return }
                self.onLoop { self.bodyIsAwaited(exchange) }
            }
            exchange.bodyStream = stream
            start(exchange, body: .stream(stream))
        }
    }

    private func receive(_ buffer: ByteBuffer) {
        guard let exchange = current else { return }
        exchange.receivedBytes += buffer.readableBytes
        exchange.awaitsContinue = false
        if exchange.discardsBody { return }
        guard exchange.receivedBytes <= exchange.entry.options.body.limitBytes else {
            if let stream = exchange.bodyStream {
                exchange.discardsBody = true
                stream.finish(.failure(MatrixError.tooLarge()))
            } else {
                refuseBody(of: exchange)
            }
            return
        }
        if let stream = exchange.bodyStream {
            stream.push(Array(buffer: buffer))
            if !exchange.responseStarted { enter(.readingBody, server.timeouts.body) }
        } else {
            exchange.bodyBytes.append(contentsOf: buffer.readableBytesView)
        }
    }

    private func endRequest() {
        guard let exchange = current else { return }
        exchange.requestEnded = true
        if let stream = exchange.bodyStream {
            stream.finish(.success(()))
            if !exchange.responseStarted { enter(.handling, nil) }
        } else if !exchange.responseStarted {
            var body: [UInt8] = []
            swap(&body, &exchange.bodyBytes)
            start(exchange, body: .bytes(body))
            enter(.handling, nil)
        }
        if exchange.responseEnded { finish(exchange) }
    }

    private func start(_ exchange: Exchange, body: RequestBody) {
        let parts = exchange.takeParts()
        let request = HTTPRequest(
            method: exchange.method, target: exchange.target, query: parts.query, headers: parts.headers, body: body,
            pathParameters: parts.parameters, origin: origin, id: exchange.id)
        let handler = exchange.entry.handler
        run(exchange) { try await handler(request) }
    }

    func run(_ exchange: Exchange, _ work: @escaping @Sendable () async throws -> HTTPResponse) {
        exchange.task = Task(executorPreference: loop.executor) { [server] in
            let response = await server.errors.respond(to: exchange.id, exchange.method, with: work)
            await self.deliver(response, for: exchange)
        }
    }

    private func refuseBody(of exchange: Exchange) {
        exchange.discardsBody = true
        exchange.bodyBytes = []
        send(.error(.tooLarge()), for: exchange)
    }

    private func bodyIsAwaited(_ exchange: Exchange) {
        guard current === exchange, exchange.bodyStream?.isAwaited == true else { return }
        if exchange.awaitsContinue, !exchange.responseStarted { sendContinue(exchange) }
        if !exchange.requestEnded, !exchange.responseStarted { enter(.readingBody, server.timeouts.body) }
        readIfWanted()
    }

    private func sendContinue(_ exchange: Exchange) {
        exchange.awaitsContinue = false
        context?.writeAndFlush(
            Self.wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    private func refuse(_ error: HTTPParserError) {
        server.metrics.countMalformed()
        failure =
            error == .headerOverflow
            ? MatrixError(431, .tooLarge, "The request's head is too large")
            : MatrixError(400, .unknown, "The request is not valid HTTP")
        answerFailure()
    }

    /// Answers bytes that are no HTTP, after all requests that came before them.
    private func answerFailure() {
        guard let failure, phase != .lingering else { return }
        guard let exchange = current else { return answerWithoutRequest(failure) }
        if exchange.requestEnded { return }
        if exchange.bodyStream != nil || exchange.responseStarted {
            context?.close(promise: nil)
        } else {
            exchange.discardsBody = true
            send(.error(failure), for: exchange)
        }
    }

    // MARK: Turns and deadlines

    func enter(_ phase: Phase, _ timeout: TimeAmount?) {
        self.phase = phase
        deadline = timeout.map { .now() + $0 } ?? .distantFuture
    }

    /// Goes on to the next request once a response is written and its request is received.
    func finish(_ exchange: Exchange) {
        guard current === exchange else { return }
        current = nil
        advance()
    }

    private func advance() {
        guard let context else { return }
        // A client that sends requests and takes no responses is not served further.
        guard context.channel.isWritable else { return enter(.writing, server.timeouts.write) }
        enter(.idle, server.timeouts.keepAlive)
        while current?.requestEnded != true, phase != .lingering, let part = waiting.popFirst() { receive(part) }
        if failure != nil {
            answerFailure()
        } else if current == nil, loop.isShuttingDown {
            context.close(promise: nil)
        } else {
            readIfWanted()
        }
    }

    private func readIfWanted() {
        guard let context, failure == nil else { return }
        if let exchange = current {
            guard !exchange.requestEnded else { return }
            if let stream = exchange.bodyStream, !exchange.discardsBody, !stream.wantsMore { return }
        } else if phase == .writing {
            return
        }
        context.read()
    }

    /// Closes the connection once what is written has left, giving the client time to read it.
    func closeAfterFlush(unreadInput: Bool) {
        guard let context else { return }
        enter(.lingering, server.timeouts.linger)
        let channel = context.channel
        let flushed = loop.loop.makePromise(of: Void.self)
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer()), promise: flushed)
        // Closing with unread input makes TCP reset the connection, and the response may be lost on its way.
        let halfCloses = unreadInput && !isTLS
        flushed.futureResult.whenComplete { _ in
            channel.close(mode: halfCloses ? .output : .all, promise: nil)
        }
    }

    func checkDeadline(_ now: NIODeadline) {
        guard now >= deadline, let context else { return }
        switch phase {
        case .readingBody:
            // A handler that has not asked for more is the slow one, not the client.
            if let stream = current?.bodyStream, !stream.isAwaited { return }
            server.metrics.countTimeout()
            if let exchange = current, exchange.bodyStream == nil, !exchange.responseStarted {
                exchange.discardsBody = true
                send(.error(MatrixError(408, .unknown, "The request took too long to arrive")), for: exchange)
            } else {
                context.close(promise: nil)
            }
        case .readingHead, .writing:
            server.metrics.countTimeout()
            context.close(promise: nil)
        case .idle, .handling, .lingering: context.close(promise: nil)
        }
    }

    /// Finishes what is under way, then closes.
    func drain() {
        guard let exchange = current else {
            if waiting.isEmpty { context?.close(promise: nil) }
            return
        }
        exchange.keepAlive = false
        guard exchange.entry.options.isLongPoll else { return }
        if exchange.parked != nil { endParking(of: exchange) } else { exchange.task?.cancel() }
    }

    /// Closes at once.
    func abort() { context?.close(promise: nil) }
}
