import ClientAPI
import FederationOutbound
import Foundation
import Homeserver
import Matrix
import Web
import Yams

extension Configuration {
    /// Reads and checks a configuration file.
    ///
    /// - Parameters:
    ///   - file: Its path.
    ///   - environment: Variables `CHAPPE_KEY` and `CHAPPE_KEY__KEY` take the place of what the file says.
    /// - Throws: ``ConfigurationError`` with everything that is wrong.
    static func load(_ file: String, environment: [String: String]) throws -> Configuration {
        guard let data = FileManager.default.contents(atPath: file), let text = String(data: data, encoding: .utf8)
        else {
            throw ConfigurationError(
                file: file, problems: [.init(line: nil, key: "", message: "the file cannot be read")]
            )
        }
        return try parse(text, file: file, environment: environment)
    }

    /// Reads and checks a configuration's text.
    static func parse(_ text: String, file: String, environment: [String: String]) throws -> Configuration {
        var root: Node
        do {
            root = try Yams.compose(yaml: text) ?? Node.mapping(.init([]))
        } catch {
            throw ConfigurationError(
                file: file, problems: [.init(line: nil, key: "", message: "no valid YAML: \(error)")])
        }
        let problems = ProblemList()
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("CHAPPE_") {
            override(&root, Array(name.dropFirst(7).lowercased().components(separatedBy: "__"))[...], value)
        }
        let node = ConfigurationNode(root, key: "", problems: problems)
        var configuration = Configuration(node, problems)
        configuration?.written = written(root)
        node.finish()
        guard problems.problems.isEmpty, let configuration else {
            throw ConfigurationError(
                file: file, problems: problems.problems.sorted { ($0.line ?? .max) < ($1.line ?? .max) }
            )
        }
        return configuration
    }

    private static func written(_ root: Node) -> [String: String] {
        func text(_ node: Node) -> String { (try? Yams.serialize(node: node)) ?? "" }
        var written: [String: String] = [:]
        for (key, value) in root.mapping ?? .init([]) {
            let name = key.string ?? ""
            guard let inner = value.mapping else {
                written[name] = text(value)
                continue
            }
            for (key, value) in inner { written["\(name).\(key.string ?? "")"] = text(value) }
        }
        return written
    }

    /// The keys that another configuration has otherwise, in the order of their names.
    ///
    /// - Parameter others: Keys, or sections, that are not looked at.
    func differences(from other: Configuration, besides others: Set<String>) -> [String] {
        Set(written.keys).union(other.written.keys).filter { key in
            let section = key.split(separator: ".").first.map { String($0) } ?? key
            return !others.contains(key) && !others.contains(section) && written[key] != other.written[key]
        }.sorted()
    }

    private static func override(_ node: inout Node, _ path: ArraySlice<String>, _ value: String) {
        guard let name = path.first else {
            // The value is YAML, so that lists and numbers can be given; what is none is a text.
            node = ((try? Yams.compose(yaml: value)) ?? nil) ?? Node(value)
            return
        }
        // What other programs call CHAPPE_… at the top level is not ours.
        if path.count == 1, Set(["test_postgres", "binary"]).contains(name) { return }
        var mapping = node.mapping ?? .init([])
        var child = mapping[Node(name)] ?? Node.mapping(.init([]))
        override(&child, path.dropFirst(), value)
        mapping[Node(name)] = child
        node = .mapping(mapping)
    }

