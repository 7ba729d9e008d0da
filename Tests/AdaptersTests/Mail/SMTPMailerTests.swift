import Foundation
import Homeserver
import Logging
import Matrix
import Testing

@testable import Adapters

/// Only what takes time (a mailer that does not give up hangs here): mail servers of every kind are in the integration tests.
@Suite struct SMTPMailerTests {
    private final class SilentSocket {
        private let descriptor: Int32
        let port: Int

        /// Accepts connections, and says nothing on them.
        init() throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let descriptor = descriptor
            let isListening = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    bind(descriptor, pointer, length) == 0 && listen(descriptor, 100) == 0
                        && getsockname(descriptor, pointer, &length) == 0
                }
            }
            try #require(isListening)
            port = Int(UInt16(bigEndian: address.sin_port))
        }

        deinit { close(descriptor) }
    }

    @Test(.timeLimit(.minutes(15))) func aServerThatSaysNothingIsGivenUp() async throws {
        let silent = try SilentSocket()
        let mailer = SMTPMailer(
            server: SMTPMailer.Server(host: "127.0.0.1", port: silent.port, encryption: .none),
            sender: try #require(EmailAddress("chappe@example.org")), serverName: ServerName(trusted: "chappe.example"),
            timeout: .milliseconds(200), clock: SystemClock(), randomness: SystemRandomness(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let mail = Mail(to: try #require(EmailAddress("bob@example.org")), subject: "Hello", text: "Text")
        do {
            try await mailer.send(mail)
            Issue.record("sent")
        } catch let error as MatrixError {
            #expect(error.status == 503)
        }
        // More than a few at once are not even tried.
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<60 {
                group.addTask {
                    do { try await mailer.send(mail) } catch { return (error as? MatrixError)?.status == 429 }
                    return false
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(refused > 0 && refused <= 10)
    }
}
