import Homeserver
import Matrix
import Testing

@Suite struct PolicyTests {
    private func patterns(_ texts: [String]) throws -> [ServerPattern] {
        try texts.map { try #require(ServerPattern($0)) }
    }

    private func permitted(_ policy: FederationPolicy, _ names: [String]) -> [String] {
        names.filter { policy.permits(ServerName(trusted: $0)) }
    }

    private static let names = [
        "a.gouv.fr", "A.gouv.fr", "a.gouv.fr:8448", "b.a.gouv.fr", "gouv.fr", "xgouv.fr", "a.gouv.fr.", "evil.example",
        "evil.example:80", "EVIL.example", "sub.evil.example",
    ]

    @Test func closedMeansOnlyThoseNamed() throws {
        let policy = FederationPolicy(mode: .closed, allowed: try patterns(["a.gouv.fr"]))
        #expect(permitted(policy, Self.names) == ["a.gouv.fr"])
        let wide = FederationPolicy(mode: .closed, allowed: try patterns(["*.gouv.fr"]))
        #expect(permitted(wide, Self.names) == ["a.gouv.fr", "A.gouv.fr", "b.a.gouv.fr"])
        let port = FederationPolicy(mode: .closed, allowed: try patterns(["a.gouv.fr:8448"]))
        #expect(permitted(port, Self.names) == ["a.gouv.fr:8448"])
        #expect(permitted(FederationPolicy(mode: .closed), Self.names).isEmpty)
    }

    @Test func deniedIsDeniedHoweverItIsWritten() throws {
        let policy = FederationPolicy(mode: .open, denied: try patterns(["evil.example"]))
        #expect(!permitted(policy, Self.names).contains { $0.lowercased().hasPrefix("evil.example") })
        #expect(permitted(policy, Self.names).contains("sub.evil.example"))
        let wide = FederationPolicy(mode: .open, denied: try patterns(["*.Evil.example", "*.gouv.fr"]))
        #expect(
            permitted(wide, Self.names) == ["gouv.fr", "xgouv.fr", "evil.example", "evil.example:80", "EVIL.example"])
        let both = FederationPolicy(
            mode: .closed, allowed: try patterns(["evil.example"]), denied: try patterns(["evil.example"]))
        #expect(permitted(both, Self.names).isEmpty)
    }

    @Test func offMeansNobody() throws {
        let policy = FederationPolicy(mode: .off, allowed: try patterns(["a.gouv.fr"]))
        #expect(permitted(policy, Self.names).isEmpty && policy.isOff)
        #expect(throws: MatrixError.self) { try policy.check(ServerName(trusted: "a.gouv.fr")) }
    }

    @Test func otherRulesHoldForAllCopies() throws {
        let policy = FederationPolicy(mode: .open)
        let copy = policy
        #expect(policy.replace(mode: .closed, allowed: try patterns(["a.gouv.fr"]), denied: []))
        #expect(permitted(copy, Self.names) == ["a.gouv.fr"])
        // Whether there is federation at all is decided at the start.
        #expect(!policy.replace(mode: .off, allowed: [], denied: []))
        #expect(permitted(copy, Self.names) == ["a.gouv.fr"] && !copy.isOff)
    }

    @Test func oddPatternsAreRefused() {
        for text in ["", "*", "*.", "a.*.example", "*.127.0.0.1", "*.[::1]", "a b"] {
            #expect(ServerPattern(text) == nil)
        }
    }
}
