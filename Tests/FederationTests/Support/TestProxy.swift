import NIOCore
import NIOPosix
import Synchronization

/// An HTTP proxy on 127.0.0.1 that connects to whatever port it is asked for, on 127.0.0.1 whatever the host.
final class TestProxy: Sendable {
    private let channel: any Channel
    private let log: Log

    private final class Log: Sendable {
        let targets = Mutex<[String]>([])
    }

    /// The port.
    let port: Int

    init() async throws {
        let log = Log()
        self.log = log
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connector(log))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func stop() async { try? await channel.close() }

    /// What was asked for, as `host:port`.
    var targets: [String] { log.targets.withLock { $0 } }

    /// Reads the head of a CONNECT, and then passes on what comes from either side.
    private final class Connector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let log: Log
        private var head = ""
        private var other: (any Channel)?
        private var waiting: [ByteBuffer] = []
        private var isConnecting = false

        init(_ log: Log) { self.log = log }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = Self.unwrapInboundIn(data)
            if let other { return other.writeAndFlush(buffer, promise: nil) }
            if isConnecting { return waiting.append(buffer) }
            head += String(buffer: buffer)
            guard head.contains("\r\n\r\n") else { return }
            isConnecting = true
            let target = String(head.split(separator: " ")[1])
            log.targets.withLock { $0.append(target) }
            let port = Int(target.split(separator: ":").last ?? "") ?? 0
            let client = context.channel
            let this = NIOLoopBound(self, eventLoop: context.eventLoop)
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(PassingOn(to: client))
                    }
                }.connect(host: "127.0.0.1", port: port).whenComplete { result in
                    switch result {
                    case .success(let channel):
                        client.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"), promise: nil)
                        this.value.other = channel
                        for buffer in this.value.waiting { channel.writeAndFlush(buffer, promise: nil) }
                    case .failure:
                        client.writeAndFlush(ByteBuffer(string: "HTTP/1.1 502 No\r\n\r\n"), promise: nil)
                        client.close(promise: nil)
                    }
                }
        }

        func channelInactive(context: ChannelHandlerContext) { other?.close(promise: nil) }
    }

    private final class PassingOn: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let client: any Channel

        init(to client: any Channel) { self.client = client }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            client.writeAndFlush(Self.unwrapInboundIn(data), promise: nil)
        }
        func channelInactive(context: ChannelHandlerContext) { client.close(promise: nil) }
    }
}
