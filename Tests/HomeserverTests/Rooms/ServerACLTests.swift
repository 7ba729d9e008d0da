import Homeserver
import Matrix
import Testing

@Suite struct ServerACLTests {
    private func permits(_ content: JSONValue, _ server: String) throws -> Bool {
        ServerACL(content.json).permits(try #require(ServerName(server)))
    }

    @Test func denialsComeBeforeAllowances() throws {
        let content: JSONValue = ["allow": ["*.example", "good.org"], "deny": ["*.evil.example", "bad?.example"]]
        #expect(try permits(content, "a.example"))
        #expect(try permits(content, "good.org"))
        #expect(try !permits(content, "x.evil.example"))
        #expect(try permits(content, "evil.example"))
        #expect(try !permits(content, "bad1.example"))
        #expect(try permits(content, "bad.example"))
        #expect(try !permits(content, "elsewhere.org"))
    }

    @Test func neitherPortNorCaseMatters() throws {
        let content: JSONValue = ["allow": ["*"], "deny": ["Evil.Example"]]
        #expect(try !permits(content, "evil.example:8448"))
        #expect(try !permits(content, "EVIL.example"))
        #expect(try permits(content, "good.example:1"))
        // A port in the list stands for no server.
        #expect(try permits(["allow": ["*"], "deny": ["evil.example:8448"]], "evil.example:8448"))
    }

    @Test func addressesAreLetInUnlessForbidden() throws {
        for server in ["1.2.3.4", "1.2.3.4:8448", "[::1]", "[2001:db8::1]:8448"] {
            #expect(try permits(["allow": ["*"]], server))
            #expect(try permits(["allow": ["*"], "allow_ip_literals": "no"], server))
            #expect(try !permits(["allow": ["*"], "allow_ip_literals": false], server))
        }
        #expect(try !permits(["allow": ["*"], "deny": ["[2001:*"]], "[2001:db8::1]:8448"))
        #expect(try permits(["allow": ["*"], "allow_ip_literals": false], "1.2.3.example"))
    }

    @Test func whatIsMalformedLetsNobodyIn() throws {
        for content: JSONValue in [[:], ["allow": "*"], ["allow": [1, true]], ["deny": ["x"]]] {
            #expect(try !permits(content, "a.example"))
        }
        #expect(try permits(["allow": [1, "*"], "deny": "*"], "a.example"))
    }

    @Test func patternsMatchWholeNames() throws {
        #expect(try !permits(["allow": ["a"]], "a.example"))
        #expect(try permits(["allow": ["a**e"]], "a.example"))
        #expect(try permits(["allow": ["*x*p*"]], "a.example"))
        #expect(try !permits(["allow": ["?"]], "a.example"))
        #expect(try permits(["allow": ["?????????"]], "a.example"))
        #expect(try permits(["allow": ["a.example*"]], "a.example"))
        #expect(try !permits(["allow": [""]], "a.example"))
        // The last asterisk takes what an earlier attempt could not.
        #expect(try permits(["allow": ["*aab"]], "aaaab"))
    }

    @Test(.timeLimit(.minutes(15))) func hostilePatternsTakeNoTime() throws {
        let pattern = String(repeating: "*a", count: 30_000) + "b"
        #expect(try !permits(["allow": [.string(pattern)]], String(repeating: "a", count: 200)))
    }
}
