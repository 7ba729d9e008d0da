import Homeserver
import Logging
import Matrix
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Hands mail to a server over SMTP.
///
/// [RFC 5321](https://www.rfc-editor.org/rfc/rfc5321), with [STARTTLS](https://www.rfc-editor.org/rfc/rfc3207),
/// [AUTH PLAIN](https://www.rfc-editor.org/rfc/rfc4954) and [SMTPUTF8](https://www.rfc-editor.org/rfc/rfc6531). A connection a message:
/// they are few.
public final class SMTPMailer: Mailer {
    /// How the connection is encrypted.
    public enum Encryption: String, Sendable, CaseIterable {
        /// If the server offers it, whoever it says it is. Somebody in between can take the offer away.
        case opportunistic
        /// After a beginning in the clear, or the mail is not sent.
        case required
        /// From the first byte.
        case implicit
        /// Not at all.
        case none
    }

    /// The server, and how to speak with it.
    public struct Server: Sendable {
        /// Its name or address.
        public var host: String
        /// Its port.
        public var port: Int
        /// How the connection is encrypted.
        public var encryption: Encryption
        /// Whether its certificate is verified. Only tests say no.
        public var verifiesTLS: Bool
        /// A file with certificates of authorities that are trusted beside those of the system.
        public var trustedCA: String?
        /// Who this server is there, if it has to say. Never said in the clear.
        public var credentials: (user: String, password: String)?

        /// A server.
        public init(
            host: String, port: Int, encryption: Encryption, verifiesTLS: Bool = true, trustedCA: String? = nil,
            credentials: (user: String, password: String)? = nil
        ) {
            self.host = host
            self.port = port
            self.encryption = encryption
            self.verifiesTLS = verifiesTLS
            self.trustedCA = trustedCA
            self.credentials = credentials
        }
    }

    private static let maximumUnderWay = 50

    private let server: Server
    private let sender: EmailAddress
    private let ownName: String
    private let timeout: Duration
    private let clock: any Clock
    private let randomness: any Randomness
    private let logger: Logger
    private let underWay = Mutex(0)

    /// - Parameters:
    ///   - server: The server.
    ///   - sender: The sender's address.
    ///   - serverName: What this server calls itself.
    ///   - timeout: How long a mail may take.
    ///   - clock: Dates mail.
    ///   - randomness: Tells one mail from another.
    ///   - logger: Told of what fails.
    public init(
        server: Server, sender: EmailAddress, serverName: ServerName, timeout: Duration = .seconds(30),
        clock: any Clock, randomness: any Randomness, logger: Logger
    ) {
        self.server = server
        self.sender = sender
        self.timeout = timeout
        self.clock = clock
        self.randomness = randomness
        self.logger = logger
        let host = serverName.host
        ownName = !serverName.isAddressLiteral ? host : host.first == "[" ? "[IPv6:\(host.dropFirst())" : "[\(host)]"
    }

    /// Sends a message, and returns once the server has taken it.
    public func send(_ mail: Mail) async throws {
        let isAdmitted = underWay.withLock { underWay in
            guard underWay < Self.maximumUnderWay else { return false }
            underWay += 1
            return true
        }
        guard isAdmitted else { throw MatrixError.limitExceeded(retryAfterMilliseconds: 5_000) }
        defer { underWay.withLock { $0 -= 1 } }
        do {
            try await withThrowingTaskGroup(of: Void.self) { [timeout] group in
                group.addTask { try await self.deliver(mail) }
                group.addTask {
                    try await Task.sleep(for: timeout)
                    throw SMTPFailure.timeout
                }
                defer { group.cancelAll() }
                _ = try await group.next()
            }
        } catch {
            logger.error("mail not sent", metadata: ["server": "\(server.host):\(server.port)", "error": "\(error)"])
            if case SMTPFailure.refused(let reply, of: .recipient) = error, reply.code >= 500 {
                throw MatrixError.invalidParameter("The mail server refuses this address")
            }
            throw MatrixError.unavailable("Mail cannot be sent at the moment; try again later")
        }
    }