    private init?(_ node: ConfigurationNode, _ problems: ProblemList) {
        let name = node.requiredString("server_name")
        let serverName = ServerName(name)
        if serverName == nil, node.has("server_name") { node.refuse("server_name", "is no valid server name") }
        publicBaseURL = node.string("public_base_url").map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        if let url = publicBaseURL, !url.hasPrefix("https://"), !url.hasPrefix("http://") {
            node.refuse("public_base_url", "must begin with https:// or http://")
        }
        dataDirectory = node.string("data_dir") ?? "/var/lib/chappe"
        database = node.string("database") ?? "sqlite:chappe.db"
        cacheBytes = node.int("cache_bytes", in: (8 << 20)...(1 << 40), default: 256 << 20)
        signingKey = node.string("signing_key") ?? "signing.key"

        listeners = node.mappings("listeners").map { Listener($0) }
        if !node.has("listeners") {
            listeners = [Listener(bind: "127.0.0.1", port: 8008, serves: Set(Listener.Part.allCases), tls: nil)]
        }

        let registration = node.mapping("registration")
        self.registration = Registration(
            mode: registration.choice("mode", default: .closed), sharedSecret: registration.string("shared_secret"),
            allowsGuests: registration.bool("guests", default: false),
            needsCaptcha: registration.bool("captcha", default: false)
        )
        registration.finish()

        let rooms = node.mapping("rooms")
        let version = rooms.string("default_version") ?? "12"
        let roomVersion = RoomVersion(id: version)
        if roomVersion == nil { rooms.refuse("default_version", "is no room version that this server knows") }
        messagesSelfDestruct = rooms.bool("self_destructing_messages", default: true)
        rooms.finish()

        rateLimits = RateLimits(node.mapping("rate_limits"))

        enum Hashing: String, CaseIterable { case standard, cheap }
        let passwords = node.mapping("passwords")
        hashesPasswordsCheaply = passwords.choice("hashing", default: Hashing.standard) == .cheap
        passwordPolicy = PasswordPolicy(passwords)
        passwords.finish()

        let accounts = node.mapping("accounts")
        let validity = Self.validity(accounts)
        (accountValidity, validitySubject) = (validity?.policy, validity?.subject)
        accounts.finish()
        let audit = node.mapping("audit")
        reads = Self.reads(audit)
        audit.finish()
        authenticationService = AuthenticationService(node.mapping("matrix_authentication_service"))

        federation = Federation(node.mapping("federation"))

        let outbound = node.mapping("outbound")
        self.outbound = Outbound(
            allowsPrivateAddresses: outbound.bool("allow_private_addresses", default: false),
            proxy: outbound.string("proxy").flatMap { OutboundProxy($0) },
            verifiesTLSOutsideFederation: outbound.bool("verify_tls_outside_federation", default: true)
        )
        if outbound.has("proxy"), self.outbound.proxy == nil { outbound.refuse("proxy", "must be http://host:port") }
        outbound.finish()

        let publicRooms = node.mapping("public_rooms")
        listsRoomsWithoutLogin = publicRooms.bool("without_login", default: false)
        publicRooms.finish()

        let directory = node.mapping("user_directory")
        userDirectory = UserDirectoryPolicy(
            findsEverybody: directory.bool("search_all_users", default: false),
            isLocalOnly: directory.bool("local_users_only", default: false))
        directory.finish()

        let media = node.mapping("media")
        self.media = Media(
            store: media.string("store") ?? "media",
            maximumUploadBytes: media.int("max_upload_bytes", in: 1...(1 << 40), default: 100 << 20),
            previews: Self.previews(media),
            servesLegacy: media.bool("legacy_unauthenticated", default: true)
        )
        media.finish()

        let presence = node.mapping("presence")
        presenceIsEnabled = presence.bool("enabled", default: true)
        presence.finish()
        retention = Retention(node.mapping("retention"))
        serverNotices = ServerNoticesPolicy(node.mapping("server_notices"), serverName: serverName)
        let threads = node.mapping("threads")
        followsThreads = threads.bool("subscriptions", default: false)
        threads.finish()
        let push = node.mapping("push")
        findsMentionsInText = push.bool("legacy_mentions", default: true)
        push.finish()
        trustedProxies = node.has("trusted_proxies") ? node.strings("trusted_proxies") : ["127.0.0.1", "::1"]
        appServices = node.strings("app_services")

        let identity = node.mappings("identity_servers").compactMap { Self.identityServer(of: $0) }
        identityServers = node.has("identity_servers") ? identity : nil
        mail = Mail(node.mapping("mail"), serverName: serverName)
        let calls = node.mapping("calls")
        turn = Turn(calls.mapping("turn"))
        rtcTransports = calls.mappings("transports").map { Self.transport(of: $0) }
        conferences = Conferences(calls, serverName: serverName)
        if conferences.liveKit != nil, !calls.has("transports"), let publicBaseURL {
            rtcTransports = [RTCTransport(liveKitServiceURL: "\(publicBaseURL)/livekit/jwt")]
        }
        conferences.rules.letsMembersCall = !rtcTransports.isEmpty
        calls.finish()
        support = Self.support(node.mapping("support"))
        captcha = node.has("recaptcha") ? Captcha(node.mapping("recaptcha")) : nil
        if self.registration.needsCaptcha, captcha == nil {
            registration.refuse("captcha", "needs the section recaptcha")
        }
        cas = node.has("cas") ? CAS(node.mapping("cas")) : nil

        let log = node.mapping("log")
        self.log = Log(
            level: log.choice("level", default: .info), format: log.choice("format", default: .text),
            file: log.string("file")
        )
        log.finish()
        drainSeconds = node.int("drain_seconds", in: 0...600, default: 0)

        guard let serverName, let roomVersion else { return nil }
        self.serverName = serverName
        defaultRoomVersion = roomVersion
    }
}

