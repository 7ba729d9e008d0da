import ClientAPI

extension Configuration {
    /// A service of the section `calls.transports`.
    static func transport(of node: ConfigurationNode) -> RTCTransport {
        let url = node.requiredString("livekit_service_url")
        if !url.hasPrefix("https://"), !url.hasPrefix("http://") {
            node.refuse("livekit_service_url", "must begin with https:// or http://")
        }
        node.finish()
        return RTCTransport(liveKitServiceURL: url)
    }
}

extension Configuration.Turn {
    /// What the section `calls.turn` says; `nil` if there are no relays.
    init?(_ node: ConfigurationNode) {
        uris = node.strings("uris")
        for uri in uris where !uri.hasPrefix("turn:") && !uri.hasPrefix("turns:") {
            node.refuse("uris", "must begin with turn: or turns:, not \(uri)")
        }
        let secret = Configuration.SecretText(node, "secret")
        let password = Configuration.SecretText(node, "password")
        let username = node.string("username")
        if secret != nil, username != nil || password != nil {
            node.refuse("secret", "is there beside username and password")
        }
        if (username == nil) != (password == nil) { node.refuse("username", "and password need each other") }
        lifetimeSeconds = node.int("lifetime_seconds", in: 60...604_800, default: 86_400)
        allowsGuests = node.bool("guests", default: false)
        node.finish()
        if let secret {
            access = .secret(secret)
        } else if let username, let password {
            access = .fixed(username: username, password: password)
        } else if uris.isEmpty {
            return nil
        } else {
            node.refuse("uris", "need secret or secret_file, or username and password")
            return nil
        }
        if uris.isEmpty { node.refuse("uris", "must name a relay") }
    }
}

extension Configuration.SecretText {
    /// The text under `name`, or the file under `name_file`.
    init?(_ node: ConfigurationNode, _ name: String) {
        let text = node.string(name)
        let file = node.string("\(name)_file")
        if text != nil, file != nil { node.refuse(name, "is there beside \(name)_file") }
        if let text {
            self = .written(text)
        } else if let file {
            self = .file(file)
        } else {
            return nil
        }
    }
}
