import Foundation
import Homeserver
import Matrix
import Yams

/// The registration files of application services.
///
/// [Registration](https://spec.matrix.org/v1.19/application-service-api/#registration)
enum AppServiceRegistrations {
    private static let maximumBytes = 1 << 20

    /// Reads and checks all registration files that a configuration names.
    ///
    /// - Throws: ``ConfigurationError`` with everything that is wrong in the first file in which something is.
    static func load(_ configuration: Configuration) throws(ConfigurationError) -> AppServices {
        var services: [AppService] = []
        for file in configuration.appServices {
            let path = configuration.path(file)
            guard let data = FileManager.default.contents(atPath: path), data.count <= maximumBytes,
                let text = String(data: data, encoding: .utf8)
            else {
                throw ConfigurationError(
                    file: path, problems: [.init(line: nil, key: "", message: "the file cannot be read")])
            }
            services.append(try parse(text, file: path, serverName: configuration.serverName, before: services))
        }
        return AppServices(services)
    }

    /// Reads and checks one registration.
    ///
    /// - Parameters:
    ///   - text: What the file holds.
    ///   - file: Its path, for errors.
    ///   - serverName: This server.
    ///   - before: The services that are known already, from which this one must differ.
    static func parse(
        _ text: String, file: String, serverName: ServerName, before: [AppService] = []
    ) throws(ConfigurationError) -> AppService {
        let root: Node
        do {
            root = try Yams.compose(yaml: text) ?? Node.mapping(.init([]))
        } catch {
            throw ConfigurationError(
                file: file, problems: [.init(line: nil, key: "", message: "no valid YAML: \(error)")])
        }
        let problems = ProblemList()
        // Keys that are not known here are for others: no `finish()`.
        let node = ConfigurationNode(root, key: "", problems: problems)
        let service = AppService(node, serverName: serverName)
        for other in before {
            if other.id == service?.id { node.refuse("id", "is that of another application service") }
            if other.token == service?.token { node.refuse("as_token", "is that of another application service") }
            if other.sender == service?.sender {
                node.refuse("sender_localpart", "is that of another application service")
            }
        }
        guard problems.problems.isEmpty, let service else {
            throw ConfigurationError(
                file: file, problems: problems.problems.sorted { ($0.line ?? .max) < ($1.line ?? .max) })
        }
        return service
    }
}

extension AppService {
    /// What a registration says; `nil` if something is wrong, which is noted.
    fileprivate init?(_ node: ConfigurationNode, serverName: ServerName) {
        let id = node.requiredString("id")
        if id.isEmpty, node.has("id") { node.refuse("id", "must not be empty") }
        let url = Self.url(node)
        let token = node.requiredString("as_token")
        let homeserverToken = node.requiredString("hs_token")
        for (name, token) in [("as_token", token), ("hs_token", homeserverToken)] where node.has(name) {
            // What else there is cannot stand in a header field.
            if token.isEmpty || !token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
                node.refuse(name, "must be of printable ASCII characters, without blanks")
            }
        }
        let localpart = node.requiredString("sender_localpart")
        let sender = UserID(localpart: localpart, server: serverName)
        if sender == nil, node.has("sender_localpart") {
            node.refuse("sender_localpart", "cannot be a user's name: it is the part between @ and :")
        }
        if !node.has("namespaces") { node.refuse("namespaces", "is missing") }
        let names = node.mapping("namespaces")
        let namespaces = AppService.Namespaces(
            users: Self.namespaces(names, "users"), aliases: Self.namespaces(names, "aliases"),
            rooms: Self.namespaces(names, "rooms"))
        names.finish()
        var extras: AppService.Extras = []
        if node.bool("receive_ephemeral", default: false) { extras.insert(.ephemeral) }
        for name in ["de.sorunome.msc2409.push_ephemeral", "push_ephemeral"] where node.bool(name, default: false) {
            extras.formUnion([.ephemeral, .unstableNames])
        }
        if node.bool("org.matrix.msc3202", default: false) { extras.insert(.devices) }
        let isRateLimited = node.bool("rate_limited", default: true)
        let protocols = node.strings("protocols")
        guard let sender else { return nil }
        self.init(
            id: id, url: url, token: token, homeserverToken: homeserverToken, sender: sender,
            isRateLimited: isRateLimited, namespaces: namespaces, protocols: protocols, extras: extras)
    }

    private static func url(_ node: ConfigurationNode) -> String? {
        guard let url = node.string("url"), !url.isEmpty else { return nil }
        guard let parts = URL(string: url), let scheme = parts.scheme, ["http", "https"].contains(scheme),
            parts.host != nil, parts.query == nil, parts.fragment == nil
        else {
            node.refuse("url", "must begin with http:// or https:// and name a host, or be null")
            return nil
        }
        return url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    private static func namespaces(_ node: ConfigurationNode, _ name: String) -> [AppService.Namespace] {
        node.mappings(name).compactMap { entry in
            let text = entry.requiredString("regex")
            let isExclusive = entry.bool("exclusive", default: false)
            // Of old, with a group that nobody knows any more.
            _ = entry.has("group_id")
            entry.finish()
            guard !text.isEmpty else { return nil }
            guard let pattern = NamespacePattern(text) else {
                entry.refuse("regex", "is no regular expression that this server understands")
                return nil
            }
            return AppService.Namespace(pattern: pattern, isExclusive: isExclusive)
        }
    }
}