    /// Finds out whether mail could be sent: says hello, encrypts and signs in as for a mail, and sends none.
    ///
    /// - Returns: Why it could not; `nil` if it could.
    public func check() async -> String? {
        do {
            try await withThrowingTaskGroup(of: Void.self) { [timeout] group in
                group.addTask { try await self.converse { _, _ in } }
                group.addTask {
                    try await Task.sleep(for: timeout)
                    throw SMTPFailure.timeout
                }
                defer { group.cancelAll() }
                _ = try await group.next()
            }
            return nil
        } catch {
            switch error as? SMTPFailure {
            case .refused(let reply, of: .authentication): return "it refuses to let this server in (\(reply.code))"
            case .refused(let reply, _): return "it answers \(reply.code) \(reply.lines.first ?? "")"
            case .noEncryption: return "it offers no encryption"
            case .timeout: return "it does not answer in time"
            case .closed: return "it closes the connection"
            default: return error is NIOConnectionError ? "it cannot be connected to" : "\(error)"
            }
        }
    }

    private func deliver(_ mail: Mail) async throws {
        try await converse { [self] dialogue, offers in
            let isInternational = !sender.isASCII || !mail.recipient.isASCII
            guard !isInternational || offers.contains("SMTPUTF8") else { throw SMTPFailure.notInternational }
            try await dialogue.say("MAIL FROM:<\(sender)>\(isInternational ? " SMTPUTF8" : "")")
            try await dialogue.say("RCPT TO:<\(mail.recipient)>", as: .recipient)
            try await dialogue.say("DATA", as: .data)
            // No line of it begins with a dot.
            let text = MailText.of(mail, from: sender, identifier: randomness.text(24), now: clock.now)
            try await dialogue.deliver(text)
        }
    }

    /// Connects, encrypts and signs in, and then says what is to be said.
    private func converse(_ body: (inout SMTPDialogue, Set<String>) async throws -> Void) async throws {
        let tls = try server.encryption == .none ? nil : makeTLS()
        let channel = try await connect(tls)
        try await channel.executeThenClose { inbound, outbound in
            var dialogue = SMTPDialogue(channel: channel.channel, inbound: inbound, outbound: outbound)
            try await dialogue.expectGreeting()
            var offers = try await dialogue.greet(as: ownName)
            var isEncrypted = server.encryption == .implicit
            if let tls, !isEncrypted {
                if offers.contains("STARTTLS") {
                    try await dialogue.startTLS(tls)
                    offers = try await dialogue.greet(as: ownName)
                    isEncrypted = true
                } else if server.encryption == .required {
                    throw SMTPFailure.noEncryption
                }
            }
            if let credentials = server.credentials {
                guard isEncrypted else { throw SMTPFailure.noEncryption }
                try await dialogue.authenticate(user: credentials.user, password: credentials.password)
            }
            try await body(&dialogue, offers)
            // What was sent is theirs now, whatever becomes of the goodbye.
            try? await dialogue.leave()
        }
    }

    private func connect(_ tls: SMTPTLS?) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        let isImplicit = server.encryption == .implicit
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .connect(host: server.host, port: server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if isImplicit, let tls { try channel.pipeline.syncOperations.addHandler(try tls.makeHandler()) }
                    try channel.pipeline.syncOperations.addHandler(ReceivedBytes())
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
    }

    private func makeTLS() throws -> SMTPTLS {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let file = server.trustedCA { configuration.additionalTrustRoots = [.file(file)] }
        if !server.verifiesTLS || server.encryption == .opportunistic {
            // Who would accept no encryption at all gains nothing by refusing a certificate.
            configuration.certificateVerification = .none
        }
        // An address is compared with the certificate's addresses, and is no name for SNI.
        let isAddress = (try? SocketAddress(ipAddress: server.host, port: 0)) != nil
        return SMTPTLS(context: try NIOSSLContext(configuration: configuration), name: isAddress ? nil : server.host)
    }
}
