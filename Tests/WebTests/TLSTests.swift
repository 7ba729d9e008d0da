import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

@testable import Web

@Suite struct TLSTests {
    @Test func servesWithTLSAndReloads() async throws {
        let certificate = TemporaryFile(Self.certificate1)
        let key = TemporaryFile(Self.key1)
        let router = Router()
        router.add(.get("/big")) { _ in
            HTTPResponse(headers: ["Content-Type": "image/png"], body: .bytes([UInt8](repeating: 0x61, count: 300_000)))
        }
        let server = HTTPServer()
        let files = TLSFiles(certificateChainPath: certificate.path, privateKeyPath: key.path)
        let bound = try await server.start([Listener(.tcp(host: "127.0.0.1", port: 0), tls: files, router: router)])
        let port = try #require(bound[0].port)

        let first = try await get(port, trusting: Self.certificate1, name: "test1.example.org")
        #expect(first.hasPrefix("HTTP/1.1 200 OK"))
        #expect(first.utf8.count > 300_000)

        // Files that do not belong together leave the old certificate in place.
        certificate.write(Array(Self.certificate2.utf8))
        #expect(throws: (any Error).self) { try server.reloadCertificates() }
        #expect(try await get(port, trusting: Self.certificate1, name: "test1.example.org").hasPrefix("HTTP/1.1 200"))

        key.write(Array(Self.key2.utf8))
        try server.reloadCertificates()
        #expect(try await get(port, trusting: Self.certificate2, name: "test2.example.org").hasPrefix("HTTP/1.1 200"))
        await #expect(throws: (any Error).self) {
            try await get(port, trusting: Self.certificate1, name: "test1.example.org")
        }

        // What is no TLS at all is closed without an answer in the clear.
        let answer = try await onThread {
            let socket = try TestSocket(port: port)
            try socket.send("GET /big HTTP/1.1\r\n\r\n")
            return String(decoding: try socket.readToEnd(), as: UTF8.self)
        }
        #expect(!answer.contains("HTTP/1.1"))
        await server.shutdown(deadline: .seconds(1))
    }

    /// Everything that the server answers to `GET /big`.
    private func get(_ port: Int, trusting certificate: String, name: String) async throws -> String {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)))
        let context = try NIOSSLContext(configuration: configuration)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: loop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    NIOSSLClientHandler(context: context, serverHostname: name))
                try channel.pipeline.syncOperations.addHandler(Collector(answer))
            }
        }.connect(host: "127.0.0.1", port: port).get()
        try? await channel.writeAndFlush(ByteBuffer(string: "GET /big HTTP/1.1\r\nConnection: close\r\n\r\n"))
        return try await answer.futureResult.get()
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let answer: EventLoopPromise<String>
        private var received = ""

        init(_ answer: EventLoopPromise<String>) { self.answer = answer }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: Self.unwrapInboundIn(data))
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            answer.fail(error)
            context.close(promise: nil)
        }
        func channelInactive(context: ChannelHandlerContext) { answer.succeed(received) }
    }

    // Self-signed, for test1.example.org and test2.example.org, valid for a hundred years.
    private static let certificate1 = """
        -----BEGIN CERTIFICATE-----
        MIIBrDCCAVOgAwIBAgIUIUXrHOW3rHxc/JssCVAHF1Dw554wCgYIKoZIzj0EAwIw
        HDEaMBgGA1UEAwwRdGVzdDEuZXhhbXBsZS5vcmcwIBcNMjYxMTIxMDMxOTQ0WhgP
        MjEyNjEwMjgwMzE5NDRaMBwxGjAYBgNVBAMMEXRlc3QxLmV4YW1wbGUub3JnMFkw
        EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELUpdiVGWVurG0kFK2oqYfnoDoc0+hoT0
        YrUYDHhVh6U+KiWFdXLEMUcet65kTJby7NDZMBeDgn8vrO040LTEAKNxMG8wHQYD
        VR0OBBYEFN+CuAd6c6HlLLDHrLvtDgJsOHzQMB8GA1UdIwQYMBaAFN+CuAd6c6Hl
        LLDHrLvtDgJsOHzQMA8GA1UdEwEB/wQFMAMBAf8wHAYDVR0RBBUwE4IRdGVzdDEu
        ZXhhbXBsZS5vcmcwCgYIKoZIzj0EAwIDRwAwRAIgXRR5cPPAUVmHsatG5KLLBZzn
        uYz5zppT2z+fSKm0ZwwCIFY9wgBy6/wt3/7p4HRzgdV1S+cHiE/cydBqcJYJQQq8
        -----END CERTIFICATE-----
        """
    private static let key1 = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgObwDXt5hstSuvBz5
        q0aKMR0+3JWfxOcq2RWSP2Z0jUChRANCAAQtSl2JUZZW6sbSQUraiph+egOhzT6G
        hPRitRgMeFWHpT4qJYV1csQxRx63rmRMlvLs0NkwF4OCfy+s7TjQtMQA
        -----END PRIVATE KEY-----
        """
    private static let certificate2 = """
        -----BEGIN CERTIFICATE-----
        MIIBrTCCAVOgAwIBAgIUGb2G0pV/C+G9L48uCszFLYbG440wCgYIKoZIzj0EAwIw
        HDEaMBgGA1UEAwwRdGVzdDIuZXhhbXBsZS5vcmcwIBcNMjYxMTIxMDMxOTQ0WhgP
        MjEyNjEwMjgwMzE5NDRaMBwxGjAYBgNVBAMMEXRlc3QyLmV4YW1wbGUub3JnMFkw
        EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQFe5HyGORqY/6pbjuYxn2KDyKTDjL4Cp
        +sOTM7+Xl7CPxQeuMHYdDq9pkE0oIiY75EMio2RVDusES/TUlwFc4KNxMG8wHQYD
        VR0OBBYEFF2lq9X1Ev9H1FgWEwocGPBbwbYEMB8GA1UdIwQYMBaAFF2lq9X1Ev9H
        1FgWEwocGPBbwbYEMA8GA1UdEwEB/wQFMAMBAf8wHAYDVR0RBBUwE4IRdGVzdDIu
        ZXhhbXBsZS5vcmcwCgYIKoZIzj0EAwIDSAAwRQIgW+UAnBpJd0JF0edaSVBNWkG3
        rSvIrHlGROaj0GC1ekcCIQDW/BTnoB+JXdy2sZcO1jkNZ0LOHmXriacwAz8Nnb71
        rQ==
        -----END CERTIFICATE-----
        """
    private static let key2 = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4J7c6yHRrw0BvmFg
        LAtK89cpjMjJQomOyKAahgf7XyuhRANCAARAV7kfIY5Gpj/qluO5jGfYoPIpMOMv
        gKn6w5Mzv5eXsI/FB64wdh0Or2mQTSgiJjvkQyKjZFUO6wRL9NSXAVzg
        -----END PRIVATE KEY-----
        """
}
