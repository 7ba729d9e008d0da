import Matrix

/// What a page says of itself: what it has written down for previews, and if that is nothing what can be seen of it.
///
/// [The Open Graph protocol](https://ogp.me/); Twitter's cards, whose names are similar.
struct PageDescription {
    /// A value that is longer is cut, in bytes.
    private static let maximumValueBytes = 2_000
    private static let maximumProperties = 40
    /// A description that is taken from the page's text.
    private static let enoughText = 500
    /// Pictures smaller than this, in pixels, are no pictures of anything.
    private static let smallestPicture = 64

    /// The page's `og:…`, in its order, each but once; names and values as they are told.
    private(set) var properties: [(name: String, value: String)] = []
    /// Where its picture is, as it has been written; several, of which the first that is one counts.
    private(set) var pictures: [String] = []
    /// Where it is described in JSON, if it says so. [oEmbed](https://oembed.com/)
    private(set) var oEmbed: String?
    /// What references on it are relative to, if not to its own address.
    private(set) var base: String?

    private var cards: [String: String] = [:]
    private var title: String?
    private var heading: String?
    private var summary: String?
    private var text = ""
    private var namedPictures: [String] = []
    private var seenPictures: [String] = []

    /// The value of a property.
    func value(_ name: String) -> String? { properties.first { $0.name.utf8.elementsEqual(name.utf8) }?.value }

    /// Says something of the page that it has not said itself.
    mutating func fill(_ name: String, _ value: String?) {
        guard let value = value.map(Self.cleaned), !value.isEmpty, self.value(name) == nil else { return }
        properties.append((name, value))
    }

    /// Adds a picture after those that are known.
    mutating func addPicture(_ reference: String) { pictures.append(reference) }

    /// Reads a page.
    ///
    /// - Parameter page: In UTF-8.
    init(_ page: [UInt8]) {
        var scanner = HTMLScanner(page)
        // The elements whose text counts, or decidedly does not.
        var inside: [String] = []
        while let piece = scanner.next() {
            switch piece {
            case .start(let name, let attributes):
                if Self.telling.contains(name) || Self.silent.contains(name) {
                    if inside.count < 100 { inside.append(name) }
                } else {
                    note(name, attributes)
                }
            case .end(let name):
                if let last = inside.lastIndex(of: name) { inside.removeSubrange(last...) }
            case .text(let text):
                if let element = inside.last, !inside.contains(where: Self.silent.contains) { note(text, in: element) }
            }
        }
        conclude()
    }

    private static let telling: Set = ["title", "h1", "p"]
    private static let silent: Set = [
        "script", "style", "noscript", "template", "svg", "nav", "header", "footer", "aside", "form", "button",
        "select",
        "textarea", "figure",
    ]

    private mutating func note(_ text: String, in element: String) {
        switch element {
        case "title": if title == nil { title = Self.cleaned(text) }
        case "h1": if heading == nil { heading = Self.cleaned(text) }
        case "p" where self.text.utf8.count < Self.enoughText: self.text += text + " "
        default: break
        }
    }

    private mutating func note(_ element: String, _ attributes: [HTMLScanner.Attribute]) {
        func attribute(_ name: String) -> String? { attributes.first { $0.name.utf8.elementsEqual(name.utf8) }?.value }
        switch element {
        case "meta":
            guard let name = attribute("property") ?? attribute("name"), let content = attribute("content") else {
                return
            }
            noteMeta(name.lowercased(), Self.cleaned(content))
        case "base": if base == nil { base = attribute("href") }
        case "link":
            guard let address = attribute("href"), let relation = attribute("rel")?.lowercased() else { return }
            let relations = relation.utf8.split(separator: 0x20).map { String(decoding: Array($0), as: UTF8.self) }
            if relations.contains("image_src") { namedPictures.append(address) }
            if relations.contains("alternate"), attribute("type")?.lowercased() == "application/json+oembed",
                oEmbed == nil
            {
                oEmbed = address
            }
        case "img":
            guard seenPictures.count < 3, let address = attribute("src"), !address.isEmpty else { return }
            let sides = ["width", "height"].compactMap { attribute($0).flatMap { Int($0) } }
            if sides.allSatisfy({ $0 >= Self.smallestPicture }) { seenPictures.append(address) }
        default: break
        }
    }

    private mutating func noteMeta(_ name: String, _ content: String) {
        guard !content.isEmpty else { return }
        switch name {
        case "og:image", "og:image:url", "og:image:secure_url":
            if pictures.count < 3 { pictures.append(content) }
        case "description": if summary == nil { summary = content }
        case _ where name.hasPrefix("og:"):
            guard name.utf8.count <= 64, properties.count < Self.maximumProperties, value(name) == nil,
                name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
                // What is told of the picture is what it is here.
                !name.hasPrefix("og:image")
            else { return }
            properties.append((name, content))
        case _ where name.hasPrefix("twitter:"):
            if cards.count < Self.maximumProperties, cards[name] == nil { cards[name] = content }
        default: break
        }
    }

    private mutating func conclude() {
        fill("og:title", cards["twitter:title"] ?? title ?? heading)
        fill("og:description", cards["twitter:description"] ?? summary ?? Self.shortened(Self.cleaned(text)))
        if pictures.isEmpty {
            pictures = [cards["twitter:image"], cards["twitter:image:src"]].compactMap { $0 } + namedPictures.prefix(2)
        }
        if pictures.isEmpty { pictures = seenPictures }
    }

    private static func shortened(_ text: String) -> String {
        text.unicodeScalars.count <= enoughText
            ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(enoughText))) + "…"
    }

    /// One line without what cannot be seen, cut where it becomes too long.
    static func cleaned(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        var bytes = 0
        var isPending = false
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace || scalar.value < 0x20 || scalar.value == 0x7F {
                isPending = bytes > 0
                continue
            }
            if isPending { out.append(" ") }
            isPending = false
            bytes += UTF8.width(scalar) + 1
            guard bytes <= maximumValueBytes else { break }
            out.append(scalar)
        }
        return String(out)
    }
}
