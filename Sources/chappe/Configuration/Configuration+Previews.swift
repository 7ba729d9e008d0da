import Homeserver

extension Configuration {
    /// What the section `media` says of previews of web pages; `nil` if there are none.
    static func previews(_ media: ConfigurationNode) -> PreviewPolicy? {
        let isOn = media.bool("url_previews", default: false)
        let node = media.mapping("preview")
        func patterns(_ name: String) -> [AddressPattern] {
            node.strings(name).compactMap { text in
                if let pattern = AddressPattern(text) { return pattern }
                node.refuse(name, "\(text) is neither a host, nor *. and a domain, nor the beginning of an address")
                return nil
            }
        }
        let languages = node.strings("languages")
        for language in languages where !isLanguage(language) {
            node.refuse("languages", "\(language) is no language such as fr or fr-FR")
        }
        let policy = PreviewPolicy(
            allowed: patterns("allow"), denied: patterns("deny"), languages: languages,
            maximumImageBytes: Int64(node.int("max_image_bytes", in: 1...(1 << 30), default: 10 << 20)),
            timeoutMilliseconds: 1_000 * Int64(node.int("timeout_seconds", in: 1...120, default: 20)))
        node.finish()
        return isOn ? policy : nil
    }

    private static func isLanguage(_ text: String) -> Bool {
        (2...35).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "-")
            }
    }
}
