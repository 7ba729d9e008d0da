import Matrix
import NameLookup
import Testing

@testable import FederationOutbound

/// Each step of [the specification](https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names).
@Suite struct DiscoveryTests {
    private func destination(
        _ host: String, _ name: Destination.CertificateName, _ targets: (String, Int)...
    ) -> Discovery.Action {
        .finish(
            Destination(
                hostField: host, certificateName: name,
                targets: targets.map { Destination.Target(host: $0.0, port: $0.1) }))
    }

    private func search(_ name: String) throws -> Discovery { Discovery(try #require(ServerName(name))) }
    private func address(_ text: String) throws -> InternetAddress { try #require(InternetAddress(text)) }

    private let none: [ServiceRecord] = []

    @Test func step1AddressesAreUsedAsTheyAre() throws {
        var four = try search("1.2.3.4")
        #expect(four.start() == destination("1.2.3.4", .address(try address("1.2.3.4")), ("1.2.3.4", 8448)))
        var port = try search("1.2.3.4:5")
        #expect(port.start() == destination("1.2.3.4:5", .address(try address("1.2.3.4")), ("1.2.3.4", 5)))
        var six = try search("[2001:db8::1]:99")
        #expect(
            six.start() == destination("[2001:db8::1]:99", .address(try address("2001:db8::1")), ("[2001:db8::1]", 99)))
    }

    @Test func step2PortsNeedNoLooking() throws {
        var discovery = try search("a.example:443")
        #expect(discovery.start() == destination("a.example:443", .domain("a.example"), ("a.example", 443)))
    }

    @Test func step3DelegatesAreFollowed() throws {
        func delegated(_ name: String) throws -> (Discovery, Discovery.Action) {
            var discovery = try search("a.example")
            #expect(discovery.start() == .askWellKnown(host: "a.example"))
            let action = discovery.receivedWellKnown(ServerName(trusted: name))
            return (discovery, action)
        }
        // 3.1: an address, with and without a port.
        #expect(
            try delegated("1.2.3.4").1 == destination("1.2.3.4", .address(try address("1.2.3.4")), ("1.2.3.4", 8448)))
        #expect(try delegated("[::2]:1").1 == destination("[::2]:1", .address(try address("::2")), ("[::2]", 1)))
        // 3.2: a port.
        #expect(try delegated("b.example:1").1 == destination("b.example:1", .domain("b.example"), ("b.example", 1)))
        // 3.3: SRV records of the registered service.
        var (discovery, action) = try delegated("b.example")
        #expect(action == .lookUpServices("_matrix-fed._tcp.b.example"))
        let record = ServiceRecord(host: "c.example", port: 7, priority: 0, weight: 0)
        var found = discovery
        #expect(found.receivedServices([record]) == destination("b.example", .domain("b.example"), ("c.example", 7)))
        // 3.4: of the deprecated one.
        action = discovery.receivedServices(none)
        #expect(action == .lookUpServices("_matrix._tcp.b.example"))
        found = discovery
        #expect(found.receivedServices([record]) == destination("b.example", .domain("b.example"), ("c.example", 7)))
        // 3.5: the host itself.
        #expect(discovery.receivedServices(none) == destination("b.example", .domain("b.example"), ("b.example", 8448)))
    }

    @Test func steps4To6WithoutDelegation() throws {
        var discovery = try search("a.example")
        _ = discovery.start()
        #expect(discovery.receivedWellKnown(nil) == .lookUpServices("_matrix-fed._tcp.a.example"))
        let records = [
            ServiceRecord(host: "c.example", port: 7, priority: 0, weight: 0),
            ServiceRecord(host: "d.example", port: 8, priority: 1, weight: 0),
        ]
        var step4 = discovery
        #expect(
            step4.receivedServices(records)
                == destination("a.example", .domain("a.example"), ("c.example", 7), ("d.example", 8)))
        #expect(discovery.receivedServices(none) == .lookUpServices("_matrix._tcp.a.example"))
        var step5 = discovery
        #expect(
            step5.receivedServices([records[1]]) == destination("a.example", .domain("a.example"), ("d.example", 8)))
        #expect(discovery.receivedServices(none) == destination("a.example", .domain("a.example"), ("a.example", 8448)))
    }

    @Test func aRecordForTheRootSaysThatThereIsNoServer() throws {
        for host in ["", "."] {
            var discovery = try search("a.example")
            _ = discovery.start()
            _ = discovery.receivedWellKnown(nil)
            #expect(
                discovery.receivedServices([ServiceRecord(host: host, port: 0, priority: 0, weight: 0)])
                    == .fail(.serviceDenied))
        }
    }

    @Test func namesThatLeadNowhereAreNotAskedFor() throws {
        for name in ["a.example:0", "a.example:70000", "..", "-a.example", "a..b", "[::::1]", "1.2.3", "1.2.3.999"] {
            var discovery = try search(name)
            #expect(discovery.start() == .fail(.invalidName))
        }
        // Such a delegation counts as none.
        var discovery = try search("a.example")
        _ = discovery.start()
        #expect(
            discovery.receivedWellKnown(ServerName(trusted: "b.example:0"))
                == .lookUpServices("_matrix-fed._tcp.a.example"))
    }

    @Test func inputsOutOfOrderFail() throws {
        var discovery = try search("a.example")
        #expect(discovery.receivedServices(none) == .fail(.internalError))
        #expect(discovery.receivedWellKnown(nil) == .fail(.internalError))
    }

    @Test func servicesAreTriedByPriorityThenWeight() {
        func record(_ host: String, _ priority: Int, _ weight: Int) -> ServiceRecord {
            ServiceRecord(host: host, port: 1, priority: priority, weight: weight)
        }
        let records = [record("late", 2, 50), record("heavy", 1, 90), record("light", 1, 10), record("none", 1, 0)]
        #expect(ServiceOrder.sorted(records) { _ in 0 }.map(\.host) == ["none", "light", "heavy", "late"])
        #expect(ServiceOrder.sorted(records) { $0 - 1 }.map(\.host) == ["heavy", "light", "none", "late"])
        var firsts: [String: Int] = [:]
        var state: UInt64 = 1
        for _ in 0..<2_000 {
            let first = ServiceOrder.sorted(records) { bound in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int((state >> 33) % UInt64(bound))
            }[0].host
            firsts[first, default: 0] += 1
        }
        #expect((1_600...1_900).contains(firsts["heavy"] ?? 0))
        #expect((100...350).contains(firsts["light"] ?? 0))
        #expect(ServiceOrder.sorted([]) { _ in 0 }.isEmpty)
    }
}
