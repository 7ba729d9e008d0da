import ClientAPI
import Homeserver
import Matrix

extension Configuration {
    /// The conference services, and what has been decided about calls.
    struct Conferences: Sendable {
        var liveKit: LiveKit?
        var visio: Visio?
        var jitsi: Jitsi?
        var rules: CallRules

        /// The LiveKit that this server lets people into.
        struct LiveKit: Sendable {
            var url: String
            var apiURL: String
            var key: String
            var secret: SecretText?
            var fullAccess: [ServerPattern]
            var lifetimeSeconds: Int
            var timeoutMilliseconds: Int
        }

        /// Visio.
        struct Visio: Sendable {
            var url: String
            var clientID: String
            var clientSecret: SecretText?
            var fallbackAddress: String?
            var privateAccess: String
            var openAccess: String
            var rings: Bool
            var placesWidget: Bool
            var webhookKey: String
            var webhookSecret: SecretText?
            var recordingsURL: String
            var timeoutMilliseconds: Int
        }

        /// Jitsi.
        struct Jitsi: Sendable {
            var url: String
            var appID: String?
            var secret: SecretText?
            var audience: String
            var subject: String
            var lifetimeSeconds: Int
            var rings: Bool
            var placesWidget: Bool
        }

        /// The files of secrets, with their keys.
        var secretFiles: [(key: String, file: String)] {
            let secrets: [(String, SecretText?)] = [
                ("livekit.secret", liveKit?.secret), ("visio.client_secret", visio?.clientSecret),
                ("visio.webhook_secret", visio?.webhookSecret), ("jitsi.secret", jitsi?.secret),
            ]
            return secrets.compactMap { key, secret in
                if case .file(let file)? = secret { return ("calls.\(key)_file", file) }
                return nil
            }
        }
    }
}

extension Configuration.Conferences {
    /// What the section `calls` says.
    init(_ node: ConfigurationNode, serverName: ServerName?) {
        liveKit = node.has("livekit") ? LiveKit(node.mapping("livekit"), serverName: serverName) : nil
        visio = node.has("visio") ? Visio(node.mapping("visio")) : nil
        jitsi = node.has("jitsi") ? Jitsi(node.mapping("jitsi")) : nil
        let policy = node.mapping("policy")
        rules = CallRules()
        if policy.has("start_power_level") {
            rules.startLevel = Int64(policy.int("start_power_level", in: -1_000_000...1_000_000, default: 0))
        }
        if policy.has("max_members") { rules.maximumMembers = policy.int("max_members", in: 2...10_000, default: 2) }
        if policy.has("max_duration_seconds") {
            rules.maximumMilliseconds =
                Int64(policy.int("max_duration_seconds", in: 1...31_536_000, default: 1)) * 1_000
        }
        if policy.has("services") {
            // What this server itself leads to needs no permission.
            let own = [visio?.url, jitsi?.url, liveKit?.url].compactMap { $0.flatMap { Self.host(of: $0) } }
            rules.services = (policy.strings("services") + own).compactMap { text in
                if let pattern = ServerPattern(text) { return pattern }
                policy.refuse("services", "\(text) is neither a host nor *. and a domain")
                return nil
            }
        }
        policy.finish()
    }

    /// The host, and the port if there is one, of an address.
    static func host(of url: String) -> String? {
        let parts = url.split(separator: "/", omittingEmptySubsequences: true)
        return parts.count > 1 ? String(parts[1]) : nil
    }

    /// An address of the web, without a slash at the end.
    fileprivate static func address(
        _ node: ConfigurationNode, _ name: String, schemes: [String] = ["https://", "http://"]
    ) -> String {
        let url = node.requiredString(name)
        if node.has(name), !schemes.contains(where: { url.hasPrefix($0) }) || host(of: url) == nil {
            node.refuse(name, "must begin with \(schemes.joined(separator: " or "))")
        }
        return url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    fileprivate static func secret(_ node: ConfigurationNode, _ name: String) -> Configuration.SecretText? {
        let secret = Configuration.SecretText(node, name)
        if secret == nil { node.refuse(name, "or \(name)_file is missing") }
        return secret
    }

    fileprivate static func timeout(_ node: ConfigurationNode) -> Int {
        node.int("timeout_seconds", in: 1...10, default: 5) * 1_000
    }
}

extension Configuration.Conferences.LiveKit {
    fileprivate init(_ node: ConfigurationNode, serverName: ServerName?) {
        url = Configuration.Conferences.address(node, "url", schemes: ["wss://", "ws://"])
        apiURL =
            node.has("api_url")
            ? Configuration.Conferences.address(node, "api_url") : "http" + url.dropFirst("ws".utf8.count)
        key = node.requiredString("key")
        secret = Configuration.Conferences.secret(node, "secret")
        var patterns = node.strings("full_access")
        if !node.has("full_access"), let serverName { patterns = [serverName.string] }
        fullAccess = patterns.compactMap { text in
            if let pattern = ServerPattern(text) { return pattern }
            node.refuse("full_access", "\(text) is neither a server name nor *. and a domain")
            return nil
        }
        lifetimeSeconds = node.int("token_lifetime_seconds", in: 60...86_400, default: 3_600)
        timeoutMilliseconds = Configuration.Conferences.timeout(node)
        node.finish()
    }
}

extension Configuration.Conferences.Visio {
    private enum PrivateAccess: String, CaseIterable { case trusted, restricted }
    private enum OpenAccess: String, CaseIterable { case `public`, trusted, restricted }

    fileprivate init(_ node: ConfigurationNode) {
        url = Configuration.Conferences.address(node, "url")
        clientID = node.requiredString("client_id")
        clientSecret = Configuration.Conferences.secret(node, "client_secret")
        fallbackAddress = node.string("account")
        if let address = fallbackAddress, !address.contains("@") { node.refuse("account", "must be a mail address") }
        privateAccess = node.choice("private_rooms", default: PrivateAccess.trusted).rawValue
        openAccess = node.choice("public_rooms", default: OpenAccess.trusted).rawValue
        rings = node.bool("ring", default: true)
        placesWidget = node.bool("widget", default: false)
        webhookKey = node.string("webhook_key") ?? "visio"
        webhookSecret = Configuration.SecretText(node, "webhook_secret")
        recordingsURL =
            node.has("recordings_url")
            ? Configuration.Conferences.address(node, "recordings_url") : "\(url)/recording"
        timeoutMilliseconds = Configuration.Conferences.timeout(node)
        node.finish()
    }
}

extension Configuration.Conferences.Jitsi {
    fileprivate init(_ node: ConfigurationNode) {
        url = Configuration.Conferences.address(node, "url")
        appID = node.string("app_id")
        secret = Configuration.SecretText(node, "secret")
        if (appID == nil) != (secret == nil) { node.refuse("app_id", "and secret or secret_file need each other") }
        audience = node.string("audience") ?? "jitsi"
        subject = node.string("subject") ?? Configuration.Conferences.host(of: url) ?? ""
        lifetimeSeconds = node.int("token_lifetime_seconds", in: 60...86_400, default: 3_600)
        rings = node.bool("ring", default: true)
        placesWidget = node.bool("widget", default: true)
        node.finish()
    }
}
