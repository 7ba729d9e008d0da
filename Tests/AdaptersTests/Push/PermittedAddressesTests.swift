import NameLookup
import Testing

/// Where hosts that strangers name may lead.
@Suite struct PermittedAddressesTests {
    /// Knows a few names.
    private struct Names: NameResolver {
        let known: [String: [String]]

        func addresses(of host: String) async throws(NameFailure) -> ResolvedAddresses {
            let found = (known[host] ?? []).compactMap { InternetAddress($0) }
            if found.isEmpty { throw .nothing }
            return ResolvedAddresses(addresses: found, lifetimeSeconds: 60)
        }

        func services(_ name: String) async throws(NameFailure) -> [ServiceRecord] { throw .nothing }
    }

    private let names = Names(known: [
        "inside": ["10.0.0.1", "::1"], "both": ["192.168.1.1", "1.1.1.1"], "outside": ["1.1.1.1"],
    ])

    private func find(_ host: String, allowsPrivate: Bool = false, usesProxy: Bool = false) async -> String {
        let finder = PermittedAddresses(names: names, allowsPrivate: allowsPrivate, usesProxy: usesProxy)
        do {
            guard let found = try await finder.find(host) else { return "proxy" }
            return found.addresses.map(\.description).joined(separator: " ")
        } catch {
            return "\(error)"
        }
    }

    @Test func onlyWhatIsPublicIsFound() async {
        #expect(await find("outside") == "1.1.1.1")
        #expect(await find("both") == "1.1.1.1")
        #expect(await find("inside") == "privateAddress")
        #expect(await find("nowhere").contains("nothing"))
        for literal in ["127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]", "0.0.0.0", "[fe80::1]"] {
            #expect(await find(literal) == "privateAddress", "\(literal)")
            #expect(await find(literal, usesProxy: true) == "privateAddress", "\(literal)")
        }
    }

    @Test func everythingIsFoundWhereThatIsAllowed() async {
        #expect(await find("inside", allowsPrivate: true) == "10.0.0.1 ::1")
        #expect(await find("[::1]", allowsPrivate: true) == "::1")
    }

    @Test func namesAreForTheProxy() async { #expect(await find("inside", usesProxy: true) == "proxy") }
}
