import FederationWire
import Homeserver
import Matrix
import NameLookup
import Testing
import Web

@testable import FederationOutbound

/// Real connections: whom they reach, and whose certificates they believe.
@Suite struct ConnectionTests {
    private func failure(_ client: FederationClient, _ server: ServerName) async -> RemoteServerFailure? {
        do {
            _ = try await client.version(of: server)
            return nil
        } catch {
            return error
        }
    }

    @Test func theRightNameIsBelieved() async throws {
        try await TestNetwork.run { network in
            let server = try await network.serveVersion("a.example")
            #expect(try await network.client().version(of: server) == server.string)
            let wild = try await network.serveVersion("b.sub.example", certificate: ["DNS:*.sub.example"])
            #expect(try await network.client().version(of: wild) == wild.string)
        }
    }

    @Test func wrongNamesAreRefused() async throws {
        try await TestNetwork.run { network in
            for certificate in [["DNS:b.example"], ["DNS:*.a.example"], ["DNS:*.example"], []] {
                let server = try await network.serveVersion("a.example", certificate: certificate)
                let failure = await failure(try network.client(), server)
                #expect(failure?.isAnswer == false)
                #expect(failure?.status == 502)
                network.health.noteReachable(server)
            }
        }
    }

    /// The address of a forged answer must not do in place of the name.
    @Test func aCertificateForTheAddressIsNoneForTheName() async throws {
        try await TestNetwork.run { network in
            let server = try await network.serveVersion("a.example", certificate: ["IP:127.0.0.1"])
            #expect(await failure(try network.client(), server)?.isAnswer == false)
            let both = try await network.serveVersion("a.example", certificate: ["IP:127.0.0.1", "DNS:a.example"])
            #expect(try await network.client().version(of: both) == both.string)
        }
    }

