/// What a server calls a file of its own: letters, digits, `_` and `-`, so that it can stand in a path.
///
/// [Matrix content URIs](https://spec.matrix.org/v1.19/client-server-api/#matrix-content-mxc-uris).
public struct MediaID: Identifier {
    private let text: ExactString

    /// The text.
    public var string: String { text.string }

    /// 1 to 255 of those characters.
    public init?(_ string: String) {
        guard (1...255).contains(string.utf8.count), string.utf8.allSatisfy(Self.isAllowed) else { return nil }
        text = ExactString(string)
    }

    /// Wraps a text that is known to be one.
    public init(trusted string: String) { text = ExactString(string) }

    /// The order of the bytes.
    public static func < (left: MediaID, right: MediaID) -> Bool { left.text < right.text }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

/// Which file is meant: `mxc://server/id`.
///
/// [Matrix content URIs](https://spec.matrix.org/v1.19/client-server-api/#matrix-content-mxc-uris).
public struct MediaReference: Hashable, Sendable, CustomStringConvertible {
    /// The server it was uploaded to.
    public let server: ServerName
    /// What that server calls it.
    public let id: MediaID

    /// A reference.
    public init(server: ServerName, id: MediaID) {
        self.server = server
        self.id = id
    }

    /// What an `mxc` URI refers to, or `nil` if it is none.
    public init?(uri: String) {
        let scheme = "mxc://"
        guard uri.utf8.starts(with: scheme.utf8) else { return nil }
        let rest = Substring(uri.utf8.dropFirst(scheme.utf8.count))
        guard let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")), let server = ServerName(String(rest[..<slash])),
            let id = MediaID(String(rest[slash...].dropFirst()))
        else { return nil }
        self.init(server: server, id: id)
    }

    /// The URI.
    public var uri: String { "mxc://\(server.string)/\(id.string)" }
    /// The URI.
    public var description: String { uri }
}
