import Adapters
import Homeserver
import Matrix
import Store
import TestSupport
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

    @Test func administratorsAllowAndDenyWhileTheServerRuns() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let key = try #require(SigningKey(seed: [UInt8](repeating: 7, count: 32), version: "1"))
            let audit = AuditTrail(store: store, clock: SystemClock(), keys: key)
            let actor = AuditActor(name: AuditActor.socket, address: "")
            let policy = FederationPolicy(
                mode: .closed, allowed: try patterns(["gouv.fr"]), denied: try patterns(["evil.example"]))
            // A copy follows the same rules.
            let copy = policy
            func add(_ text: String, _ isAllowed: Bool) async throws {
                try await policy.rules.add(
                    try #require(ServerPattern(text)), isAllowed: isAllowed, by: actor, now: 1, in: store, audit: audit)
            }
            try await add("a.gouv.fr", true)
            try await add("evil.example", true)
            #expect(permitted(copy, Self.names) == ["a.gouv.fr", "gouv.fr"])
            try await add("gouv.fr", false)
            #expect(permitted(copy, Self.names) == ["a.gouv.fr"])
            try await add("*.gouv.fr", false)
            #expect(permitted(copy, Self.names).isEmpty)
            let rules = FederationRules()
            try await rules.load(from: store)
            let next = FederationPolicy(mode: .open, rules: rules)
            #expect(permitted(next, ["a.gouv.fr", "A.GOUV.FR:80", "gouv.fr.", "evil.example"]) == ["evil.example"])
            for text in ["*.gouv.fr", "gouv.fr"] {
                try await rules.remove(try #require(ServerPattern(text)), by: actor, in: store, audit: audit)
            }
            #expect(permitted(next, ["a.gouv.fr", "gouv.fr"]) == ["a.gouv.fr", "gouv.fr"])
            await #expect(throws: MatrixError.self) {
                try await rules.remove(try #require(ServerPattern("gouv.fr")), by: actor, in: store, audit: audit)
            }
        }
    }

    @Test func oddPatternsAreRefused() {
        for text in ["", "*", "*.", "a.*.example", "*.127.0.0.1", "*.[::1]", "a b"] {
            #expect(ServerPattern(text) == nil)
        }
    }
}