    @Test func addressesNeedACertificateForThemselves() async throws {
        try await TestNetwork.run { network in
            let right = try await network.serve(["IP:127.0.0.1"], TestNetwork.versionRouter("x"))
            let server = ServerName(trusted: "127.0.0.1:\(right)")
            #expect(try await network.client().version(of: server) == server.string)
            for names in [["IP:127.0.0.2"], ["DNS:127.0.0.1"]] {
                let wrong = try await network.serve(names, TestNetwork.versionRouter("x"))
                #expect(
                    await failure(try network.client(), ServerName(trusted: "127.0.0.1:\(wrong)"))?.isAnswer == false)
            }
            // IPv6, where the machine has it.
            guard let six = try? await network.serve(["IP:::1"], on: "::1", TestNetwork.versionRouter("x")) else {
                return
            }
            let sixth = ServerName(trusted: "[::1]:\(six)")
            #expect(try await network.client().version(of: sixth) == sixth.string)
        }
    }

    @Test func unknownAuthoritiesAreRefused() async throws {
        try await TestNetwork.run { network in
            let server = try await network.serveVersion("a.example")
            #expect(await failure(try network.client(trustsAuthority: false), server)?.isAnswer == false)
        }
    }

    @Test func privateAddressesAreRefusedUnlessAllowed() async throws {
        try await TestNetwork.run { network in
            let server = try await network.serveVersion("a.example")
            let client = try network.client(allowsPrivateAddresses: false)
            let failure = await failure(client, server)
            #expect(failure?.isAnswer == false)
            // Nothing is told of what the name led to.
            #expect(failure?.message.contains("127") == false)
            let port = try await network.serve(["IP:127.0.0.1"], TestNetwork.versionRouter("x"))
            #expect(await self.failure(client, ServerName(trusted: "127.0.0.1:\(port)"))?.isAnswer == false)
            #expect(await self.failure(client, ServerName(trusted: "[::ffff:127.0.0.1]:\(port)"))?.isAnswer == false)
        }
    }

    @Test func servicesLeadToTheirTargets() async throws {
        try await TestNetwork.run { network in
            for (number, prefix) in ["_matrix-fed._tcp", "_matrix._tcp"].enumerated() {
                let host = "s\(number).example"
                // The certificate is for the host, not for the target.
                let port = try await network.serve(["DNS:\(host)"], TestNetwork.versionRouter(host))
                network.names.set("target.example", "127.0.0.1")
                network.names.set(
                    service: "\(prefix).\(host)",
                    ServiceRecord(host: "target.example", port: port, priority: 1, weight: 1))
                #expect(try await network.client().version(of: ServerName(trusted: host)) == host)
            }
            let port = try await network.serve(["DNS:target.example"], TestNetwork.versionRouter("x"))
            network.names.set(
                service: "_matrix-fed._tcp.s2.example",
                ServiceRecord(host: "target.example", port: port, priority: 1, weight: 1))
            #expect(await failure(try network.client(), ServerName(trusted: "s2.example"))?.isAnswer == false)
        }
    }

    @Test func theNextTargetIsTriedWhenOneIsDown() async throws {
        try await TestNetwork.run { network in
            let port = try await network.serve(["DNS:a.example"], TestNetwork.versionRouter("a"))
            network.names.set("up.example", "127.0.0.1")
            network.names.set("down.example", "127.0.0.9")
            network.names.set(
                service: "_matrix-fed._tcp.a.example",
                ServiceRecord(host: "nowhere.example", port: port, priority: 0, weight: 0),
                ServiceRecord(host: "down.example", port: port, priority: 1, weight: 0),
                ServiceRecord(host: "up.example", port: port, priority: 2, weight: 0))
            let client = try network.client()
            #expect(try await client.version(of: ServerName(trusted: "a.example")) == "a.example")
            #expect(try await client.version(of: ServerName(trusted: "a.example")) == "a.example")
        }
    }

    @Test func delegationIsFollowedAndRemembered() async throws {
        try await TestNetwork.run { network in
            let server = try await network.serveVersion("matrix.b.example")
            let router = Router()
            let asked = Counter()
            router.add(.get("/.well-known/matrix/server")) { _ in
                HTTPResponse(status: 302, headers: ["Location": "/elsewhere"])
            }
            router.add(.get("/elsewhere")) { _ in
                asked.increase()
                return .json(200, JSONValue.object(["m.server": .string(server.string)]).serialized())
            }
            network.names.set("b.example", "127.0.0.1")
            let port = try await network.serve(["DNS:b.example"], router)
            let client = try network.client(wellKnownPort: port)
            for _ in 0..<3 {
                #expect(try await client.version(of: ServerName(trusted: "b.example")) == server.string)
                network.clock.advance(milliseconds: 3_600_000)
            }
            #expect(asked.value == 1)
            network.clock.advance(milliseconds: 24 * 3_600_000)
            #expect(try await client.version(of: ServerName(trusted: "b.example")) == server.string)
            #expect(asked.value == 2)
        }
    }

    @Test func wellKnownOfUnprovedHostsDoesNotCount() async throws {
        try await TestNetwork.run { network in
            let router = Router()
            router.add(.get("/.well-known/matrix/server")) { _ in
                .json(200, Array(#"{"m.server":"evil.example:1"}"#.utf8))
            }
            network.names.set("b.example", "127.0.0.1")
            let port = try await network.serve(["DNS:evil.example"], router)
            let client = try network.client(wellKnownPort: port)
            _ = await failure(client, ServerName(trusted: "b.example"))
            #expect(!network.names.asked.contains { $0.contains("evil") })
            #expect(network.names.asked.contains("33 _matrix-fed._tcp.b.example"))
        }
    }

    @Test func nameServersThatAreSilentAreGivenUp() async throws {
        try await TestNetwork.run { network in
            let server = try await network.serveVersion("a.example")
            network.names.silence("slow.example")
            let client = try network.client()
            async let slow = failure(client, ServerName(trusted: "slow.example:\(server.port ?? 0)"))
            // Others are not held up.
            #expect(try await client.version(of: server) == server.string)
            #expect(await slow?.isAnswer == false)
        }
    }

    @Test func clientsForManyServersAreBounded() async throws {
        try await TestNetwork.run { network in
            let client = try network.client(maximumPeers: 2)
            for number in 0..<5 {
                let server = try await network.serveVersion("n\(number).example")
                #expect(try await client.version(of: server) == server.string)
            }
        }
    }
}
