import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Asks a little of services that are reached otherwise than by HTTP.
enum Probe {
    private static let timeout = TimeAmount.seconds(10)

    /// Why nothing came of it.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The certificate with which a TLS service shows itself, whatever it is worth.
    static func certificate(host: String, port: Int, name: String) async throws -> NIOSSLCertificate {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let found = loop.makePromise(of: NIOSSLCertificate.self)
        let handler = SSLCapture(found)
        loop.scheduleTask(in: timeout) { found.fail(Failure(description: "no certificate within 10 seconds")) }
        do {
            let channel = try await connect(loop, host, port, tlsName: name, seen: handler.take) { _ in }
            defer { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in found.fail(Failure(description: "the connection was closed")) }
            return try await found.futureResult.get()
        } catch {
            found.fail(error)
            throw error
        }
    }

    /// Whether a STUN server answers a binding request.
    ///
    /// [RFC 8489](https://www.rfc-editor.org/rfc/rfc8489)
    static func stun(host: String, port: Int, isDatagram: Bool, isTLS: Bool) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: [UInt8].self)
        loop.scheduleTask(in: timeout) { answer.fail(Failure(description: "no answer within 10 seconds")) }
        let identifier = (0..<12).map { _ in UInt8.random(in: 0...255) }
        let request: [UInt8] = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42] + identifier
        let channel: any Channel
        do {
            if isDatagram {
                channel = try await DatagramBootstrap(group: loop)
                    .channelInitializer { $0.pipeline.addHandler(FirstDatagram(answer)) }
                    .connect(to: SocketAddress.makeAddressResolvingHost(host, port: port)).get()
            } else {
                channel = try await connect(loop, host, port, tlsName: isTLS ? host : nil, seen: { _ in }) { channel in
                    try channel.pipeline.syncOperations.addHandler(FirstBytes(answer))
                }
            }
        } catch {
            answer.fail(error)
            throw error
        }
        defer { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in answer.fail(Failure(description: "the connection was closed")) }
        if isDatagram {
            // A datagram may be lost: it is sent three times.
            for delay in [Int64(0), 500, 1_500] {
                loop.scheduleTask(in: .milliseconds(delay)) {
                    channel.writeAndFlush(ByteBuffer(bytes: request), promise: nil)
                }
            }
        } else {
            channel.writeAndFlush(ByteBuffer(bytes: request), promise: nil)
        }
        let bytes = try await answer.futureResult.get()
        guard bytes.count >= 20, bytes[0] == 1, bytes[1] == 1, Array(bytes[8..<20]) == identifier else {
            throw Failure(description: "what answers is no STUN server")
        }
    }

    private static func connect(
        _ loop: any EventLoop, _ host: String, _ port: Int, tlsName: String?,
        seen: @escaping @Sendable (NIOSSLCertificate) -> Void,
        _ prepare: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> any Channel {
        try await ClientBootstrap(group: loop).connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tlsName {
                        let context = try NIOSSLContext(configuration: .makeClientConfiguration())
                        let isAddress = (try? SocketAddress(ipAddress: tlsName, port: 0)) != nil
                        let handler = try NIOSSLClientHandler(
                            context: context, serverHostname: isAddress ? nil : tlsName,
                            customVerificationCallback: { certificates, promise in
                                if let certificate = certificates.first { seen(certificate) }
                                promise.succeed(.certificateVerified)
                            })
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try prepare(channel)
                }
            }
            .connect(host: host, port: port).get()
    }
}

/// Hands the first certificate on.
private final class SSLCapture: Sendable {
    private let promise: EventLoopPromise<NIOSSLCertificate>

    init(_ promise: EventLoopPromise<NIOSSLCertificate>) { self.promise = promise }

    @Sendable
    func take(_ certificate: NIOSSLCertificate) { promise.succeed(certificate) }
}

/// Waits for the first bytes of a stream: an answer of STUN comes in one piece.
private final class FirstBytes: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<[UInt8]>

    init(_ promise: EventLoopPromise<[UInt8]>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        promise.succeed(Array(Self.unwrapInboundIn(data).readableBytesView))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }
}

/// Waits for the first datagram.
private final class FirstDatagram: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let promise: EventLoopPromise<[UInt8]>

    init(_ promise: EventLoopPromise<[UInt8]>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        promise.succeed(Array(Self.unwrapInboundIn(data).data.readableBytesView))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.fail(error) }
}
