import NIOSSL
import NameLookup
import Testing

@testable import FederationOutbound

@Suite struct AddressTests {
    @Test(arguments: [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1",
        "172.31.255.1",
        "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.1", "198.51.100.1", "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
        "2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:db8::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1",
        "ff02::1",
        "100::1", "::7f00:1", "4000::1",
    ])
    func privateAddressesAreKnown(text: String) throws {
        #expect(!(try #require(InternetAddress(text))).isPublic)
    }

    @Test(arguments: [
        "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.0.1", "198.20.0.1",
        "223.255.255.1", "2606:4700::1", "2a01:e0a::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1",
    ])
    func publicAddressesAreKnown(text: String) throws {
        #expect(try #require(InternetAddress(text)).isPublic)
    }

    @Test func textsAreReadAndWritten() throws {
        #expect(InternetAddress("[::1]")?.description == "::1")
        #expect(InternetAddress("[::1]")?.urlHost == "[::1]")
        #expect(InternetAddress("1.2.3.4")?.urlHost == "1.2.3.4")
        for text in ["", "1.2.3", "1.2.3.4.5", "[1.2.3.4]", "a", "1.2.3.256", "0x7f.1.1.1", "::g"] {
            #expect(InternetAddress(text) == nil)
        }
    }

    @Test(arguments: [
        ("a.example", "a.example", true), ("A.Example.", "a.example", true), ("*.example.org", "a.example.org", true),
        ("*.example.org", "example.org", false), ("*.example.org", "b.a.example.org", false),
        ("*.org", "example.org", false),
        ("*", "a", false), ("a*.example.org", "ab.example.org", false), ("a.example", "b.example", false),
        ("a.example\u{0}.b.example", "a.example", false), ("", "a.example", false),
    ])
    func certificatesNamesMatch(pattern: String, domain: String, matches: Bool) {
        #expect(TLSIdentity.isPattern(Array(pattern.utf8), for: domain) == matches)
    }

    @Test func urlsOfRedirectsAreRead() throws {
        let address = try #require(HTTPSAddress("https://A.example:444/p?q#f"))
        #expect(address.host == "a.example" && address.port == 444 && address.target == "/p?q")
        #expect(address.hostField == "a.example:444")
        #expect(HTTPSAddress("HTTPS://a.example?q")?.target == "/?q")
        #expect(HTTPSAddress("https://[::1]/x")?.certificateName == InternetAddress("::1").map { .address($0) })
        #expect(address.following("//b.example/x")?.host == "b.example")
        #expect(address.following("/x")?.hostField == "a.example:444")
        for text in [
            "https://a b/", "https://a.example/\u{e9}", "https://a.example/<", "https://a..b/", "https:/a.example",
        ] {
            #expect(HTTPSAddress(text) == nil)
        }
        #expect(HTTPSAddress("https://a.example/" + String(repeating: "a", count: 3_000)) == nil)
    }

    @Test func proxiesAreRead() {
        for good in ["http://proxy.example:3128", "http://10.0.0.1:80/", "http://u:p@proxy.example:3128"] {
            #expect(OutboundProxy(good) != nil)
        }
        for bad in [
            "https://proxy.example:1", "proxy.example:1", "http://proxy.example", "http://:1", "http://u@p.example:1",
            "http://p:0",
        ] {
            #expect(OutboundProxy(bad) == nil)
        }
    }
}
