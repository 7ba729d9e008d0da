import Matrix

/// Which pages previews are made of, and what that may cost.
public struct PreviewPolicy: Sendable {
    /// Of which pages; empty: of all.
    public var allowed: [AddressPattern]
    /// Of which not, whatever else holds.
    public var denied: [AddressPattern]
    /// The languages that pages are asked for, the most welcome first.
    public var languages: [String]
    /// The largest picture that is fetched, in bytes.
    public var maximumImageBytes: Int64
    /// How long a page and its picture may take together, in milliseconds.
    public var timeoutMilliseconds: Int64
    /// How much of a page is read, in bytes. What a preview is made of is at its beginning.
    public var maximumPageBytes = 1 << 20
    /// How often a page may lead on to another one.
    public var maximumRedirects = 5
    /// How many previews are made at once.
    public var maximumAtOnce = 32
    /// How long a preview is good for that says nothing about it, at least and at most, in milliseconds.
    public var freshMilliseconds: ClosedRange<Int64> = 3_600_000...86_400_000
    /// How long a preview is kept for those who ask what a page was like, in milliseconds. Its picture stays a day longer.
    public var keptMilliseconds: Int64 = 30 * 86_400_000
    /// How many are kept.
    public var maximumKept = 100_000

    /// A policy.
    public init(
        allowed: [AddressPattern] = [], denied: [AddressPattern] = [], languages: [String] = [],
        maximumImageBytes: Int64 = 10 << 20, timeoutMilliseconds: Int64 = 20_000
    ) {
        self.allowed = allowed
        self.denied = denied
        self.languages = languages
        self.maximumImageBytes = maximumImageBytes
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// Whether an address may be asked.
    public func permits(_ address: WebAddress) -> Bool {
        if denied.contains(where: { $0.covers(address) }) { return false }
        return allowed.isEmpty || allowed.contains { $0.covers(address) }
    }
}

/// Addresses, by host or by how they begin.
///
/// A host such as `example.gouv.fr`; `*.` and a domain, which stands for every name below it but not for the domain itself; or the
/// beginning of addresses, such as `https://example.gouv.fr/public/`, in which `*` stands for anything.
public struct AddressPattern: Sendable, Hashable {
    private enum Form: Hashable {
        case host([UInt8])
        case below([UInt8])
        case beginning([[UInt8]])
    }

    private let form: Form

    /// Reads a pattern; `nil` if it is none.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= WebAddress.maximumBytes,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        if text.contains("://") {
            let parts = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
            form = .beginning(parts.map { Array($0) })
            return
        }
        let isBelow = text.utf8.starts(with: "*.".utf8)
        let name = isBelow ? String(text.dropFirst(2)) : text
        guard let server = ServerName(name), server.port == nil else { return nil }
        let host = Array(server.host.lowercased().utf8)
        form = isBelow ? .below([UInt8(ascii: ".")] + host) : .host(host)
    }

    func covers(_ address: WebAddress) -> Bool {
        switch form {
        case .host(let host): address.host.utf8.elementsEqual(host)
        case .below(let end):
            address.host.utf8.count > end.count && address.host.utf8.suffix(end.count).elementsEqual(end)
        case .beginning(let parts): Self.begins(Array(address.description.utf8), with: parts)
        }
    }

    /// Whether a text begins with these parts, with anything between them.
    private static func begins(_ text: [UInt8], with parts: [[UInt8]]) -> Bool {
        var rest = text[...]
        for (index, part) in parts.enumerated() where !part.isEmpty {
            if index == 0 {
                guard rest.starts(with: part) else { return false }
                rest = rest.dropFirst(part.count)
                continue
            }
            // The first place is as good as any later one: what follows only becomes shorter.
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return true
    }
}