extension Configuration.Captcha {
    fileprivate init(_ node: ConfigurationNode) {
        siteVerifyAPI = node.string("siteverify_api") ?? "https://www.recaptcha.net/recaptcha/api/siteverify"
        publicKey = node.requiredString("public_key")
        privateKey = node.requiredString("private_key")
        node.finish()
    }
}

extension Configuration.CAS {
    fileprivate init(_ node: ConfigurationNode) {
        let url = node.requiredString("server_url")
        if !url.hasPrefix("https://"), !url.hasPrefix("http://") {
            node.refuse("server_url", "must begin with https:// or http://")
        }
        serverURL = url.hasSuffix("/") ? String(url.dropLast()) : url
        name = node.string("name") ?? "CAS"
        node.finish()
    }
}

extension Configuration.Listener {
    fileprivate init(_ node: ConfigurationNode) {
        bind = node.string("bind") ?? "127.0.0.1"
        port = node.int("port", in: 0...65_535, default: 8008)
        serves = []
        for name in node.strings("serves") {
            if let part = Part(rawValue: name) {
                serves.insert(part)
            } else {
                node.refuse("serves", "\(name) is none of \(Part.allCases.map(\.rawValue).joined(separator: ", "))")
            }
        }
        if !node.has("serves") { serves = [.client, .federation, .wellknown] }
        if node.has("tls") {
            let tls = node.mapping("tls")
            self.tls = TLS(certificate: tls.requiredString("certificate"), key: tls.requiredString("key"))
            tls.finish()
        }
        node.finish()
    }
}

extension Configuration.Federation {
    fileprivate init(_ node: ConfigurationNode) {
        mode = node.choice("mode", default: .open)
        func patterns(_ name: String) -> [ServerPattern] {
            node.strings(name).compactMap { text in
                if let pattern = ServerPattern(text) { return pattern }
                node.refuse(name, "\(text) is neither a server name nor *. and a domain")
                return nil
            }
        }
        allowed = patterns("allow")
        denied = patterns("deny")
        trustedCA = node.string("trusted_ca")
        pinnedKeys = Self.pinnedKeys(node.mapping("pinned_keys"))
        notaryServers = node.strings("notary_servers").compactMap { text in
            if let server = ServerName(text) { return server }
            node.refuse("notary_servers", "\(text) is no valid server name")
            return nil
        }
        publicRooms = node.bool("public_rooms", default: true)
        let retry = node.mapping("retry")
        firstRetryMilliseconds = Int64(retry.int("first_milliseconds", in: 100...3_600_000, default: 10_000))
        longestRetryMilliseconds = Int64(retry.int("longest_milliseconds", in: 100...86_400_000, default: 3_600_000))
        retry.finish()
        node.finish()
    }

    private static func pinnedKeys(_ node: ConfigurationNode) -> [ServerName: [SigningKeyID: VerifyKey]] {
        var pinned: [ServerName: [SigningKeyID: VerifyKey]] = [:]
        for name in node.names {
            let keys = node.mapping(name)
            guard let server = ServerName(name) else {
                node.refuse(name, "is no valid server name")
                continue
            }
            pinned[server] = [:]
            for id in keys.names {
                let text = keys.string(id) ?? ""
                guard let keyID = SigningKeyID(id), keyID.isEd25519, let key = VerifyKey(base64: text) else {
                    keys.refuse(id, "must be ed25519: and a version, and its value the key in Base64")
                    continue
                }
                pinned[server]?[keyID] = key
            }
        }
        return pinned
    }
}

extension RateLimits {
    fileprivate init(_ node: ConfigurationNode) {
        self.init()
        isEnabled = node.bool("enabled", default: true)
        for (rateClass, standard) in Self.defaults {
            guard node.has(rateClass.name) else { continue }
            let limit = node.mapping(rateClass.name)
            classes[rateClass] = Limit(
                perSecond: limit.number("per_second") ?? standard.perSecond,
                burst: limit.int("burst", in: 1...1_000_000, default: standard.burst)
            )
            limit.finish()
        }
        for rateClass in Self.defaults.keys { _ = node.has(rateClass.name) }
        node.finish()
    }
}
