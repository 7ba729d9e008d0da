import Homeserver
import Matrix

extension Configuration {
    /// A server of the section `identity_servers`.
    static func identityServer(of node: ConfigurationNode) -> IdentityServer? {
        let written = node.requiredString("name")
        let name = ServerName(written)
        if name == nil, node.has("name") { node.refuse("name", "is no host, perhaps with a port") }
        let url = node.string("url") ?? "https://\(written)"
        if !url.hasPrefix("https://"), !url.hasPrefix("http://") {
            node.refuse("url", "must begin with https:// or http://")
        }
        node.finish()
        return name.map {
            IdentityServer(name: $0.string.lowercased(), url: url.hasSuffix("/") ? String(url.dropLast()) : url)
        }
    }
}
