import Homeserver
import Matrix
import Testing

/// What application services are interested in, and what is theirs alone.
@Suite struct AppServiceTests {
    @Test(arguments: [
        ("@_irc_.*", "@_irc_a:x", true), ("@_irc_.*", "@_IRC_a:x", false), ("@_irc_.*", "a@_irc_a:x", false),
        // What begins with a match matches.
        ("@_irc_", "@_irc_a:x", true), ("^@_irc_.*$", "@_irc_:x", true), ("@a:x", "@a:xy", true),
        ("@_irc_[a-z]+:x\\.example$", "@_irc_ab:x.example", true),
        ("@_irc_[a-z]+:x\\.example$", "@_irc_a1:x.example", false),
        ("@_irc_[a-z]+:x\\.example$", "@_irc_ab:xyexample", false),
        // Alternatives and quantifiers leave less to begin with.
        ("@a|@b", "@bc:x", true), ("@ab?c", "@ac:x", true), ("@ab*", "@a:x", true), ("@aé?:", "@a:x", true),
        ("(?i)@irc.*", "@IRC:x", true), ("@a{2}:", "@aa:x", true), ("@a{2}:", "@a:x", false), ("", "@a:x", true),
        (".*", "@a:x", true), ("#\\#c.*", "##c:x", true), ("@\\d+:", "@12:x", true), ("@\\d+:", "@d:x", false),
    ])
    func aPatternMatchesWhatBeginsWithAMatch(pattern: String, text: String, matches: Bool) throws {
        let compiled = try #require(NamespacePattern(pattern))
        #expect(compiled.matches(text) == matches)
    }

    @Test(arguments: ["(", "[a", ")"])
    func whatIsNoPatternIsRefused(pattern: String) { #expect(NamespacePattern(pattern) == nil) }

    private static func service(
        _ id: String, users: [String] = [], aliases: [String] = [], isExclusive: Bool = true
    ) throws -> AppService {
        func namespaces(_ patterns: [String]) throws -> [AppService.Namespace] {
            try patterns.map {
                AppService.Namespace(pattern: try #require(NamespacePattern($0)), isExclusive: isExclusive)
            }
        }
        return AppService(
            id: id, url: nil, token: "token \(id)", homeserverToken: "hs",
            sender: try #require(UserID("@\(id):x.example")),
            namespaces: AppService.Namespaces(users: try namespaces(users), aliases: try namespaces(aliases)))
    }

    @Test func usersOfOtherServersAreNobodys() throws {
        let service = try Self.service("irc", users: ["@_irc_.*"])
        #expect(service.owns(try #require(UserID("@_irc_a:x.example"))))
        #expect(service.owns(service.sender))
        #expect(!service.owns(try #require(UserID("@_irc_a:y.example"))))
        #expect(!service.owns(try #require(UserID("@a:x.example"))))
    }

    @Test func whatIsExclusiveIsForItsServiceAlone() throws {
        let irc = try Self.service("irc", users: ["@_irc_.*"], aliases: ["#_irc_.*"])
        let open = try Self.service("open", users: ["@.*"], aliases: ["#.*"], isExclusive: false)
        let services = AppServices([irc, open])
        let ghost = try #require(UserID("@_irc_a:x.example"))
        let alice = try #require(UserID("@alice:x.example"))
        try services.checkMayMake(ghost, by: irc)
        try services.checkMayMake(alice, by: nil)
        try services.checkMayMake(alice, by: open)
        for (user, by) in [(ghost, nil), (ghost, open), (alice, irc), (irc.sender, nil)] as [(UserID, AppService?)] {
            #expect(throws: MatrixError.self) { try services.checkMayMake(user, by: by) }
        }
        let channel = try #require(RoomAlias("#_irc_c:x.example"))
        try services.checkMayChange(channel, by: "irc")
        try services.checkMayChange(try #require(RoomAlias("#c:x.example")), by: nil)
        for by in [nil, "open"] {
            #expect(throws: MatrixError.self) { try services.checkMayChange(channel, by: by) }
        }
        #expect(services.service(token: "token irc")?.id == "irc")
        #expect(services.service(token: "token") == nil)
        #expect(AppServices.none.service(token: "token irc") == nil)
    }

    @Test func aNetworkIsNamedByItsService() {
        #expect(AppServiceNetwork(instanceID: "irc|libera|x") == AppServiceNetwork(service: "irc", name: "libera|x"))
        #expect(AppServiceNetwork(instanceID: "libera") == nil)
        #expect(AppServiceNetwork(service: "irc", name: "a").instanceID == "irc|a")
    }
}
