import Matrix
import NIOCore
import NIOSSL

/// Why a mail was not sent.
enum SMTPFailure: Error {
    /// What was refused.
    enum Step: Sendable { case command, recipient, data, authentication }

    case timeout
    case closed
    /// Something was said before encryption that belongs behind it.
    case saidTooMuch
    case noEncryption
    /// An address has letters that the server cannot deal with.
    case notInternational
    case refused(SMTPReply, of: Step)
}

/// How a connection is encrypted.
struct SMTPTLS: Sendable {
    let context: NIOSSLContext
    let name: String?

    func makeHandler() throws -> NIOSSLClientHandler { try NIOSSLClientHandler(context: context, serverHostname: name) }
}

/// Counts the bytes that have come in, decrypted where they are encrypted.
final class ReceivedBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private(set) var count = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        count += Self.unwrapInboundIn(data).readableBytes
        context.fireChannelRead(data)
    }
}

/// The two sides of a connection taking turns.
struct SMTPDialogue {
    private let channel: any Channel
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var parser = SMTPReplyParser()
    /// How many bytes have been looked at.
    private var read = 0

    init(
        channel: any Channel, inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.channel = channel
        self.inbound = inbound.makeAsyncIterator()
        self.outbound = outbound
    }

    mutating func expectGreeting() async throws { _ = try await expect(.command) }

    /// The keywords of what the server can do.
    mutating func greet(as name: String) async throws -> Set<String> {
        do {
            let reply = try await say("EHLO \(name)")
            return Set(reply.lines.dropFirst().compactMap { $0.split(separator: " ").first?.uppercased() })
        } catch SMTPFailure.refused(let reply, of: .command) where reply.code >= 500 {
            // A server of before 1995.
            try await say("HELO \(name)")
            return []
        }
    }

    /// Encrypts what follows.
    mutating func startTLS(_ tls: SMTPTLS) async throws {
        try await say("STARTTLS")
        guard parser.isEmpty else { throw SMTPFailure.saidTooMuch }
        let channel = channel
        let read = read
        // What somebody in between has said in the clear must not be taken for the server's answer behind encryption. From here on
        // nothing comes through that is not encrypted.
        try await channel.eventLoop.submit {
            let pipeline = channel.pipeline.syncOperations
            guard try pipeline.handler(type: ReceivedBytes.self).count == read else { throw SMTPFailure.saidTooMuch }
            try pipeline.addHandler(try tls.makeHandler(), position: .first)
        }.get()
    }

    mutating func authenticate(user: String, password: String) async throws {
        let secret = Array("\0\(user)\0\(password)".utf8)
        try await say("AUTH PLAIN \(Base64.padded(secret))", as: .authentication)
    }

    @discardableResult
    mutating func say(_ line: String, as step: SMTPFailure.Step = .command) async throws -> SMTPReply {
        try await send(Array("\(line)\r\n".utf8))
        return try await expect(step)
    }

    /// Sends a text whose lines end with CRLF and do not begin with a dot, and what ends it.
    mutating func deliver(_ text: [UInt8]) async throws {
        try await send(text + Array(".\r\n".utf8))
        _ = try await expect(.command)
    }

    func leave() async throws { try await send(Array("QUIT\r\n".utf8)) }

    private func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

    private mutating func expect(_ step: SMTPFailure.Step) async throws -> SMTPReply {
        while true {
            if let reply = try parser.next() {
                // Only DATA is answered with "go on".
                guard (step == .data ? 300...399 : 200...299).contains(reply.code) else {
                    throw SMTPFailure.refused(reply, of: step)
                }
                return reply
            }
            guard let buffer = try await inbound.next() else { throw SMTPFailure.closed }
            read += buffer.readableBytes
            try parser.append(buffer.readableBytesView)
        }
    }
}
