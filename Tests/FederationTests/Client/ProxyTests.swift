import Homeserver
import Matrix
import NameLookup
import Testing

@testable import FederationOutbound

/// Requests through a proxy, which looks names up itself.
@Suite struct ProxyTests {
    private func isRefused(_ client: FederationClient, _ server: ServerName) async -> Bool {
        do {
            _ = try await client.version(of: server)
            return false
        } catch {
            return !error.isAnswer
        }
    }

    @Test func namesAreLeftToTheProxyAndCertificatesAreNot() async throws {
        try await TestNetwork.run { network in
            let proxy = try await TestProxy()
            let through = try #require(OutboundProxy("http://127.0.0.1:\(proxy.port)"))
            // No private addresses: where the proxy connects to is its own matter.
            let client = try network.client(allowsPrivateAddresses: false, proxy: through)
            let right = try await network.serve(["DNS:a.example"], TestNetwork.versionRouter("a"))
            let server = ServerName(trusted: "a.example:\(right)")
            #expect(try await client.version(of: server) == server.string)
            #expect(proxy.targets == [server.string])
            #expect(network.names.asked.isEmpty)
            // The certificate of the proxy's own address is none for the name.
            for names in [["DNS:b.example"], ["IP:127.0.0.1"]] {
                let wrong = try await network.serve(names, TestNetwork.versionRouter("a"))
                #expect(await isRefused(client, ServerName(trusted: "a.example:\(wrong)")))
            }
            // Targets of services are connected to by name, with the certificate of the host.
            network.names.set(
                service: "_matrix-fed._tcp.a.example",
                ServiceRecord(host: "target.example", port: right, priority: 0, weight: 0))
            #expect(try await client.version(of: ServerName(trusted: "a.example")) == "a.example")
            #expect(proxy.targets.last == "target.example:\(right)")
            await proxy.stop()
        }
    }

    @Test func addressesAreComparedWithTheServersNotWithTheProxys() async throws {
        try await TestNetwork.run { network in
            let proxy = try await TestProxy()
            let through = try #require(OutboundProxy("http://127.0.0.1:\(proxy.port)"))
            let client = try network.client(allowsPrivateAddresses: false, proxy: through)
            let right = try await network.serve(["IP:8.8.8.8"], TestNetwork.versionRouter("a"))
            let server = ServerName(trusted: "8.8.8.8:\(right)")
            #expect(try await client.version(of: server) == server.string)
            let wrong = try await network.serve(["IP:127.0.0.1", "DNS:8.8.8.8"], TestNetwork.versionRouter("a"))
            #expect(await isRefused(client, ServerName(trusted: "8.8.8.8:\(wrong)")))
            // An address of one's own network is not asked of the proxy either.
            #expect(await isRefused(client, ServerName(trusted: "127.0.0.1:\(right)")))
            #expect(!proxy.targets.contains { $0.hasPrefix("127") })
            await proxy.stop()
        }
    }
}
